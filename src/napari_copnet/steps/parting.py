"""The lines of a contour that separate cells, without loose ends, islands and thick places."""

from __future__ import annotations

import edt
import numpy as np
from scipy import ndimage

FACES = ndimage.generate_binary_structure(2, 1)
# Holes in a thick line are no cells: borders round them would keep it thick.
SMALLEST = 20


def parting_lines(
    mask: np.ndarray, smallest: int = SMALLEST, *, bridge: float = 0.0, reach: int = 1
) -> np.ndarray:
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
    bridge : float
        Lines that end within twice this distance of others part regions too, px: the score of
        cells, which thickens contours, takes such gaps for closed.
    reach : int
        How far from a border pixels stay, in steps by faces.

    Returns
    -------
    ndarray, shape (Y, X), bool
        A part of `mask`: lines of up to 2 `reach` + 2 pixels' width.
    """
    regions = _regions(mask, smallest, bridge)
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
    return mask & ndimage.binary_dilation(border, FACES, reach)


def _regions(mask: np.ndarray, smallest: int, bridge: float) -> np.ndarray:
    """Label what is farther than `bridge` from the contour, and regions that are all nearer."""
    whole, count = ndimage.label(~mask, FACES)
    sizes = np.bincount(whole.ravel())
    whole[sizes[whole] < smallest] = 0
    if not bridge:
        return whole if count > 1 else np.zeros_like(whole)
    distance = edt.edt(np.ascontiguousarray(~mask), black_border=False)
    parts, count = ndimage.label(distance > bridge, FACES)
    sizes = np.bincount(parts.ravel())
    parts[(sizes[parts] < smallest) | (whole == 0)] = 0
    inside = np.zeros(whole.max() + 1, bool)
    inside[np.unique(whole[parts > 0])] = True
    narrow = (whole > 0) & ~inside[whole]
    return np.where(narrow, whole + count, parts)
