"""Lengths of the pieces of contour that one map has and another lacks."""

from __future__ import annotations

import edt
import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize


def missing_lengths(contour: np.ndarray, other: np.ndarray, tolerance: float = 2.0) -> np.ndarray:
    """Return the lengths of the pieces of a contour's centre line that another contour lacks.

    With the truth for `contour` and Step 1 for `other` these are the gaps; with closed contours
    and Step 1, what closing added. Where three lines meet the pieces are one.

    Parameters
    ----------
    contour, other : ndarray, shape (Y, X)
        Masks; anything above 0 is contour.
    tolerance : float
        A centre-line pixel is lacking when it lies farther than this from `other`, px. A gap is
        measured without its two ends, so gaps of up to twice this do not count.

    Returns
    -------
    ndarray, shape (N,), int64
        Pixels along the centre line of each piece.
    """
    contour = np.asarray(contour) > 0
    if not contour.any():
        return np.zeros(0, np.int64)
    return missing_on(skeletonize(contour), other, tolerance)


def missing_on(line: np.ndarray, other: np.ndarray, tolerance: float = 2.0) -> np.ndarray:
    """Return the same for a given centreline, shape (Y, X), bool."""
    other = np.asarray(other) > 0
    lacking = line
    if other.any():
        lacking = line & (edt.edtsq(~other, black_border=False) > tolerance**2 + 1e-6)
    pieces, _ = ndimage.label(lacking, ndimage.generate_binary_structure(2, 2))
    return np.bincount(pieces.ravel())[1:]
