"""The shape of an area that may be padding: whether it is straight, and whether it bulges."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from skimage import measure
from skimage.morphology import convex_hull_image

# Largest distance of an outline from a straight line, px.
TOLERANCE = 1.2
# Least length of straight pieces, relative to the square root of the area. A disc of radius 25 px
# has .35, larger ones less; the sides of a square have 1.
LONG = 0.6
# Their least length in px: short outlines always look straight.
SHORTEST = 20
# Least share of straight pieces in the outline.
MOSTLY = 0.6
# Resolution at which hulls are computed, px per side.
HULL_SIDE = 256


def is_straight(area: np.ndarray) -> bool:
    """Return whether the outline of an area, inside the slice, consists of straight lines.

    The outline is approximated by a polygon, using the algorithm of Douglas and Peucker (1973).

    Parameters
    ----------
    area : ndarray, shape (Y, X), bool
    """
    least = max(SHORTEST, LONG * np.sqrt(np.count_nonzero(area)))
    straight = total = 0.0
    # Curves end at the border of the slice, which is not part of the outline.
    for curve in measure.find_contours(area.astype(np.float32), 0.5):
        corners = measure.approximate_polygon(curve, TOLERANCE)
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        total += float(lengths.sum())
        straight += float(lengths[lengths >= least].sum())
    return total > 0 and straight >= MOSTLY * total


class Hull:
    """The convex hull of the tissue of a slice, computed on first use.

    Parameters
    ----------
    tissue : ndarray, shape (Y, X), bool
    """

    def __init__(self, tissue: np.ndarray) -> None:
        self._step = max(1, -(-max(tissue.shape) // HULL_SIDE))
        self._tissue = tissue[:: self._step, :: self._step]

    @cached_property
    def _hull(self) -> np.ndarray:
        return convex_hull_image(self._tissue) if self._tissue.any() else self._tissue

    def beyond(self, rows: np.ndarray, columns: np.ndarray) -> float:
        """Return the share of an area, given by its pixels, that lies outside the hull, 0 to 1.

        Near 1 for an area around a piece of tissue, 0 for one that bulges into it.
        """
        return float(np.mean(~self._hull[rows // self._step, columns // self._step]))
