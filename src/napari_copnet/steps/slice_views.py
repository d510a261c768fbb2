"""Slices made when they are asked for, from arrays on disk: planes of `lazy_array.LazyArray`.

They may be sent to other processes, so they hold nothing but arrays and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.padding.fill import fill_mirrored
from napari_copnet.steps.certainty import Certainty
from napari_copnet.steps.frame import margin, moved, shift_mirrored
from napari_copnet.types import Frame, Preprocessed


def inverted(image: np.ndarray, normalised: bool = True) -> np.ndarray:
    """Return a slice with dark and light exchanged.

    Parameters
    ----------
    image : ndarray, shape (Y, X), float32
    normalised : bool
        The negative is returned for z-scores; other values are mirrored within their range.
    """
    return -image if normalised else image.max() + image.min() - image


@dataclass(frozen=True)
class Shifted:
    """Slices of an array (Z, Y, X), moved by whole pixels (Z, 2).

    What comes free is filled by mirroring, or is 0.
    """

    array: Any
    shifts: np.ndarray
    mirrored: bool

    def __call__(self, z: int) -> np.ndarray:
        image, (dy, dx) = np.asarray(self.array[z]), self.shifts[z]
        if not (dy or dx):
            return image
        shift = int(dy), int(dx)
        return shift_mirrored(image, shift) if self.mirrored else moved(image, shift, "labels")


@dataclass(frozen=True)
class Margin:
    """Where shifts left no data in a slice, and its padding; bool."""

    frame: Frame
    padding: Any

    def __call__(self, z: int) -> np.ndarray:
        _, *plane = self.frame.processed_shape
        one = Frame((1, *plane), (1, *plane), self.frame.shifts[z : z + 1])  # type: ignore[arg-type]
        outside = margin(one)[0]
        return outside if self.padding is None else outside | np.asarray(self.padding[z])


@dataclass(frozen=True)
class Inverted:
    """Slices with dark and light exchanged, but for blank ones."""

    array: Any
    blank: tuple[int, ...]
    normalised: bool

    def __call__(self, z: int) -> np.ndarray:
        image = np.asarray(self.array[z])
        return image if z in self.blank else inverted(image, self.normalised)


@dataclass(frozen=True)
class WithoutCells:
    """The pixels of a slice without cells: all of a blank slice, and padding; bool."""

    shape: tuple[int, int, int]
    blank: tuple[int, ...]
    padding: Any

    def __call__(self, z: int) -> np.ndarray:
        if z in self.blank:
            return np.ones(self.shape[1:], bool)
        if self.padding is None:
            return np.zeros(self.shape[1:], bool)
        return np.asarray(self.padding[z])


@dataclass(frozen=True)
class Start:
    """The Step 1 probability that closing begins with, float32.

    Padding is filled by mirroring, and the certainty changed.
    """

    contours: Any
    padding: Any
    certainty: Certainty

    def __call__(self, z: int) -> np.ndarray:
        image = np.asarray(self.contours[z], np.float32)
        if self.padding is not None:
            image = fill_mirrored(image, np.asarray(self.padding[z]))
        return self.certainty.of(image[None])[0] if self.certainty.changes else image


@dataclass(frozen=True)
class Cleared:
    """Slices of an array with 0 in padding, as another type."""

    array: Any
    padding: Any
    dtype: Any = np.float32

    def __call__(self, z: int) -> np.ndarray:
        image = np.asarray(self.array[z])
        if self.padding is not None:
            image = np.where(np.asarray(self.padding[z]), image.dtype.type(0), image)
        return image.astype(self.dtype, copy=False)


def without_cells(ready: Preprocessed) -> Any:
    """Return the pixels of a processed stack without cells (Z, Y, X): blank slices and padding."""
    if not ready.blank:
        return ready.padding
    plane = WithoutCells(ready.frame.processed_shape, ready.blank, ready.padding)
    mask = LazyArray(ready.frame.processed_shape, bool, plane)
    return np.asarray(mask) if isinstance(ready.data, np.ndarray) else mask
