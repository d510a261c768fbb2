"""Walls belong to the cells that they part: labels grown into them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import expand_labels

# Half the width of what counts as a wall, px; wider areas without a label are background.
REACH = 5


def grown(labels: np.ndarray, walls: np.ndarray | None, reach: int) -> np.ndarray:
    """Give each wall pixel to the nearest cell.

    Parameters
    ----------
    labels : ndarray, shape (Y, X), int
        0 where there is no cell.
    walls : ndarray, shape (Y, X), bool, or None
        Where there may be walls; None takes everything without a label.
    reach : int
        Farthest that a cell may reach into a wall, px.
    """
    if not reach:
        return labels
    wide = expand_labels(labels, reach)
    if walls is not None:
        wide[(labels == 0) & ~walls] = 0
    return wide


def touched(wide: np.ndarray, mask: np.ndarray, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return the labels that lie in a mask or beside it, sorted, without 0.

    Parameters
    ----------
    wide : ndarray, shape (Y, X), int
        From `grown`.
    mask : ndarray, shape (y, x), bool
        May be a part of the slice.
    origin : tuple of int
        Where that part begins.
    """
    rows = slice(max(origin[0] - 1, 0), origin[0] + mask.shape[0] + 1)
    columns = slice(max(origin[1] - 1, 0), origin[1] + mask.shape[1] + 1)
    around = np.pad(mask, 1)
    inside = wide[rows, columns]
    top, left = origin[0] - rows.start, origin[1] - columns.start
    around = around[1 - top :, 1 - left :][: inside.shape[0], : inside.shape[1]]
    near = ndimage.binary_dilation(around, np.ones((3, 3), bool))
    found = np.unique(inside[near])
    return found[found > 0]
