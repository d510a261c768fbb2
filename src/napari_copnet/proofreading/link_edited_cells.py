"""Follow cells through z: link cells that an edit made to those they overlap in the next slices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from napari_copnet.proofreading.edits import Box, Pairs
from napari_copnet.steps.linking import overlaps

if TYPE_CHECKING:
    from napari_copnet.proofreading.session_view import SessionView

# So many cells are faster counted one by one than all cells of a slice at once.
FEW = 4


def new_links(session: SessionView, z: int, ids: Iterable[int], box: Box) -> Pairs:
    """Return links from cells of a slice to the cells below and above that they overlap.

    As in `steps.linking`, two cells are one when their intersection over union is no less than
    the setting; here also no less than a half, so that no cell has two such partners in a slice.
    A cell that is linked to a slice already gets no other link to it.

    Parameters
    ----------
    session : SessionView
        With the edit applied.
    z : int
    ids : iterable of int
        Cells of slice z.
    box : tuple of slice
        Holds all of these cells.
    """
    params = session.facts.cells
    if params.mode == "slice":
        return ()
    least = max(params.link_overlap, 0.5)
    pairs = []
    labels = session.ids(z)[box]
    for other_z in (z - 1, z + 1):
        if not 0 <= other_z < session.shape[0]:
            continue
        others = session.ids(other_z)
        present = session.present(other_z)
        free = [cell_id for cell_id in ids if not session.links.near(cell_id) & present]
        mine = np.where(np.isin(labels, free), labels, np.uint32(0))
        pairs += [(min(pair), max(pair)) for pair in _partners(mine, others, box, least)]
    return tuple(pairs)


def _partners(
    cells: np.ndarray, others: np.ndarray, box: Box, least: float
) -> list[tuple[int, int]]:
    """Return pairs of a cell, shape of the box, and the other one (Y, X) that it overlaps most.

    All at once: an edit may make thousands of cells.
    """
    table = overlaps(cells, others[box])
    mine, other = table.coords
    names, index = np.unique(mine, return_inverse=True)
    area = np.bincount(index, table.data, len(names))[index]
    # no less than this of the union is no less of the cell itself
    likely = (mine > 0) & (other > 0) & (table.data >= least * area)
    mine, other, shared, area = mine[likely], other[likely], table.data[likely], area[likely]
    order = np.lexsort((other, -shared, mine))
    mine, first = np.unique(mine[order], return_index=True)
    other, shared, area = (one[order][first] for one in (other, shared, area))
    found = shared >= least * (area + _sizes(others, other) - shared)
    return list(zip(mine[found].tolist(), other[found].tolist(), strict=True))


def _sizes(labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return how many pixels of labels (Y, X) have each of some values."""
    if len(wanted) <= FEW:
        return np.array([np.count_nonzero(labels == one) for one in wanted], np.int64)
    table = overlaps(labels, np.zeros_like(labels))
    return table.data[np.searchsorted(table.coords[0], wanted)]
