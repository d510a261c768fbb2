"""The shape of an area that may be padding: is it straight, does it bulge, where does it end?"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from skimage import measure
from skimage.morphology import convex_hull_image

# How far an outline may lie from a straight line, px.
TOLERANCE = 1.2
# Straight pieces are so long against the root of the area. A disc of radius 25 px has .35, larger
# ones less; the pieces of a square have 1.
LONG = 0.6
# And no shorter than so much: of few pixels anything looks straight.
SHORTEST = 20
# Share of the outline that consists of straight pieces.
MOSTLY = 0.6
# Hulls are taken at so many pixels a side: they need no more.
HULL_SIDE = 256


def is_straight(area: np.ndarray) -> bool:
    """Return whether the outline of an area, inside of the slice, consists of straight lines.

    The outline is brought to a polygon by the algorithm of Douglas and Peucker (1973).

    Parameters
    ----------
    area : ndarray, shape (Y, X), bool
    """
    least = max(SHORTEST, LONG * np.sqrt(np.count_nonzero(area)))
    straight = total = 0.0
    # Curves end at the border of the slice, which is no outline.
    for curve in measure.find_contours(area.astype(np.float32), 0.5):
        corners = measure.approximate_polygon(curve, TOLERANCE)
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        total += float(lengths.sum())
        straight += float(lengths[lengths >= least].sum())
    return total > 0 and straight >= MOSTLY * total


class Hull:
    """The convex hull of the tissue of a slice, made when first asked for.

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
        """Return which share of an area, given by its pixels, lies outside of the hull, 0 to 1.

        Near 1 for what lies around a piece of tissue, 0 for what bulges into it.
        """
        return float(np.mean(~self._hull[rows // self._step, columns // self._step]))
