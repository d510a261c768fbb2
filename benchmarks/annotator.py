"""A simulated annotator who knows the truth, and whose work is counted in clicks.

The true contours are cut into stretches at their junctions, and a stretch is drawn as a polygon:
one click for each of its vertices, which lie within `STRAIGHT` px of it. Correcting draws what of a
true stretch lies farther than `NEAR` px from any contour that is there, and removes what of a
contour lies farther than that from the truth, also by a polygon along it. Looking, moving and
zooming are not counted.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.measure import approximate_polygon
from skimage.morphology import skeletonize

STRAIGHT, NEAR = 2.0, 3.0
# Shorter pieces are roughness of a line, px.
SHORTEST = 4


def clicks(contour: np.ndarray, truth: np.ndarray) -> int:
    """Return the clicks that turn a contour into the true one, both of shape (Y, X)."""
    lines = [skeletonize(np.asarray(one) > 0) for one in (truth, contour)]
    count = 0
    for line, other in (lines, lines[::-1]):
        far = line
        if other.any():
            far = line & (ndimage.distance_transform_edt(~other) > NEAR)
        count += sum(len(approximate_polygon(path, STRAIGHT)) for path in stretches(far))
    return count


def stretches(lines: np.ndarray) -> list[np.ndarray]:
    """Return the pixels (y, x) of lines one pixel wide in order, cut at junctions."""
    around = ndimage.convolve(lines.astype(np.int8), np.ones((3, 3), np.int8), mode="constant") - 1
    parts, _ = ndimage.label(lines & (around <= 2), np.ones((3, 3)))
    found = []
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        pixels = np.argwhere(parts[box] == number)
        if len(pixels) >= SHORTEST:
            corner = np.array([part.start for part in box])
            found.append(_in_order(pixels) + corner)
    return found


def _in_order(pixels: np.ndarray) -> np.ndarray:
    """Walk along a line from one of its ends."""
    apart = np.abs(pixels[:, None] - pixels[None]).max(axis=2)
    ends = np.flatnonzero((apart == 1).sum(axis=1) <= 1)
    at = int(ends[0]) if len(ends) else 0
    left, path = np.ones(len(pixels), bool), [at]
    left[at] = False
    while left.any():
        at = int(np.where(left, apart[at], np.iinfo(apart.dtype).max).argmin())
        left[at] = False
        path.append(at)
    return pixels[path]
