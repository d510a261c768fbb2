"""The shape of an area that may be padding: is it straight, does it bulge, where does it end?"""

from __future__ import annotations

import numpy as np
from skimage.measure import approximate_polygon, find_contours
from skimage.morphology import convex_hull_image

# How far an outline may lie from a straight line, px.
TOLERANCE = 1.2
# Straight pieces are so long against the root of the area. A disc of radius 25 px has .35, larger
# ones less; the pieces of a square have 1.
LONG = 0.6
# Share of the outline that consists of straight pieces.
MOSTLY = 0.6
# Hulls are taken at so many pixels a side: they need no more.
HULL_SIDE = 256


def sides(area: np.ndarray) -> tuple[float, float, float, float]:
    """Return the share of the top, bottom, left and right side of a slice that an area takes.

    Parameters
    ----------
    area : ndarray, shape (Y, X), bool
    """
    top, bottom, left, right = (area[0], area[-1], area[:, 0], area[:, -1])
    return float(top.mean()), float(bottom.mean()), float(left.mean()), float(right.mean())


def is_straight(area: np.ndarray) -> bool:
    """Return whether the outline of an area, inside of the slice, consists of straight lines.

    The outline is brought to a polygon by the algorithm of Douglas and Peucker (1973).

    Parameters
    ----------
    area : ndarray, shape (Y, X), bool
    """
    least = LONG * np.sqrt(np.count_nonzero(area))
    straight = total = 0.0
    # Curves end at the border of the slice, which is no outline.
    for curve in find_contours(area.astype(np.float32), 0.5):
        corners = approximate_polygon(curve, TOLERANCE)
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        total += float(lengths.sum())
        straight += float(lengths[lengths >= least].sum())
    return total > 0 and straight >= MOSTLY * total


def beyond_hull(area: np.ndarray, rest: np.ndarray) -> float:
    """Return which share of an area lies outside of the convex hull of the rest.

    Parameters
    ----------
    area, rest : ndarray, shape (Y, X), bool

    Returns
    -------
    float
        0 to 1. Near 1 for what lies around a piece of tissue, 0 for what bulges into it.
    """
    step = max(1, -(-max(area.shape) // HULL_SIDE))
    area, rest = area[::step, ::step], rest[::step, ::step]
    if not area.any() or not rest.any():
        return 0.0
    hull = convex_hull_image(rest)
    return float(np.mean(~hull[area]))
