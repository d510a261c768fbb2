"""The lines of a contour that separate cells, without loose ends, islands and thick places."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

FACES = ndimage.generate_binary_structure(2, 1)
# Holes in a thick line are no cells: borders round them would keep it thick.
SMALLEST = 20


def parting_lines(mask: np.ndarray, smallest: int = SMALLEST) -> np.ndarray:
    """Return the pixels of a contour that lie midway between two regions.

    Regions are the face-connected components of what is not contour. Each is grown into the
    contour until it meets its neighbours; contour pixels at such a border, or beside one, stay.
    What two regions are parted by still parts them.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
        True on the contour.
    smallest : int
        Regions of fewer pixels count as contour.

    Returns
    -------
    ndarray, shape (Y, X), bool
        A part of `mask`: lines of up to four pixels' width.
    """
    regions, count = ndimage.label(~mask, FACES)
    if count < 2:
        return np.zeros_like(mask)
    sizes = np.bincount(regions.ravel())
    regions[sizes[regions] < smallest] = 0
    if not regions.any():
        return np.zeros_like(mask)
    nearest = ndimage.distance_transform_edt(
        regions == 0, return_distances=False, return_indices=True
    )
    grown = regions[tuple(nearest)]
    border = np.zeros_like(mask)
    rows, columns = grown[1:] != grown[:-1], grown[:, 1:] != grown[:, :-1]
    border[1:] |= rows
    border[:-1] |= rows
    border[:, 1:] |= columns
    border[:, :-1] |= columns
    return mask & ndimage.binary_dilation(border, FACES)
