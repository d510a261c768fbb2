"""The shape of a part of a slice, and of parts taken together.

What is kept of a part is enough to put parts together without looking at a pixel again: areas add
up, the greatest depth is the greater one, and the convex hull is the hull of both hulls' corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull


@dataclass(frozen=True)
class Shape:
    """The shape of some parts.

    Attributes
    ----------
    area : int
        Pixels.
    depth : float
        The greatest distance of a pixel to the contour, px.
    corners : ndarray, shape (N, 2), float64
        Corners (y, x) of the convex hull of all pixels, px; a pixel is a square of side 1.
    """

    area: int
    depth: float
    corners: np.ndarray

    def __add__(self, other: Shape) -> Shape:
        corners = _hull(np.concatenate([self.corners, other.corners]))
        return Shape(self.area + other.area, max(self.depth, other.depth), corners)

    @cached_property
    def solidity(self) -> float:
        """Area over the area of the convex hull, 0 to 1: 1 for what has no bay."""
        y, x = self.corners.T
        # The shoelace formula; corners follow each other round the hull.
        hull = abs(float(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1)))) / 2
        return self.area / hull


def shapes(parts: np.ndarray, distance: np.ndarray) -> list[Shape | None]:
    """Return the shape of each part of a slice.

    Parameters
    ----------
    parts : ndarray, shape (Y, X), int
        Numbers of the parts; 0 is none.
    distance : ndarray, shape (Y, X), float
        Distance of each pixel to the contour, px.

    Returns
    -------
    list of Shape or None
        By number; None for 0 and for numbers that do not occur.
    """
    found: list[Shape | None] = [None]
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        if box is None:
            found.append(None)
            continue
        mask = parts[box] == number
        rows = np.flatnonzero(mask.any(axis=1))
        first = mask[rows].argmax(axis=1)
        last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
        ends = [(rows + below, side) for below in (0, 1) for side in (first, last)]
        corners = np.concatenate([np.stack(end, axis=1) for end in ends]).astype(float)
        corners += (box[0].start, box[1].start)
        found.append(
            Shape(int(mask.sum()), float(distance[box][mask].max(initial=0.0)), _hull(corners))
        )
    return found


def _hull(points: np.ndarray) -> np.ndarray:
    """Return the corners of a convex hull, one after the other round it."""
    return points[ConvexHull(points).vertices]
