"""All steps in order: the Python API behind the command line and the window.

`run` takes a stack once through preprocess, contours, closing and cells, in the processed frame.
`restore` brings the results back into the frame of the stack that was given.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from napari_copnet.cache import MemoryCache, StageCache
from napari_copnet.io.check import check_pixels
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    as_dict,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import label_cells
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.frame import cells_to_original, soft_contour, to_original
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.types import Cells, Closing, Preprocessed, Stack

Value = TypeVar("Value")


@dataclass(frozen=True)
class Settings:
    """The settings of every step of a run."""

    preprocess: PreprocessParams = PreprocessParams()
    device: DeviceParams = DeviceParams()
    contours: ContourParams = ContourParams()
    closing: ClosingParams = ClosingParams()
    cells: CellParams = CellParams()

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the settings as plain values, one group for each step."""
        return {name: as_dict(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class RunResult:
    """What a run made, in the processed frame.

    Attributes
    ----------
    stack : Stack
        The stack that was given.
    preprocessed : Preprocessed
        What the networks saw, its frame and margin.
    contours : ndarray, shape (Z, Y, X), float32
        Contour probability of Step 1.
    closing : Closing
        Closed contours and how they came about.
    cells : Cells
        Instance labels.
    models : dict
        The model of each of ``"contours"`` and ``"closing"``.
    seconds : dict
        Time each step took; a step taken from an earlier run has none.
    notes : tuple of str
        Sentences for the user.
    """

    stack: Stack
    preprocessed: Preprocessed
    contours: np.ndarray
    closing: Closing
    cells: Cells
    models: dict[str, ModelPackage]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Restored:
    """Results in the frame and size of the original stack: arrays of shape (Z, Y, X)."""

    contours: np.ndarray
    closed: np.ndarray
    cells: np.ndarray
    iterations: np.ndarray | None = None


def run(
    stack: Stack,
    settings: Settings = Settings(),
    *,
    cache: StageCache | None = None,
    repair: bool = False,
    first: int = 0,
    load: Callable[[ModelPackage, DeviceParams], Network] = Network.load,
) -> Steps[RunResult]:
    """Take a stack through all steps.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X); never changed.
    settings : Settings
        Of every step.
    cache : StageCache, optional
        Where steps' results are kept; only the steps behind a changed setting run again.
    repair : bool
        Fill NaN and infinite pixels instead of stopping.
    first : int
        Slice whose surroundings are predicted first.
    load : callable
        Loads a network on a device.

    Yields
    ------
    Progress
        Of each step in turn; `Progress.partial` grows as `SliceResult` and `Iteration`, and is
        the finished `Preprocessed`, `Closing` or `Cells` at the end of a step.

    Raises
    ------
    CopnetError
        A stack that can't be used, an unknown model, a device that is absent; before work starts.
    """
    cache = cache if cache is not None else MemoryCache()
    models = {
        "contours": find_model(settings.contours.contour_model, "contours"),
        "closing": find_model(settings.closing.closing_model, "closing"),
    }
    seconds: dict[str, float] = {}
    yield Progress("check", 0, 1, "stacks")
    stack = check_pixels(stack, repair)
    key = _key(stack_hash(stack), stack.voxel_size, stack.axes)

    def stage(
        name: str, parts: tuple[Any, ...], work: Callable[[], Steps[Value]]
    ) -> Generator[Progress, None, Value]:
        nonlocal key
        key = _key(key, name, parts)
        kept = cache.get(name, key)
        if kept is None:
            start = time.monotonic()
            kept = yield from work()
            seconds[name] = time.monotonic() - start
            cache.put(name, key, kept)
        yield Progress(name, 1, 1, partial=kept)
        return kept

    ready = yield from stage(
        "preprocess", (settings.preprocess,), lambda: preprocess(stack, settings.preprocess)
    )
    contours = yield from stage(
        "contours",
        (settings.contours, settings.device, models["contours"].sha256),
        lambda: predict_contours(
            ready.data,
            load(models["contours"], settings.device),
            settings.contours,
            first=first,
            skip=ready.blank,
        ),
    )
    closing = yield from stage(
        "closing",
        (settings.closing, settings.device, models["closing"].sha256),
        lambda: close(
            contours,
            load(models["closing"], settings.device),
            settings.closing,
            skip=ready.blank,
        ),
    )
    cells = yield from stage(
        "cells",
        (settings.cells,),
        lambda: label_cells(
            closing.mask,
            settings.cells,
            excluded=_blank_mask(ready) if ready.blank else None,
        ),
    )
    return RunResult(
        stack, ready, contours, closing, cells, models, seconds, (*stack.notes, *ready.notes)
    )


def restore(result: RunResult) -> Steps[Restored]:
    """Bring a run's results into the frame and size of the stack that was given.

    Cells are cleared under the closed contour, so that the two agree at any size.
    """
    frame = result.preprocessed.frame
    kept = result.closing.iterations
    total = 3 + (0 if kept is None else len(kept))
    yield Progress("restore", 0, total, "images")
    contours = to_original(result.contours, frame, "probability")
    yield Progress("restore", 1, total, "images")
    closing = result.closing
    soft = soft_contour(closing.mask, closing.probability, result.contours)
    cells, closed = cells_to_original(result.cells.labels, closing.mask, frame, soft)
    yield Progress("restore", 3, total, "images")
    iterations = None
    if kept is not None:
        iterations = np.empty((len(kept), *frame.original_shape), np.float16)
        for number, probability in enumerate(kept):
            iterations[number] = to_original(probability.astype(np.float32), frame, "probability")
            yield Progress("restore", 4 + number, total, "images")
    return Restored(contours, closed, cells, iterations)


def stack_hash(stack: Stack) -> str:
    """Return the SHA-256 of a stack's grey values and shape, read slice by slice."""
    digest = hashlib.sha256(repr((stack.shape, str(stack.data.dtype))).encode())
    for z in range(stack.shape[0]):
        digest.update(np.ascontiguousarray(stack.data[z]).tobytes())
    return digest.hexdigest()


def _key(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=as_dict)
    return hashlib.sha256(text.encode()).hexdigest()


def _blank_mask(ready: Preprocessed) -> np.ndarray:
    mask = np.zeros(ready.data.shape, bool)
    mask[list(ready.blank)] = True
    return mask
