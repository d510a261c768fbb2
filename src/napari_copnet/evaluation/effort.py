"""What correcting contours takes, in comparison with drawing all of them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

# Lines nearer to each other than this are one, px.
NEAR = 3.0


def correction_effort(
    contour: np.ndarray, truth: np.ndarray, known: np.ndarray | None = None
) -> float | None:
    """Return the length to draw and to erase over the length to draw on an empty slice.

    Lines are the skeletons of both. What of a true line lies farther than `NEAR` from any contour
    has to be drawn, and what of a contour lies farther from the truth has to be erased.

    Parameters
    ----------
    contour, truth : ndarray, shape (Y, X)
        Above 0 on contours.
    known : ndarray, shape (Y, X), bool, optional
        Pixels where the truth is known; all when not given.

    Returns
    -------
    float or None
        0 where nothing is to be done; above 1 where drawing all takes less than correcting. None
        where there is no true line.
    """
    lines = [skeletonize(np.asarray(one) > 0) for one in (truth, contour)]
    inside = np.ones(lines[0].shape, bool) if known is None else np.asarray(known, bool)
    whole = int((lines[0] & inside).sum())
    if not whole:
        return None
    todo = 0
    for line, other in (lines, lines[::-1]):
        far = line & inside
        if other.any():
            far &= ndimage.distance_transform_edt(~other) > NEAR
        todo += int(far.sum())
    return todo / whole
