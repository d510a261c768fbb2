"""Results in the frame and size of the stack that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.frame import cells_to_original, soft_contour, to_original
from napari_copnet.types import Frame


@dataclass(frozen=True)
class Restored:
    """Results in the frame and size of the original stack: arrays of shape (Z, Y, X).

    Attributes
    ----------
    contours : array, float32
        Contour probability of Step 1.
    closed : array, uint8
        Closed contour.
    cells : array, uint32
        Cells; none lies under the closed contour.
    iterations : array, shape (I, Z, Y, X), float16, or None
        Contour probability by iteration.
    """

    contours: Any
    closed: Any
    cells: Any
    iterations: Any = None


def restored_lazily(result: RunResult) -> Restored:
    """Return a run's results in the frame of its stack, each slice made when it is asked for.

    Cells are cleared under the closed contour, so that the two agree at any size, and all is 0 in
    padding.
    """
    shape = result.preprocessed.frame.original_shape
    kept = result.closing.iterations
    return Restored(
        LazyArray(shape, np.float32, _Contours(result)),
        LazyArray(shape, np.uint8, _Closed(result)),
        LazyArray(shape, np.uint32, _Cells(result)),
        None
        if kept is None
        else LazyArray((kept.shape[0], *shape), np.float16, _Iterations(result)),
    )


def restore(result: RunResult) -> Steps[Restored]:
    """Bring a run's results into the frame and size of the stack that was given, in memory.

    Parameters
    ----------
    result : RunResult

    Yields
    ------
    Progress
        In images.

    Returns
    -------
    Restored
        Of NumPy arrays; see `restored_lazily`.
    """
    lazy = restored_lazily(result)
    kept = lazy.iterations
    total = 3 + (0 if kept is None else kept.shape[0])
    yield Progress("restore", 0, total, "images")
    contours = np.asarray(lazy.contours)
    yield Progress("restore", 1, total, "images")
    closed = np.empty(lazy.closed.shape, np.uint8)
    cells = np.empty(lazy.cells.shape, np.uint32)
    for z in range(len(closed)):
        cells[z], closed[z] = _cells_and_closed(result, z)
    yield Progress("restore", 3, total, "images")
    iterations = None
    if kept is not None:
        iterations = np.empty(kept.shape, np.float16)
        for number, target in enumerate(iterations):
            target[:] = kept[number]
            yield Progress("restore", 4 + number, total, "images")
    return Restored(contours, closed, cells, iterations)


@dataclass(frozen=True)
class _Contours:
    result: RunResult

    def __call__(self, z: int) -> np.ndarray:
        return _probability(self.result, self.result.contours[z], z)


@dataclass(frozen=True)
class _Iterations:
    result: RunResult

    def __call__(self, number: int, z: int) -> np.ndarray:
        kept: Any = self.result.closing.iterations
        image = np.asarray(kept[number, z]).astype(np.float32)
        return _probability(self.result, image, z).astype(np.float16)


@dataclass(frozen=True)
class _Closed:
    result: RunResult

    def __call__(self, z: int) -> np.ndarray:
        return _cells_and_closed(self.result, z)[1]


@dataclass(frozen=True)
class _Cells:
    result: RunResult

    def __call__(self, z: int) -> np.ndarray:
        return _cells_and_closed(self.result, z)[0]


def _frame(result: RunResult, z: int) -> Frame:
    """Return the frame of one slice."""
    frame = result.preprocessed.frame
    return Frame(
        (1, *frame.original_shape[1:]), (1, *frame.processed_shape[1:]), frame.shifts[z : z + 1]
    )


def _probability(result: RunResult, image: Any, z: int) -> np.ndarray:
    image = np.asarray(image)[None]
    return _cleared(to_original(image, _frame(result, z), "probability")[0], result, z)


def _cells_and_closed(result: RunResult, z: int) -> tuple[np.ndarray, np.ndarray]:
    closing = result.closing
    mask = np.asarray(closing.mask[z])[None]
    soft = soft_contour(
        mask, np.asarray(closing.probability[z])[None], np.asarray(result.contours[z])[None]
    )
    labels = np.asarray(result.cells.labels[z])[None]
    cells, closed = cells_to_original(labels, mask, _frame(result, z), soft)
    return _cleared(cells[0], result, z), _cleared(closed[0], result, z)


def _cleared(image: np.ndarray, result: RunResult, z: int) -> np.ndarray:
    """Set a slice to 0 where the original has padding; return it."""
    padding = result.preprocessed.original_padding(z)
    if padding is not None:
        image[padding] = 0
    return image
