"""One slice of synthetic tissue with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class SyntheticSlice:
    """A slice of any kind of tissue; arrays have shape (Y, X).

    Attributes
    ----------
    image : ndarray, uint8
        As taken by the microscope.
    contour : ndarray, bool
        True on the contours between regions.
    regions : ndarray, uint32
        Cells from 1, and further numbers for what is no cell.
    excluded : ndarray, bool
        True in regions that scores leave out: vessel, haemorrhage, space between cells.
    ignored : ndarray, bool
        True where training leaves out the truth.
    """

    image: np.ndarray
    contour: np.ndarray
    regions: np.ndarray
    excluded: np.ndarray
    ignored: np.ndarray


class Block(Protocol):
    """A block of one kind of tissue, computed slice by slice."""

    def slice(
        self, number: float, y: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> SyntheticSlice:
        """Return the slice at `number` (slices from the top), rows `y` and columns `x`, px."""
        ...
