"""What closing has made so far of each slice: planes of `lazy_array.LazyArray`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Now:
    """What came of the last iteration of a slice; Step 1 for those that took part in none."""

    start: Any
    result: Any
    counts: tuple[int, ...]

    def __call__(self, z: int) -> np.ndarray:
        return np.asarray((self.result if self.counts[z] else self.start)[z])


@dataclass(frozen=True)
class OfIteration:
    """What came of each iteration, as it was kept; converged slices stay as they were.

    Attributes
    ----------
    first : array, shape (Z, Y, X), float16
        Step 1.
    kept : tuple of array, shape (Z, Y, X), float16
        One for each later iteration; only slices that took part are there.
    counts : tuple of int
        Iterations of each slice.
    likely_gaps : bool
        Whether the last one closed likely gaps, in which all slices took part.
    """

    first: Any
    kept: tuple[Any, ...]
    counts: tuple[int, ...]
    likely_gaps: bool

    def __call__(self, number: int, z: int) -> np.ndarray:
        if not (self.likely_gaps and number == len(self.kept)):
            number = min(number, self.counts[z])
        return np.asarray((self.kept[number - 1] if number else self.first)[z])
