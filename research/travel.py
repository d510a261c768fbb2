"""How well models do on tissue that they have not seen: docs/travel.md.

    python -m research.travel --data ../shared/data --models work-models --out docs

Each data set is run as a user would, without any setting, by models that never saw it, and by the
default models where they have seen other slices of it. ``--cards FOLDER`` writes how the default
models did into the cards of the models there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.baselines.watershed import lines
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.files import whole_file
from napari_copnet.networks.package import KINDS, find_model, load_package
from napari_copnet.params import CellParams, ContourParams, DeviceParams, Settings
from napari_copnet.pipeline import RunResult, run
from napari_copnet.progress import finish
from napari_copnet.restored import restore
from napari_copnet.runs.run_record import surroundings
from napari_copnet.steps.cells import label_cells
from napari_copnet.steps.frame import cells_to_original, soft_contour
from napari_copnet.synthetic import make_tissue, random_tissue_params, sample_stack
from napari_copnet.training.cases import read_array
from napari_copnet.types import Stack, VoxelSize, is_contour
from research.default_models import add_to_card
from research.splits import CHM_SBFSEM, FIB25, ISBI2012, SNEMI3D, DataSplit, in_words

SHOWN = ("labelled", "merged", "split", "nsd", "cldice")
# As in the second trial of closing: a watershed that needs no tuning.
SIGMA, HEIGHT = 1.0, 0.05
CEILING = "the truth scored as a prediction"


@dataclass(frozen=True)
class Scored:
    """Slices with their truth, and who may be asked.

    Attributes
    ----------
    title : str
    read : callable
        Returns image (Z, Y, X), truth (labels, or a contour mask) and excluded pixels or None.
    models : dict
        What a contour model knows of the set, by the name of its folder; ``"default"`` is shipped.
    """

    title: str
    read: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray | None]]
    models: dict[str, str]


def _part(split: DataSplit) -> slice:
    return slice(split.validation.start, split.validation.stop)


def scored_sets(data: Path) -> list[Scored]:
    """Return the data sets, in the order of the table."""
    unseen, other = "never saw it", "saw other slices of it"

    def stack(name: str, image: str, truth: str, chosen: slice) -> Callable[[], Any]:
        return lambda: (
            read_array(data / name / image)[0][chosen],
            read_array(data / name / truth)[0][chosen],
            None,
        )

    def isbi2012() -> tuple[np.ndarray, np.ndarray, None]:
        chosen = _part(ISBI2012)
        image, truth = (
            read_array(data / "isbi2012" / f"train-{part}.tif")[0][chosen]
            for part in ("volume", "labels")
        )
        return image, (truth == 0).astype(np.uint8), None

    def lower_half() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, truth, valid = (
            read_array(data / "chm-sbfsem" / f"{part}.tif")[0]
            for part in ("image", "cells", "valid")
        )
        half = _part(CHM_SBFSEM)
        return image[:, half], truth[:, half], valid[:, half] == 0

    def synthetic(kind: str, seed: int) -> Callable[[], Any]:
        def read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            rng = np.random.default_rng(seed)
            params = replace(random_tissue_params(rng, kind=kind), slices=4, size=512, padding=0.0)
            tissue = make_tissue(params, seed=seed)
            return np.asarray(tissue.stack.data), tissue.contours, tissue.excluded

        return read

    def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tissue = sample_stack()
        return np.asarray(tissue.stack.data), tissue.contours, tissue.excluded

    return [
        Scored(
            f"fib25, slices {in_words(FIB25.validation)}",
            stack("fib25", "raw.tif", "instances.tif", _part(FIB25)),
            {"contours-without-fib25": unseen, "default": other},
        ),
        Scored(
            f"snemi3d, slices {in_words(SNEMI3D.validation)}",
            stack("snemi3d", "raw.tif", "instances.tif", _part(SNEMI3D)),
            {"contours-without-snemi3d": unseen, "default": other},
        ),
        Scored(f"isbi2012, slices {in_words(ISBI2012.validation)}", isbi2012, {"default": unseen}),
        Scored("chm-sbfsem, lower half", lower_half, {"default": "saw the upper half"}),
        Scored(
            "platelets, image 50",
            stack(
                "platelets",
                "platelet_sbfsem_50_z0_image.tif",
                "platelet_sbfsem_50_z0_cells.tif",
                slice(None),
            ),
            {"default": "saw image 24"},
        ),
        Scored("synthetic neuropil (the bundled sample)", sample, {"default": other}),
        *(
            Scored(f"synthetic {kind} {seed}", synthetic(kind, seed), {"default": "saw its kind"})
            for kind, seed in (("tumour", 9001), ("tumour", 9002), ("cortex", 9001))
        ),
    ]


def watershed(result: RunResult) -> np.ndarray:
    """Return Step 1's contour united with the watershed lines of its map, in the stack's frame."""
    u = result.contours
    mask = is_contour(u) | np.stack([lines(plane, SIGMA, HEIGHT) for plane in u])
    cells = finish(label_cells(mask, CellParams(mode="slice")))
    soft = soft_contour(mask, mask.astype(np.float32), u)
    return cells_to_original(cells.labels, mask, result.preprocessed.frame, soft)[1]


def score(
    scored: Scored, model: Path | str, closing: Path | str, first: int | None
) -> dict[str, Any]:
    """Run one data set by one contour model and return scores, the size taken and notes."""
    image, truth, excluded = scored.read()
    image, truth = image[:first], truth[:first]
    excluded = None if excluded is None else excluded[:first]
    settings = Settings(
        contours=ContourParams(contour_model=str(model)),
        device=DeviceParams(),
    )
    settings = replace(settings, closing=replace(settings.closing, closing_model=str(closing)))
    result = finish(run(Stack(image, VoxelSize(None, None, None), name=scored.title), settings))
    restored = finish(restore(result))
    true = TrueStack(truth, exclude_pixels=excluded)
    found = finish(
        evaluate_all(
            {
                "Step 1": restored.contours,
                "closed": restored.closed,
                "watershed": watershed(result),
                CEILING: true.contours == 1,
            },
            true,
        )
    )
    scores = {method: evaluation.as_dict() for method, evaluation in found.items()}
    return {
        "size": max(result.preprocessed.data.shape[1:]),
        "slices": len(image),
        "scores": {m: {k: round(float(s[k]), 4) for k in SHOWN} for m, s in scores.items()},
        "notes": list(result.notes),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a markdown table, shares in per cent."""
    head = "| data | contour model | size, px | method | labelled | merged | split | NSD | clDice |"
    lines_ = [head, "|" + " --- |" * 9]
    for row in rows:
        for method, s in row["scores"].items():
            shares = " | ".join(f"{100 * s[k]:.1f}" for k in SHOWN[:3])
            lines_.append(
                f"| {row['data']} | {row['knows']} | {row['size']} | {method} | {shares} "
                f"| {s['nsd']:.3f} | {s['cldice']:.3f} |"
            )
    return "\n".join(lines_)


def write_cards(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write rows of default models into the cards of ``FOLDER/contours`` and ``FOLDER/closing``."""
    tissues = [
        {
            "data": row["data"],
            "knows": row["knows"],
            "size": row["size"],
            "before": row["scores"]["Step 1"]["labelled"],
            "after": row["scores"]["closed"]["labelled"],
        }
        for row in rows
        if row["model"] == "default"
    ]
    for kind in KINDS:
        add_to_card(load_package(folder / kind), tissues=tissues)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score every data set and write ``travel.md``; each row also goes to standard error."""
    parser = argparse.ArgumentParser(prog="travel", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="where `make models` trained")
    parser.add_argument("--closing", default="default", help="closing model")
    parser.add_argument("--out", type=Path, required=True, help="folder of travel.md")
    parser.add_argument("--first", type=int, help="score only the first N slices of each set")
    parser.add_argument("--sets", default="", help="only sets whose title begins so")
    parser.add_argument("--cards", type=Path, help="folder of the default models")
    chosen = parser.parse_args(arguments)
    if chosen.cards is not None:
        if chosen.sets or chosen.closing != "default":
            parser.error("--cards needs all sets and the default closing model")
        for kind in KINDS:
            if load_package(chosen.cards / kind).sha256 != find_model("default", kind).sha256:
                parser.error(f"{chosen.cards / kind} is not the default model")
    rows: list[dict[str, Any]] = []
    for scored in scored_sets(chosen.data):
        if not scored.title.startswith(chosen.sets):
            continue
        for name, knows in scored.models.items():
            model = "default" if name == "default" else chosen.models / name
            if name != "default" and not (chosen.models / name / "model.json").exists():
                continue
            row = score(scored, model, chosen.closing, chosen.first)
            rows.append({"data": scored.title, "knows": knows, "model": name, **row})
            sys.stderr.write(json.dumps(rows[-1]) + "\n")
    made = surroundings()
    part = f", the first {chosen.first} slices of each" if chosen.first else ""
    text = (
        "# Tissue that the networks have not seen\n\n"
        f"Written by `python -m research.travel`, {made['date'][:10]}, {made['machine']}"
        f"{part}. Each stack was run "
        "without any setting; scores are those of `copnet evaluate`, in the frame of the stack, "
        "mean over slices, in per cent. The closing network has learnt from simulated gaps in "
        "contours of fib25 and snemi3d (training slices), of plant and animal epithelia, and of "
        "synthetic tissue. *Watershed*: lines of the watershed of the same probability map "
        f"(σ = {SIGMA:g} px, h = {HEIGHT:g}), united with Step 1.\n\n{table(rows)}\n"
    )
    with whole_file(chosen.out / "travel.md") as beside:
        beside.write_text(text, encoding="utf-8")
    if chosen.cards is not None:
        write_cards(rows, chosen.cards)
    return 0


if __name__ == "__main__":
    sys.exit(main())
