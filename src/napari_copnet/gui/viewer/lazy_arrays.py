"""Arrays for layers that are computed for the slice in view, so that results are held only once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.restored import slice_frame
from napari_copnet.steps.frame import to_original
from napari_copnet.types import Frame

# Resizing a larger slice takes longer than the window may stand still (2048² px: 0.15 s).
LARGEST_PLANE = 1 << 20


class Grid:
    """The pixels on which results are shown over an image layer.

    Parameters
    ----------
    frame : Frame
        Of the run.

    Attributes
    ----------
    shown : Frame
        From the processed pixels to those of the grid.

    Notes
    -----
    The pixels of the original stack, unless its slices are so large that resizing the one in
    view would be felt. Then the processed pixels, moved back by whole pixels slice by slice and
    stretched over the original by the layer's scale: the same place, at the resolution at which
    the results exist. `flat` leaves out z, for a layer that is a single image.
    """

    def __init__(self, frame: Frame, flat: bool = False) -> None:
        self.frame = frame
        self.flat = flat
        depth, height, width = frame.original_shape
        self.is_original = height * width <= max(
            LARGEST_PLANE, math.prod(frame.processed_shape[1:])
        )
        self.shape = frame.original_shape if self.is_original else frame.processed_shape
        # Same shape on both sides: the shifts are undone, nothing is resized.
        self.shown = (
            frame
            if self.is_original
            else Frame((depth, *frame.processed_shape[1:]), frame.processed_shape, frame.shifts)
        )

    def is_for(self, frame: Frame) -> bool:
        """Return whether results in this frame lie on the same pixels."""
        mine = self.frame
        return (
            mine.original_shape == frame.original_shape
            and mine.processed_shape == frame.processed_shape
            and np.array_equal(mine.shifts, frame.shifts)
        )

    def plane(self, values: np.ndarray, z: int, kind: str) -> np.ndarray:
        """Bring one processed slice, shape (Y, X), onto the grid; `kind` as for `to_original`."""
        frame = slice_frame(self.shown, z)
        return to_original(values[None], frame, kind)[0]

    def array(
        self, lead: tuple[int, ...], dtype: Any, plane: Callable[..., np.ndarray]
    ) -> LazyArray:
        """Return an array of shape ``(*lead, Z, Y, X)`` for a layer; `plane` takes lead and z."""
        if self.flat:
            return LazyArray((*lead, *self.shape[1:]), dtype, lambda *at: plane(*at, 0))
        return LazyArray((*lead, *self.shape), dtype, plane)

    def placed(self, scale: np.ndarray, translate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scale and translate of a layer on this grid over a layer with these.

        Parameters
        ----------
        scale, translate : ndarray, shape (3,)
            Of the image layer, along z, y, x.
        """
        stretch = np.divide(self.frame.original_shape, self.shape)
        return scale * stretch, translate + scale * (stretch - 1) / 2


class Iterations:
    """Contour probability by iteration, each slice held once for as long as it does not change.

    Parameters
    ----------
    start : sequence of ndarray, shape (Y, X), float16
        Step 1: iteration 0.
    most_bytes : int
        When the iterations have grown to this, a further one replaces the newest.

    Attributes
    ----------
    numbers : list of int
        Number of each iteration held.
    dropped : int
        Iterations replaced for want of memory.
    """

    def __init__(self, start: list[np.ndarray], most_bytes: int) -> None:
        self.numbers = [0]
        self.dropped = 0
        self._slices: list[list[np.ndarray]] = [list(start)]
        self._bytes = sum(image.nbytes for image in start)
        self._most_bytes = most_bytes

    def __len__(self) -> int:
        return len(self._slices)

    def add(self, number: int, changed: dict[int, np.ndarray]) -> None:
        """Add an iteration, given as the slices that took part in it, by their index.

        One that is there already starts a new closing: it and those behind it are dropped.
        """
        while len(self) > 1 and self.numbers[-1] >= number:
            gone = self._slices.pop()
            self.numbers.pop()
            self._bytes -= sum(
                image.nbytes
                for image, before in zip(gone, self._slices[-1], strict=True)
                if image is not before
            )
        new = list(self._slices[-1])
        for z, image in changed.items():
            new[z] = image
        size = sum(image.nbytes for image in changed.values())
        if self._bytes + size > self._most_bytes and len(self) > 1:
            self._slices[-1], self.numbers[-1] = new, number
            self.dropped += 1
            return
        self._slices.append(new)
        self.numbers.append(number)
        self._bytes += size

    def slice(self, iteration: int, z: int) -> np.ndarray:
        """Return a slice by position in `numbers` and z, processed frame, float16."""
        return self._slices[iteration][z]

    def probability(self, grid: Grid) -> LazyArray:
        """Return the contour probability for a layer, shape (I, Z, Y, X), float16."""
        slices = list(self._slices)
        return grid.array(
            (len(slices),),
            np.float16,
            lambda i, z: grid.plane(slices[i][z], z, "probability"),
        )

    def original(self, frame: Frame) -> LazyArray:
        """Return the contour probability in the original frame, shape (I, Z, Y, X), float16.

        What comes later is not in it: it can be read in a thread.
        """
        slices = list(self._slices)
        return LazyArray(
            (len(slices), *frame.original_shape),
            np.float16,
            lambda i, z: to_original(
                slices[i][z][None].astype(np.float32), slice_frame(frame, z), "probability"
            )[0],
        )
