"""Measure how well the verdict on a run agrees with the truth, on tissue of many kinds.

    python -m research.size_table --data ../shared/data --work work-sizes
    python -m research.verdict_table measure --data ../shared/data --work work-verdict
    python -m research.verdict_table judge --data ../shared/data --work work-verdict \\
        --sizes work-sizes/shipped

The first command takes data sets through all steps at several sizes, the second does the same with
the other cases of `verdict_samples`; each keeps the share of labelled cells, and makes nothing
again that is there. The third fits the estimate of `verdict.estimate`, leaving each kind of tissue
out in turn, and prints every verdict beside the truth.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.scores import evaluate
from napari_copnet.files import whole_file
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import PreprocessParams, Settings
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.restored import restore
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.store.memory import MemoryStage
from napari_copnet.types import Cells, Closing, Frame, Preprocessed, Stack
from napari_copnet.verdict import estimate
from napari_copnet.verdict.judge import judge, verdict_of
from napari_copnet.verdict.types import GREEN, LIGHTS, RED
from research.verdict_samples import AT_SEVERAL_SIZES, FAMILIES, Case, cases

# A verdict under the first share should be red, under the second not green, over the third not red.
LEAST, FAIR, GOOD = 0.12, 0.35, 0.45
RIDGE = 10.0
_CLOSING = ("changed", "changed_by_slice", "iterations_by_slice", "converged")


def measure(case: Case, networks: dict[str, Network]) -> dict[str, Any]:
    """Take a case through all steps; return the arrays that `kept` reads, and facts."""
    params = PreprocessParams(size=case.size, invert=case.invert)
    settings = replace(Settings(), preprocess=params)
    stack = Stack(case.sample.image)
    start = time.monotonic()
    result = finish(run(stack, settings, load=lambda package, _: networks[package.kind]))
    facts: dict[str, Any] = {
        "kind": case.kind,
        "name": case.name,
        "size": case.size,
        "seconds": time.monotonic() - start,
        "labelled": 0.0,
        "merged": 0.0,
        "split": 0.0,
        "settled": result.closing.settled,
        "blank": result.preprocessed.blank,
        "inverted": result.preprocessed.inverted,
    }
    if case.sample.truth is not None:
        restored = finish(restore(result))
        found = finish(
            evaluate(restored.closed, case.sample.truth, exclude_pixels=case.sample.excluded)
        ).as_dict()
        facts |= {name: found[name] for name in ("labelled", "merged", "split", "cells")}
    ready, closing = result.preprocessed, result.closing
    arrays = {
        "image": case.sample.image,
        "data": np.asarray(ready.data, np.float16),
        "margin": ready.margin,
        "shifts": ready.frame.shifts,
        "contours": np.asarray(result.contours, np.float16),
        "probability": np.asarray(closing.probability, np.float16),
        "mask": closing.mask,
        "labels": result.cells.labels,
        "counts": result.cells.counts,
        **{name: getattr(closing, name) for name in _CLOSING},
    }
    if ready.padding is not None:
        arrays["padding"] = ready.padding
    facts["certainty"] = closing.certainty
    return arrays | {"facts": np.array(json.dumps(facts, default=float))}


def _measure_all(chosen: argparse.Namespace) -> None:
    networks: dict[str, Network] = {}
    chosen.work.mkdir(parents=True, exist_ok=True)
    for case in cases(chosen.data):
        path = chosen.work / f"{case.kind}, {case.name}.npz".replace(":", "").replace(" ", "-")
        if path.exists():
            continue
        if not networks:
            packages = {kind: find_model("default", kind) for kind in ("contours", "closing")}
            networks = {k: Network.load(p, Settings().device) for k, p in packages.items()}
        values = measure(case, networks)
        with whole_file(path) as beside, open(beside, "wb") as file:
            np.savez_compressed(file, **values)
        facts = json.loads(str(values["facts"]))
        sys.stderr.write(
            f"{case.kind}, {case.name} ({case.size} px): labelled {facts['labelled']:.2f}, "
            f"{facts['seconds']:.1f} s\n"
        )


@dataclass(frozen=True)
class Row:
    """A run that was measured.

    Attributes
    ----------
    kind, name : str
    size : int
        px.
    labelled : float
        Share of the true cells that are labelled, 0 to 1.
    measures : dict of str to float
        As `verdict.judge.verdict_of` takes them.
    """

    kind: str
    name: str
    size: int
    labelled: float
    measures: dict[str, float]

    @property
    def family(self) -> str:
        """What is left out together: kinds that look alike."""
        return FAMILIES.get(self.kind, self.kind.split(":")[0].split(",")[0])


def _rows(chosen: argparse.Namespace) -> list[Row]:
    """Measure each run that is kept; what was measured before is taken from ``measures.json``."""
    path = chosen.work / "measures.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    read: dict[str, Any] = {}
    for file in sorted(chosen.sizes.glob("*-1-*.npz")) if chosen.sizes else []:
        if f"size {file.stem}" not in known:
            known[f"size {file.stem}"] = vars(_of_size_table(file, chosen.data, read))
            path.write_text(json.dumps(known, indent=1) + "\n")
    for file in sorted(chosen.work.glob("*.npz")):
        # Hidden ones are still being written.
        if file.stem not in known and not file.name.startswith("."):
            known[file.stem] = vars(_of_case(file))
            path.write_text(json.dumps(known, indent=1) + "\n")
    path.write_text(json.dumps(known, indent=1) + "\n")
    return [Row(**values) for values in known.values()]


def _of_case(file: Path) -> Row:
    with np.load(file, allow_pickle=False) as kept:
        facts = json.loads(str(kept["facts"]))
        values = {name: kept[name] for name in kept.files if name != "facts"}
    depth, *plane = values["data"].shape
    frame = Frame(values["image"].shape, (depth, *plane), values["shifts"])
    ready = Preprocessed(
        values["data"].astype(np.float32), frame, values["margin"], tuple(facts["blank"])
    )
    closing = Closing(
        values["mask"],
        values["probability"],
        **{name: values[name] for name in _CLOSING},
        settled=facts["settled"],
    )
    cells = Cells(values["labels"], values["counts"], "linked")
    verdict = finish(
        judge(Stack(values["image"]), ready, values["contours"], closing, cells, MemoryStage())
    )
    return Row(
        facts["kind"], facts["name"], facts["size"], facts["labelled"], dict(verdict.measures)
    )


def _of_size_table(file: Path, data: Path, read: dict[str, Any]) -> Row:
    kind, _, size = file.stem.rsplit("-", 2)
    if kind not in read:
        read[kind] = AT_SEVERAL_SIZES[kind](data)
    with np.load(file, allow_pickle=False) as kept:
        facts = json.loads(str(kept["facts"]))
        contours = kept["contours"].astype(np.float32) / 255
        mask, labels = kept["mask"], kept["cells"]
    image = read[kind].image[: len(mask)]
    params = PreprocessParams(size=int(size), align=False, invert="no")
    ready = finish(preprocess(Stack(image), params))
    if not kind.startswith(("tumour", "cortex")):
        # Their slices are no neighbours.
        frame = replace(ready.frame, original_shape=image.shape)
        ready = replace(ready, frame=frame)
    none = np.zeros(0)
    closing = Closing(mask, contours, none, none, none, np.ones(len(mask), bool))
    counts = np.array([np.count_nonzero(np.bincount(one.ravel())[1:]) for one in labels])
    verdict = finish(
        judge(Stack(image), ready, contours, closing, Cells(labels, counts, "slice"), MemoryStage())
    )
    measures = dict(verdict.measures)
    if not kind.startswith(("tumour", "cortex")):
        measures["same"] = math.nan
    return Row(kind, "", int(size), facts["scores"]["1"]["labelled"], measures)


def fitted(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the ridge regression of the root of the labelled share, as of `verdict.estimate`."""
    values = np.array([estimate.terms(row.measures) for row in rows])
    wanted = np.sqrt([row.labelled for row in rows])
    means, spreads = values.mean(axis=0), values.std(axis=0) + 1e-9
    scaled = (values - means) / spreads
    normal = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    weights = np.linalg.solve(normal, scaled.T @ (wanted - wanted.mean()))
    return {
        "MEANS": tuple(np.round(means, 4).tolist()),
        "SPREADS": tuple(np.round(spreads, 4).tolist()),
        "WEIGHTS": tuple(np.round(weights, 4).tolist()),
        "CONSTANT": round(float(wanted.mean()), 4),
    }


@contextlib.contextmanager
def _using(constants: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(estimate, name) for name in constants}
    for name, value in constants.items():
        setattr(estimate, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(estimate, name, value)


def _judge_all(rows: Sequence[Row]) -> list[str]:
    """Return the table of verdicts beside the truth, and what to put into `verdict.estimate`."""
    lines = ["| tissue | what | px | labelled | expected | verdict | first reason |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    wrong: list[str] = []
    count: dict[tuple[str, str], int] = {}
    for row in sorted(rows, key=lambda row: -row.labelled):
        others = [other for other in rows if other.family != row.family]
        with _using(fitted(others)):
            said = verdict_of(row.measures)
        first = said.reasons[0].measure if said.reasons else ""
        lines.append(
            f"| {row.kind} | {row.name or 'as it is'} | {row.size} | {row.labelled:.2f} | "
            f"{said.expected:.2f} | {said.light} | {first} |"
        )
        band = (
            "under 12 %"
            if row.labelled < LEAST
            else "12 to 35 %"
            if row.labelled < FAIR
            else "35 to 45 %"
            if row.labelled <= GOOD
            else "over 45 %"
        )
        count[band, said.light] = count.get((band, said.light), 0) + 1
        if (
            (said.light == GREEN and row.labelled < FAIR)
            or (said.light == RED and row.labelled > GOOD)
            or (said.light != RED and row.labelled < LEAST)
        ):
            wrong.append(
                f"{row.kind} {row.name} {row.size} px: labelled {row.labelled:.2f}, "
                f"{said.light} ({said.expected:.2f}, {[r.measure for r in said.reasons]})"
            )
    lines += ["", "| labelled | green | amber | red |", "| --- | --- | --- | --- |"]
    for band in ("over 45 %", "35 to 45 %", "12 to 35 %", "under 12 %"):
        lines.append(
            f"| {band} | " + " | ".join(str(count.get((band, x), 0)) for x in LIGHTS) + " |"
        )
    lines += ["", "Not as they should be:", *wrong, ""]
    lines += [f"{name} = {value}" for name, value in fitted(rows).items()]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing in the work folder, or judge what is there."""
    parser = argparse.ArgumentParser(prog="verdict_table", description=__doc__)
    parser.add_argument("do", choices=("measure", "judge"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=Path, help="maps that size_table has made")
    chosen = parser.parse_args(arguments)
    if chosen.do == "measure":
        _measure_all(chosen)
    else:
        sys.stdout.write("\n".join(_judge_all(_rows(chosen))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
