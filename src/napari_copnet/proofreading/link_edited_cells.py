"""Follow cells through z: link cells that an edit made to those they overlap in the next slices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from napari_copnet.proofreading.edits import Box, Pairs

if TYPE_CHECKING:
    from napari_copnet.proofreading.session_view import SessionView


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
        for cell_id in ids:
            if session.links.near(cell_id) & present:
                continue
            overlap = others[box][labels == cell_id]
            counts = np.bincount(overlap[overlap > 0]) if overlap.any() else np.zeros(1, int)
            best = int(counts.argmax())
            if not counts[best]:
                continue
            union = overlap.size + np.count_nonzero(others == best) - counts[best]
            if counts[best] >= least * union:
                pairs.append((min(cell_id, best), max(cell_id, best)))
    return tuple(pairs)
