"""What correcting contours takes an annotator, counted in clicks.

True contours are cut into stretches at their junctions, and a stretch is drawn as a polygon: one
click for each of its vertices, which lie within `STRAIGHT` px of it. Correcting draws what of a
true stretch lies farther than `NEAR` px from any contour that is there, and removes what of a
contour lies farther than that from the truth, also by a polygon along it. Looking, moving and
zooming are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

STRAIGHT, NEAR = 2.0, 3.0
# Shorter pieces are roughness of a line, px.
SHORTEST = 4
_EIGHT = np.ones((3, 3), np.int8)
# Straight steps before diagonal ones.
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


def clicks(contour: np.ndarray, truth: np.ndarray, known: np.ndarray | None = None) -> int:
    """Return the clicks that turn a contour into the true one.

    Parameters
    ----------
    contour, truth : ndarray, shape (Y, X)
        Above 0 on contours.
    known : ndarray, shape (Y, X), bool, optional
        Pixels where the truth is known; all when not given.
    """
    # Not before it is needed: what it imports takes long.
    from skimage.measure import approximate_polygon

    lines = [skeletonize(np.asarray(one) > 0) for one in (truth, contour)]
    count = 0
    for line, other in (lines, lines[::-1]):
        far = line if known is None else line & np.asarray(known, bool)
        if other.any():
            far = far & (ndimage.distance_transform_edt(~other) > NEAR)
        count += sum(len(approximate_polygon(path, STRAIGHT)) for path in stretches(far))
    return count


def correction_effort(
    contour: np.ndarray, truth: np.ndarray, known: np.ndarray | None = None
) -> float | None:
    """Return the clicks of correcting a contour over those of drawing the true one.

    Takes what `clicks` takes.

    Returns
    -------
    float or None
        0 where nothing is to be done; above 1 where drawing all takes less than correcting. None
        where there is nothing to draw.
    """
    whole = clicks(np.zeros(np.shape(truth), bool), truth, known)
    return clicks(contour, truth, known) / whole if whole else None


def stretches(lines: np.ndarray) -> list[np.ndarray]:
    """Return the pixels (y, x) of lines one pixel wide in order, cut at junctions."""
    around = ndimage.convolve(lines.astype(np.int8), _EIGHT, mode="constant") - 1
    parts, _ = ndimage.label(lines & (around <= 2), _EIGHT)
    found = []
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        pixels = np.argwhere(parts[box] == number)
        if len(pixels) >= SHORTEST:
            corner = np.array([part.start for part in box])
            found.append(np.array(list(_walk(pixels))) + corner)
    return found


def _walk(pixels: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the pixels of a line without junctions from one of its ends, a ring's from anywhere."""
    left = {(int(y), int(x)) for y, x in pixels}
    ends = [one for one in left if len(_beside(one, left)) <= 1]
    at = min(ends or left)
    while True:
        yield at
        left.discard(at)
        beside = _beside(at, left)
        if not beside:
            return
        at = beside[0]


def _beside(at: tuple[int, int], pixels: set[tuple[int, int]]) -> list[tuple[int, int]]:
    return [one for dy, dx in _STEPS if (one := (at[0] + dy, at[1] + dx)) in pixels]
