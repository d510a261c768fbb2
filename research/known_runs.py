"""Runs over stacks whose truth is known: what the queue is fitted to and measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour
from napari_copnet.io.read import read_image, read_stack
from napari_copnet.params import ClosingParams, PreprocessParams, Settings, TissueParams
from napari_copnet.pipeline import run as run_pipeline
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.session_start import Start, from_result
from napari_copnet.steps.fixed_size import DEFAULT_SIZE
from napari_copnet.steps.frame import to_processed
from napari_copnet.synthetic import make_tissue
from napari_copnet.types import Stack

_SIDE = 384


@dataclass(frozen=True)
class KnownRun:
    """What a session begins with, and the truth.

    Attributes
    ----------
    name : str
    start : Start
        In the frame that networks see.
    truth : ndarray, shape (Z, Y, X), bool
        True contour, in the same frame.
    """

    name: str
    start: Start
    truth: np.ndarray


def known_tissue(slices: int, seed: int) -> Steps[KnownRun]:
    """Run the default models on synthetic tissue; yields their progress."""
    tissue = make_tissue(TissueParams(slices=slices, size=_SIDE, vessel=False), seed=seed)
    name = f"synthetic tissue, seed {seed}"
    return (yield from _known(name, tissue.stack, tissue.cells == 0, "mask"))


def known_fib25(data: Path, first: int, last: int) -> Steps[KnownRun]:
    """Run the default models on slices of fib25, `last` included; yields their progress."""
    folder = _folder(data, "fib25", "raw.tif")
    stack = _part(read_stack(folder / "raw.tif"), first, last)
    truth = np.asarray(read_image(folder / "instances.tif").data)[first : last + 1]
    return (yield from _known(f"fib25, slices {first}-{last}", stack, truth, "labels"))


def known_isbi2012(data: Path, first: int, last: int) -> Steps[KnownRun]:
    """Run the default models on slices of isbi2012, `last` included; yields their progress."""
    folder = _folder(data, "isbi2012", "train-volume.tif")
    stack = _part(read_stack(folder / "train-volume.tif"), first, last)
    membrane = np.asarray(read_image(folder / "train-labels.tif").data)[first : last + 1] == 0
    return (yield from _known(f"isbi2012, slices {first}-{last}", stack, membrane, "mask"))


def _known(name: str, stack: Stack, truth: np.ndarray, kind: str) -> Steps[KnownRun]:
    settings = replace(
        Settings(),
        preprocess=PreprocessParams(size=DEFAULT_SIZE, align=False),
        closing=ClosingParams(keep_iterations=True),
    )
    result = yield from run_pipeline(stack, settings)
    frame = result.preprocessed.frame
    if kind == "labels":
        contour = as_contour(to_processed(truth, frame, "labels"), "labels")
    else:
        contour = to_processed(truth.astype(np.uint8), frame, "mask")
    yield Progress("truth", 1, 1, "stacks")
    return KnownRun(name, from_result(result, None, settings), contour > 0)


def _folder(data: Path, name: str, file: str) -> Path:
    if not (data / name / file).is_file():
        raise InputError(f"There is no {name}/{file} in {data}.", f"Name the folder above {name}.")
    return data / name


def _part(stack: Stack, first: int, last: int) -> Stack:
    return replace(stack, data=np.asarray(stack.data)[first : last + 1], source=None)
