"""Specks: pieces of regions that are too small to annotate."""

from __future__ import annotations

import cc3d
import numpy as np
from scipy.ndimage import distance_transform_edt


def without_specks(regions: np.ndarray, smallest: int) -> np.ndarray:
    """Return the regions of a slice, with small pieces merged into their surroundings.

    Parameters
    ----------
    regions : ndarray, shape (Y, X), uint32
        Numbers from 1.
    smallest : int
        Pieces (face-connected, of one number) of fewer pixels go.
    """
    pieces = cc3d.connected_components(regions, connectivity=4)
    small = (np.bincount(pieces.ravel()) < smallest)[pieces]
    if not small.any() or small.all():
        return regions
    rows, columns = distance_transform_edt(small, return_distances=False, return_indices=True)
    return regions[rows, columns]
