"""Training examples on disk, in nnU-Net's own raw layout: blocks of slices, each a case.

FOLDER/nnUNet_raw/Dataset001_contours/{imagesTr,labelsTr,dataset.json}
FOLDER/nnUNet_preprocessed/Dataset001_contours/splits_final.json
FOLDER/cases.json     what each case is: its source, slices, weight
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.files import whole_file
from napari_copnet.folders import whole_folder
from napari_copnet.params import DegradeParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.records import read_record
from napari_copnet.training.cases import Case, make_cases, with_fixed_maps
from napari_copnet.training.sources import Source, SyntheticTissue, identify
from napari_copnet.training.truth import IGNORE
from napari_copnet.training.work import is_examples


def prepare(
    kind: str,
    sources: Sequence[Source | SyntheticTissue],
    folder: Path,
    *,
    size: int = 512,
    width: float = 4.0,
    degrade: DegradeParams | None = None,
    seed: int = 0,
    fixed_maps: int = 0,
    artefacts: bool = True,
) -> Steps[Path]:
    """Write the training examples of `sources` to `folder`, whole or not at all.

    A folder that already holds the same examples is kept.

    Parameters
    ----------
    kind : str
        ``"contours"`` or ``"closing"``.
    sources : sequence of Source or SyntheticTissue
        The training data.
    folder : Path
        Where to write.
    size : int
        Longer in-plane side networks shall see; 0 keeps the sources' own.
    width : float
        Width of contours drawn between labels, in pixels after resizing.
    degrade : DegradeParams
        How the closing network's examples on disk are degraded. Those seen in training are
        degraded anew at each step.
    seed : int
        Of the degradation on disk.
    fixed_maps : int
        Degraded maps of each training slice for the closing network, to be used as they are; 0
        makes one, which training replaces at each step.
    artefacts : bool
        Whether fixed maps are degraded beyond the equation.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        A source can't be used.
    """
    if not sources:
        raise InputError(
            "There is nothing to train on.", "Give a ground truth, or add synthetic tissue."
        )
    recipe = json.loads(
        json.dumps(
            {
                "kind": kind,
                "sources": [identify(source) for source in sources],
                "size": size,
                "width": width,
                "degrade": dataclasses.asdict(degrade or DegradeParams()),
                "seed": seed,
                # The former name of the setting, as folders hold it that are here already.
                **({"fixed_maps": fixed_maps, "harder": artefacts} if fixed_maps else {}),
            },
            default=str,
        )
    )
    index = folder / "cases.json"
    if index.exists() and _recipe(index) == recipe:
        return folder
    rng = np.random.default_rng(seed)
    dataset = f"Dataset001_{kind}"
    with whole_folder(folder, is_examples) as beside:
        raw = beside / "nnUNet_raw" / dataset
        for part in ("imagesTr", "labelsTr"):
            (raw / part).mkdir(parents=True)
        cases: dict[str, dict[str, Any]] = {}
        for number, source in enumerate(sources):
            yield Progress("dataset", number, len(sources), "sources")
            made = make_cases(kind, number, source, size, width, degrade, rng)
            if kind == "closing" and fixed_maps:
                made = with_fixed_maps(made, fixed_maps, degrade, artefacts, rng)
            for case in made:
                _write(raw, case)
                cases[case.name] = {
                    "role": case.role,
                    "weight": case.weight,
                    "given": case.given,
                    "shape": list(case.truth.shape),
                    "spacing": list(case.spacing),
                    "ignore": bool((case.truth == IGNORE).any()),
                }
                yield Progress("dataset", number, len(sources), "sources")
        yield Progress("dataset", len(sources), len(sources), "sources")
        if not any(case["role"] == "train" for case in cases.values()):
            raise InputError("There is nothing to train on.", "No slices are left for training.")
        labels = {"background": 0, "contour": 1}
        if any(case["ignore"] for case in cases.values()):
            labels["ignore"] = 2
        channel = "SEM" if kind == "contours" else "noNorm"
        _json(
            raw / "dataset.json",
            {
                "channel_names": {"0": channel},
                "labels": labels,
                "numTraining": len(cases),
                "file_ending": ".tif",
                "overwrite_image_reader_writer": "Tiff3DIO",
                # Listed, else nnU-Net's planner looks for the files with a pool of forked
                # processes, and joining that pool now and then never ends.
                "dataset": {
                    name: {
                        "images": [f"imagesTr/{name}_0000.tif"],
                        "label": f"labelsTr/{name}.tif",
                    }
                    for name in cases
                },
            },
        )
        roles = {
            role: [name for name, case in cases.items() if case["role"] == role]
            for role in ("train", "validation")
        }
        _json(
            beside / "nnUNet_preprocessed" / dataset / "splits_final.json",
            [{"train": roles["train"], "val": roles["validation"] or roles["train"]}],
        )
        _json(
            beside / "cases.json",
            {"recipe": recipe, "kind": kind, "dataset": dataset, "cases": cases},
        )
    return folder


def _recipe(index: Path) -> Any:
    try:
        return read_record(index).get("recipe")
    except InputError:
        return None


def read_cases(folder: Path) -> dict[str, Any]:
    """Return what `prepare` wrote to ``cases.json``.

    Raises
    ------
    InputError
        It is missing or damaged.
    """
    return read_record(
        folder / "cases.json", {"cases": dict}, "Remove the folder; it will be created again."
    )


def _write(raw: Path, case: Case) -> None:
    import tifffile

    if not np.isfinite(case.image).all():
        raise InputError(
            f"Training images of {case.name} contain NaN or infinite pixels.", "Repair them first."
        )
    tifffile.imwrite(
        raw / "imagesTr" / f"{case.name}_0000.tif", case.image, photometric="minisblack"
    )
    tifffile.imwrite(raw / "labelsTr" / f"{case.name}.tif", case.truth, photometric="minisblack")
    for part in ("imagesTr", "labelsTr"):
        _json(raw / part / f"{case.name}.json", {"spacing": list(case.spacing)})


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        beside.write_text(json.dumps(value, indent=1))


def fingerprint(folder: Path) -> str:
    """Return a short hash of what `prepare` wrote, for model cards."""
    return hashlib.sha256((folder / "cases.json").read_bytes()).hexdigest()[:16]
