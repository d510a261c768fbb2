"""The probability from which Step 1 counts as contour, where it is not one half."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.progress import Progress
from napari_copnet.types import CONTOUR_ABOVE, SliceResult


def at_threshold(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return a contour probability that is above one half where the given one is above `threshold`.

    All that comes after Step 1 takes what is above one half for contour, and the closing network
    knows maps of which that is true. So the odds of each pixel are divided by those of the
    threshold t, a constant added to the logit: p (1 - t) / (p (1 - t) + (1 - p) t).

    Parameters
    ----------
    probability : ndarray, any shape, float
        0 to 1.
    threshold : float
        Above 0 and below 1. At one half the same array is returned.

    Returns
    -------
    ndarray of the same shape, float32
        0 and 1 stay as they are, and so does the order of pixels.
    """
    if threshold == CONTOUR_ABOVE:
        return probability
    p = np.asarray(probability, np.float32)
    above, below = p * np.float32(1 - threshold), (1 - p) * np.float32(threshold)
    moved: np.ndarray = above / (above + below)
    return moved


@dataclass(frozen=True)
class AtThreshold:
    """Slices of a contour probability (Z, Y, X), as `at_threshold` returns them."""

    contours: Any
    threshold: float

    def __call__(self, z: int) -> np.ndarray:
        return at_threshold(np.asarray(self.contours[z]), self.threshold)


def stack_at_threshold(contours: Any, threshold: float) -> Any:
    """Return a stack (Z, Y, X) as `at_threshold` does: lazy, unless it is an array in memory."""
    if threshold == CONTOUR_ABOVE:
        return contours
    if isinstance(contours, np.ndarray):
        return at_threshold(contours, threshold)
    shape = tuple(int(n) for n in contours.shape)
    return LazyArray(shape, np.float32, AtThreshold(contours, threshold))


def told_at_threshold(progress: Progress, threshold: float) -> Progress:
    """Return the progress of Step 1 with its slices, or its stack, as `at_threshold` does."""
    partial = progress.partial
    if isinstance(partial, SliceResult):
        partial = replace(partial, values=at_threshold(partial.values, threshold))
    elif hasattr(partial, "shape"):
        partial = stack_at_threshold(partial, threshold)
    return replace(progress, partial=partial)
