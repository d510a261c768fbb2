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
# Segments of an outline in a square of four pixels, from one side to another: top, bottom, left,
# right. The square's number is the sum of 1, 2, 4 and 8 for its pixels that are set, row by row.
_TOP, _BOTTOM, _LEFT, _RIGHT = range(4)
_SEGMENTS: tuple[tuple[tuple[int, int], ...], ...] = (
    (),
    ((_TOP, _LEFT),),
    ((_RIGHT, _TOP),),
    ((_RIGHT, _LEFT),),
    ((_LEFT, _BOTTOM),),
    ((_TOP, _BOTTOM),),
    ((_RIGHT, _TOP), (_LEFT, _BOTTOM)),
    ((_RIGHT, _BOTTOM),),
    ((_BOTTOM, _RIGHT),),
    ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    ((_BOTTOM, _TOP),),
    ((_BOTTOM, _LEFT),),
    ((_LEFT, _RIGHT),),
    ((_TOP, _RIGHT),),
    ((_LEFT, _TOP),),
    (),
)
# Rows that are looked at together, so that they stay in the cache of the processor.
_ROWS = 32
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
    for curve in outlines(area):
        corners = measure.approximate_polygon(curve, TOLERANCE)
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        total += float(lengths.sum())
        straight += float(lengths[lengths >= least].sum())
    return total > 0 and straight >= MOSTLY * total


def outlines(area: np.ndarray) -> list[np.ndarray]:
    """Return the curves between the set and the other pixels of an area.

    They are those of `skimage.measure.find_contours` at 0.5, from the same start, but only pixels
    beside a curve are looked at more than once.

    Parameters
    ----------
    area : ndarray, shape (Y, X), bool

    Returns
    -------
    list of ndarray, shape (N, 2), float64
        Points along y, x, halfway between two pixels. The last is the first again where a curve is
        closed; others begin and end at the border.
    """
    following = _steps_along(area)
    before = dict(zip(following.values(), following, strict=True))
    curves = []
    while following:
        # A closed curve begins where its last segment ends, an open one at its open end.
        at = next(reversed(following))
        end = following[at]
        while at != end and at in before:
            at = before[at]
        points = [at]
        while points[-1] in following:
            points.append(following.pop(points[-1]))
        curves.append(points)
    size = 2 * area.shape[1]
    return [np.stack(np.divmod(curve, size), axis=1) / 2 for curve in curves]


def _steps_along(area: np.ndarray) -> dict[int, int]:
    """Return the end of each segment of the outlines by its start, in order of their squares.

    A point at (y, x) has the number 2 y · 2 width + 2 x.
    """
    height, width = area.shape
    found: dict[int, int] = {}
    size = 2 * width
    for first in range(0, height - 1, _ROWS):
        part = area[first : first + _ROWS + 1]
        one, other = part[:-1], part[1:]
        mixed = one != other
        across = part[:, 1:] != part[:, :-1]
        squares = np.flatnonzero(mixed[:, :-1] | mixed[:, 1:] | across[:-1] | across[1:])
        rows, columns = np.divmod(squares, width - 1)
        corners = one[rows, columns] + 2 * one[rows, columns + 1]
        corners = corners + 4 * other[rows, columns] + 8 * other[rows, columns + 1]
        corner = 2 * (rows + first) * size + 2 * columns
        middles = corner[:, None] + [1, 2 * size + 1, size, size + 2]
        for case, points in zip(corners.tolist(), middles.tolist(), strict=True):
            for start, end in _SEGMENTS[case]:
                found[points[start]] = points[end]
    return found


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

    def beyond(self, area: np.ndarray, corner: tuple[int, int]) -> float:
        """Return the share of an area that lies outside the hull, 0 to 1.

        Near 1 for an area around a piece of tissue, 0 for one that bulges into it.

        Parameters
        ----------
        area : ndarray, shape (Y, X), bool
        corner : tuple of int
            Where in the slice its first pixel lies.
        """
        (height, width), (top, left) = area.shape, corner
        columns = np.arange(left, left + width) // self._step
        total = outside = 0
        # Rows of pixels that lie in the same row of the hull.
        for row in range(top // self._step, (top + height - 1) // self._step + 1):
            rows = area[max(row * self._step - top, 0) : (row + 1) * self._step - top]
            total += int(np.count_nonzero(rows))
            outside += int(np.count_nonzero(rows & ~self._hull[row, columns]))
        return outside / total
