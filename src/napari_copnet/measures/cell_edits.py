"""Edits of many cells of a session at once: each is one edit, and one undo."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.measures.table import Table
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.edits import Edit, joined
from napari_copnet.proofreading.session_view import SessionView

# Cells by slice, numbers as `SessionView.cells` gives them.
Chosen = Mapping[int, np.ndarray]


def chosen_of(table: Table, rows: np.ndarray) -> dict[int, np.ndarray]:
    """Return the cells that rows of a table are about.

    Parameters
    ----------
    table : Table
        ``slices``: a cell in one slice; ``cells``: in all of its slices.
    rows : ndarray, int
        Numbers of rows.

    Returns
    -------
    dict of int to ndarray
        Numbers of cells by slice.
    """
    cells = table["cell"][rows]
    if table.name == "slices":
        first = last = table["slice"][rows]
    else:
        first, last = table["first_slice"][rows], table["last_slice"][rows]
    slices = range(int(first.min()), int(last.max()) + 1) if cells.size else range(0)
    found = {z: np.unique(cells[(first <= z) & (z <= last)]) for z in slices}
    return {z: numbers for z, numbers in found.items() if numbers.size}


def delete_cells(session: SessionView, chosen: Chosen) -> Edit:
    """Delete cells: their pixels become contour, as when one cell is deleted.

    Raises
    ------
    CopnetError
        There are none of them.
    """
    edits = []
    for z, mask in _masks(session, chosen):
        contour = (session.contour[z] > 0) | mask
        edits.append(edit_tools.painted(session, z, contour, "delete"))
    return _one("delete cells", edits)


def mark_cells(session: SessionView, chosen: Chosen, kind: str) -> Edit:
    """Mark cells as areas without cells, such as lumina of vessels.

    Parameters
    ----------
    session : SessionView
    chosen : mapping of int to ndarray
        Numbers of cells by slice.
    kind : str
        One of `edits.MARKS`.

    Raises
    ------
    CopnetError
        There are none of them, or no such mark.
    """
    edits = [edit_tools.mark(session, [z], mask, kind) for z, mask in _masks(session, chosen)]
    return _one(f"mark {kind}", edits)


def _masks(session: SessionView, chosen: Chosen) -> list[tuple[int, np.ndarray]]:
    masks = ((z, np.isin(session.cells(z), numbers)) for z, numbers in sorted(chosen.items()))
    return [(z, mask) for z, mask in masks if mask.any()]


def _one(tool: str, edits: list[Edit]) -> Edit:
    if not edits:
        raise CopnetError("None of these cells exists any more.", "Measure again.")
    return joined(tool, *edits)
