"""Measure how many cells are correct at each size of a stack, to evaluate the choice of the size.

Every validation set goes through all steps at several sizes, at half, full and double resolution,
and is scored in its own frame. Maps are kept, so that measures that need no truth can be computed
from them repeatedly.

    python -m research.size_table --data ../shared/data --work work-sizes
    python -m research.size_table --work work-sizes --judge

The second command chooses a size for each set with `steps.size_measures`, as a run does, and
compares it with the size at which most cells are correct. The measure is not fitted to any data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.contour_input import as_contour
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.files import whole_file
from napari_copnet.networks.nnunet import Network
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    PreprocessParams,
    Settings,
)
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.restored import restore
from napari_copnet.steps.closing import close
from napari_copnet.steps.frame import resize_linear, to_original
from napari_copnet.steps.size_choice import middle
from napari_copnet.steps.size_measures import Seen, measure_sizes, membrane_width
from napari_copnet.training.cases import read_array
from napari_copnet.types import Frame, Stack
from research.datasets import hela_folders
from research.splits import FIB25

SIZES = (128, 192, 256, 384, 512, 768, 1024, 1536)
SCALES = (0.5, 1.0, 2.0)
# Slices with shorter sides may be enlarged threefold: their membranes are a pixel wide.
SMALL = 400
# In larger slices, scoring at twice the size takes longer than the networks.
LARGE = 600
# From this size on, only the first slice is used.
ONE_SLICE = 768
# One pass of the closing network: what the choice can afford.
CHEAP = ClosingParams(max_iterations=1, likely_gaps=False)


@dataclass(frozen=True)
class Sample:
    """A few slices of a data set.

    Attributes
    ----------
    image : ndarray, shape (Z, Y, X)
    truth : ndarray, shape (Z, Y, X)
        Label image, or contour mask.
    excluded : ndarray, shape (Z, Y, X), bool, or None
    """

    image: np.ndarray
    truth: np.ndarray
    excluded: np.ndarray | None = None

    def first(self) -> Sample:
        """Return the first slice alone."""
        out = None if self.excluded is None else self.excluded[:1]
        return Sample(self.image[:1], self.truth[:1], out)

    def scaled(self, scale: float) -> Sample:
        """Return the sample resized by `scale`."""
        if scale == 1:
            return self
        shape = tuple(round(scale * side) for side in self.image.shape[1:])
        frame = Frame((len(self.image), *shape), self.image.shape, np.zeros((len(self.image), 2)))
        image = np.stack([resize_linear(one.astype(np.float32), shape) for one in self.image])
        kind = "mask" if self.truth.dtype == np.uint8 and self.truth.max() == 1 else "labels"
        out = None
        if self.excluded is not None:
            out = to_original(self.excluded.astype(np.uint8), frame, "labels") > 0
        return Sample(image, to_original(self.truth, frame, kind), out)


def _volume(folder: str, image: str, truth: str, slices: Sequence[int]) -> Callable[[Path], Sample]:
    def read(data: Path) -> Sample:
        values = (read_array(data / folder / name)[0] for name in (image, truth))
        return Sample(*(one[list(slices)] for one in values))

    return read


def _isbi(data: Path) -> Sample:
    one = _volume("isbi2012", "train-volume.tif", "train-labels.tif", (10, 14, 19))(data)
    return replace(one, truth=as_contour(one.truth, "mask", invert=True))


def _chm(data: Path) -> Sample:
    image, cells, valid = (
        read_array(data / "chm-sbfsem" / f"{name}.tif")[0] for name in ("image", "cells", "valid")
    )
    return Sample(_stack(image), _stack(cells), _stack(valid) == 0)


def _platelets(data: Path) -> Sample:
    names = [f"platelet_sbfsem_{number}_z0" for number in (24, 50)]
    images, cells = (
        np.concatenate(
            [_stack(read_array(data / "platelets" / f"{name}_{kind}.tif")[0]) for name in names]
        )
        for kind in ("image", "cells")
    )
    return Sample(images, cells)


def _hela(data: Path) -> Sample:
    image, truth = (read_array(path)[0] for path in hela_folders(data))
    chosen = [46, 50, 55]
    return Sample(image[chosen], truth[chosen])


def _synthetic(_: Path) -> Sample:
    from napari_copnet.synthetic import sample_stack

    tissue, chosen = sample_stack(), [1, 5, 10]
    return Sample(
        np.asarray(tissue.stack.data)[chosen],
        tissue.contours[chosen].astype(np.uint8),
        tissue.excluded[chosen],
    )


def _kind(kind: str, seed: int) -> Callable[[Path], Sample]:
    def make(_: Path) -> Sample:
        from napari_copnet.synthetic import make_tissue, random_tissue_params

        params = random_tissue_params(np.random.default_rng(seed), kind=kind)
        tissue = make_tissue(replace(params, slices=3, size=512, padding=0.0), seed=seed)
        return Sample(
            np.asarray(tissue.stack.data), tissue.contours.astype(np.uint8), tissue.excluded
        )

    return make


def _stack(image: np.ndarray) -> np.ndarray:
    return image[None] if image.ndim == 2 else image


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "fib25": _volume(
        "fib25", "raw.tif", "instances.tif", tuple(FIB25.validation[i] for i in (0, 17, -1))
    ),
    "isbi2012": _isbi,
    "synthetic": _synthetic,
    "chm-sbfsem": _chm,
    "platelets": _platelets,
    "hela": _hela,
    "gala": _volume("gala-fibsem", "test-image.tif", "test-instances-3d.tif", (5, 25, 45)),
    "snemi3d": _volume("snemi3d", "raw.tif", "instances.tif", (60, 64, 69)),
    "tumour1": _kind("tumour", 9001),
    "tumour2": _kind("tumour", 9002),
    "cortex": _kind("cortex", 9001),
}


def sizes_of(sample: Sample) -> list[int]:
    """Return those of `SIZES` that are worth trying for a sample."""
    longer = max(sample.image.shape[1:])
    enlarged = 3.1 if longer < SMALL else 2.0
    return [size for size in SIZES if longer / 8 <= size <= enlarged * longer]


def measure(
    sample: Sample,
    size: int,
    settings: Settings,
    networks: dict[str, Network],
    frames: dict[str, Sample],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Take a sample through all steps at a size; return maps as networks saw them, and scores.

    Parameters
    ----------
    sample : Sample
    size : int
    settings : Settings
    networks : dict
        Loaded ones, by kind.
    frames : dict of str to Sample
        In whose frames results are scored: the sample itself, or with other pixels.
    """
    settings = replace(settings, preprocess=PreprocessParams(size=size, align=False))
    start = time.monotonic()
    result = finish(
        run(Stack(sample.image), settings, load=lambda package, _: networks[package.kind])
    )
    seconds = time.monotonic() - start
    cheap = finish(close(result.contours, networks["closing"], CHEAP))
    scores = {}
    for name, frame_sample in frames.items():
        placed = replace(
            result.preprocessed.frame,
            original_shape=frame_sample.image.shape,
        )
        there = replace(result, preprocessed=replace(result.preprocessed, frame=placed))
        restored = finish(restore(there))
        found = finish(
            evaluate(restored.closed, frame_sample.truth, exclude_pixels=frame_sample.excluded)
        )
        scores[name] = found.as_dict()
    maps = {
        "contours": np.round(result.contours * 255).astype(np.uint8),
        "closed": np.round(result.closing.probability * 255).astype(np.uint8),
        "mask": result.closing.mask,
        "cheap": cheap.mask,
        "cheap_probability": np.round(cheap.probability * 255).astype(np.uint8),
        "cells": result.cells.labels,
    }
    membrane = [
        membrane_width(np.asarray(one), probability)
        for one, probability in zip(result.preprocessed.data, result.contours, strict=True)
    ]
    return maps, {"size": size, "seconds": seconds, "scores": scores, "membrane": membrane}


@dataclass(frozen=True)
class Judged:
    """A choice beside the best size of a data set.

    Attributes
    ----------
    name, scale : str
    labelled : dict of int to float
        By size.
    scores : dict of int to float
        The measure of each size.
    """

    name: str
    scale: str
    labelled: dict[int, float]
    scores: dict[int, float]

    @property
    def chosen(self) -> int:
        """The size with the best score."""
        return max(self.scores, key=lambda size: self.scores[size])

    @property
    def lost(self) -> float:
        """How many fewer cells are labelled at the chosen size than at the best one, 0 to 1."""
        return max(self.labelled.values()) - self.labelled[self.chosen]

    def __str__(self) -> str:
        best = max(self.labelled, key=lambda size: self.labelled[size])
        each = ", ".join(
            f"{size}: {self.labelled[size]:.3f} ({self.scores[size]:.1f})" for size in self.labelled
        )
        return (
            f"{self.name} x{self.scale}: chosen {self.chosen}, best {best}, "
            f"{100 * self.lost:.1f} points lost; {each}"
        )


def judge(folder: Path) -> list[Judged]:
    """Choose a size for each data set from the maps kept in a folder, and compare.

    Where some sizes were taken on the first slice alone, that slice stands for all.
    """
    kept: dict[tuple[str, str], dict[int, Path]] = {}
    for path in folder.glob("*.npz"):
        name, label, size = path.stem.rsplit("-", 2)
        kept.setdefault((name, label), {})[int(size)] = path
    found = []
    for (name, _), paths in sorted(kept.items()):
        sizes = sorted(paths)
        seen, facts = zip(*(_kept(paths[size]) for size in sizes), strict=True)
        slices = min(len(one) for one in seen)
        measures = measure_sizes(sizes, [one[:slices] for one in seen])
        scores = {size: one["score"] for size, one in zip(sizes, measures, strict=True)}
        for scale in set.intersection(*(set(one["scores"]) for one in facts)):
            by_slice = [one["scores"][scale]["slices"][:slices] for one in facts]
            labelled = {
                size: float(np.mean([row["labelled"] for row in rows]))
                for size, rows in zip(sizes, by_slice, strict=True)
            }
            found.append(Judged(name, scale, labelled, scores))
    return found


def _kept(path: Path) -> tuple[list[Seen], dict[str, Any]]:
    """Return the slices of a file as the choice would see them, and what was measured."""
    with np.load(path, allow_pickle=False) as archive:
        facts = json.loads(str(archive["facts"]))
        contours, closed = archive["contours"].astype(np.float32) / 255, archive["cheap"] > 0
    whole = contours.shape[1:]
    box = tuple(middle(side) for side in whole)
    share = tuple((part.stop - part.start) / side for part, side in zip(box, whole, strict=True))
    seen = [
        Seen(one[box], other[box], np.zeros(one[box].shape, bool), share, membrane)
        for one, other, membrane in zip(contours, closed, facts["membrane"], strict=True)
    ]
    return seen, facts


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the results that are missing in the work folder."""
    parser = argparse.ArgumentParser(prog="size_table", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="shipped", help="what to call these networks")
    parser.add_argument("--contour-model", default="default")
    parser.add_argument("--closing-model", default="default")
    parser.add_argument("--datasets", default=",".join(SAMPLES))
    parser.add_argument("--judge", action="store_true", help="choose from what is measured")
    chosen = parser.parse_args(arguments)
    if chosen.judge:
        for one in judge(chosen.work / chosen.name):
            sys.stdout.write(f"{one}\n")
        return 0
    if chosen.data is None:
        parser.error("--data is needed to measure")
    settings = Settings(
        contours=ContourParams(contour_model=chosen.contour_model),
        closing=ClosingParams(closing_model=chosen.closing_model),
        cells=CellParams(mode="slice"),
    )
    networks: dict[str, Network] = {}
    todo = []
    for name in chosen.datasets.split(","):
        sample = SAMPLES[name](chosen.data)
        half = sample.scaled(0.5)
        # Twice the pixels tell networks nothing new: what they see at a size is the same.
        frames = {"1": sample}
        if max(sample.image.shape[1:]) < LARGE:
            frames["2"] = sample.scaled(2.0)
        for label, seen, scored in (("1", sample, frames), ("0.5", half, {"0.5": half})):
            # At half the pixels large sizes show what they show of the whole, blurred.
            sizes = [size for size in sizes_of(seen) if label == "1" or size < ONE_SLICE]
            todo += [(size, name, label, seen, scored) for size in sizes]
    # Large sizes take most of the time, so they come last.
    for size, name, label, seen, scored in sorted(todo, key=lambda one: one[0]):
        path = chosen.work / chosen.name / f"{name}-{label}-{size}.npz"
        if path.exists():
            continue
        networks = networks or _networks(settings)
        if size >= ONE_SLICE:
            seen, scored = seen.first(), {name: one.first() for name, one in scored.items()}
        maps, facts = measure(seen, size, settings, networks, scored)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as beside, open(beside, "wb") as file:
            told = np.array(json.dumps(facts, default=float))
            np.savez_compressed(file, allow_pickle=False, facts=told, **maps)
        scores: dict[str, Any] = facts["scores"]
        labelled = {k: round(v["labelled"], 3) for k, v in scores.items()}
        sys.stderr.write(f"{name} x{label} {size}: {labelled} {facts['seconds']:.1f} s\n")
    return 0


def _networks(settings: Settings) -> dict[str, Network]:
    from napari_copnet.networks.package import find_model

    packages = {
        "contours": find_model(settings.contours.contour_model, "contours"),
        "closing": find_model(settings.closing.closing_model, "closing"),
    }
    return {kind: Network.load(package, settings.device) for kind, package in packages.items()}


if __name__ == "__main__":
    sys.exit(main())
