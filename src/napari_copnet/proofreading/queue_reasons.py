"""Why an item of the review queue matters, in a few words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from napari_copnet.boundaries.gaps import GAP, UNSETTLED
from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.slice_names import named

# So near to a wall lies what it parts, px.
_NEAR = 2


def cells_beside(cells: np.ndarray, wall: Patch) -> tuple[int, ...]:
    """Return the one or two cells at a wall, the one with the longer contact first.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
        Slice cells by their ids; 0 is none.
    wall : Patch
    """
    mask = np.pad(wall.mask, _NEAR)
    beside = ndimage.binary_dilation(mask, np.ones((3, 3)), iterations=_NEAR)
    rows, columns = np.nonzero(beside)
    rows, columns = rows + wall.top - _NEAR, columns + wall.left - _NEAR
    seen = (rows >= 0) & (rows < cells.shape[0]) & (columns >= 0) & (columns < cells.shape[1])
    found, counts = np.unique(cells[rows[seen], columns[seen]], return_counts=True)
    order = np.argsort(-counts[found > 0], kind="stable")
    return tuple(int(cell_id) for cell_id in found[found > 0][order][:2])


def reason_of(
    kind: str, slices: set[int], beside: tuple[int, ...], number: Callable[[int], int]
) -> str:
    """Return what an item would change, such as ``would split cell 44 in slices 6 to 8``.

    Parameters
    ----------
    kind : str
        Of the item.
    slices : set of int
        Counted from 0.
    beside : tuple of int
        Slice cells at the wall, by their ids.
    number : callable
        Returns the number of the cell that an id belongs to.
    """
    where = f"in {named(slices)}"
    if kind == UNSETTLED:
        return f"closing did not converge {where}"
    cells = list(dict.fromkeys(number(cell_id) for cell_id in beside))
    if kind == GAP:
        return f"would split cell {cells[0]} {where}" if cells else f"may be a gap {where}"
    if len(cells) == 2:
        return f"separates cells {cells[0]} and {cells[1]} {where}"
    return f"splits cell {cells[0]} {where}" if cells else f"doubtful wall {where}"
