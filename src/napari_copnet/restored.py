"""Results in the frame and size of the stack that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.frame import soft_contour, to_original
from napari_copnet.types import Cells, Closing, Frame, Preprocessed


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
    """Return a run's results in the frame of its stack; each slice is computed when it is read.

    Cells are cleared under the closed contour, so that the two agree at any size. Everything
    is 0 in padding.
    """
    shape = result.preprocessed.frame.original_shape
    kept = result.closing.iterations
    return Restored(
        LazyArray(shape, np.float32, ProbabilityPlane(result.preprocessed, result.contours)),
        LazyArray(shape, np.uint8, _closed_plane(result)),
        LazyArray(shape, np.uint32, CellsPlane(_closed_plane(result), result.cells)),
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
    plane = CellsPlane(_closed_plane(result), result.cells)
    for z in range(len(closed)):
        closed[z] = plane.closed(z)
        cells[z] = plane.beside(z, closed[z])
    yield Progress("restore", 3, total, "images")
    iterations = None
    if kept is not None:
        iterations = np.empty(kept.shape, np.float16)
        for number, target in enumerate(iterations):
            target[:] = kept[number]
            yield Progress("restore", 4 + number, total, "images")
    return Restored(contours, closed, cells, iterations)


@dataclass(frozen=True)
class ProbabilityPlane:
    """Slices of the Step 1 probability in the original frame, float32: of a `LazyArray`."""

    ready: Preprocessed
    contours: Any

    def __call__(self, z: int) -> np.ndarray:
        return _probability(self.ready, self.contours[z], z)


@dataclass(frozen=True)
class ClosedPlane:
    """Slices of the closed contour in the original frame, uint8: of a `LazyArray`."""

    ready: Preprocessed
    contours: Any
    closing: Closing

    def __call__(self, z: int) -> np.ndarray:
        frame, mask = slice_frame(self.ready.frame, z), np.asarray(self.closing.mask[z])[None]
        soft = None
        if any(n < m for n, m in zip(frame.original_shape, frame.processed_shape, strict=True)):
            # Only a mask that shrinks depends on it.
            soft = soft_contour(
                mask,
                np.asarray(self.closing.probability[z])[None],
                np.asarray(self.contours[z])[None],
            )
        return _cleared(to_original(mask, frame, "mask", soft)[0], self.ready, z)


@dataclass(frozen=True)
class CellsPlane:
    """Slices of the cells in the original frame, uint32; 0 under the closed contour."""

    closed: ClosedPlane
    cells: Cells

    def __call__(self, z: int) -> np.ndarray:
        return self.beside(z, self.closed(z))

    def beside(self, z: int, closed: np.ndarray) -> np.ndarray:
        """Return the cells of a slice whose closed contour is known."""
        ready = self.closed.ready
        labels = np.asarray(self.cells.labels[z])[None]
        labels = to_original(labels, slice_frame(ready.frame, z), "labels")[0]
        labels[closed > 0] = 0
        return _cleared(labels, ready, z)


@dataclass(frozen=True)
class _Iterations:
    result: RunResult

    def __call__(self, number: int, z: int) -> np.ndarray:
        kept: Any = self.result.closing.iterations
        image = np.asarray(kept[number, z]).astype(np.float32)
        return _probability(self.result.preprocessed, image, z).astype(np.float16)


def _closed_plane(result: RunResult) -> ClosedPlane:
    return ClosedPlane(result.preprocessed, result.contours, result.closing)


def slice_frame(frame: Frame, z: int) -> Frame:
    """Return the frame of one slice, as a stack of depth 1."""
    return Frame(
        (1, *frame.original_shape[1:]), (1, *frame.processed_shape[1:]), frame.shifts[z : z + 1]
    )


def _probability(ready: Preprocessed, image: Any, z: int) -> np.ndarray:
    image = np.asarray(image)[None]
    frame = slice_frame(ready.frame, z)
    return _cleared(to_original(image, frame, "probability")[0], ready, z)


def _cleared(image: np.ndarray, ready: Preprocessed, z: int) -> np.ndarray:
    """Set a slice to 0 where the original has padding; return it."""
    padding = ready.original_padding(z)
    if padding is not None:
        image[padding] = 0
    return image
