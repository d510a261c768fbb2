"""Edits of many cells of a session at once."""

import numpy as np
import pytest

from napari_copnet.errors import CopnetError
from napari_copnet.measures.cell_edits import chosen_of, delete_cells, mark_cells
from napari_copnet.measures.measure import measure
from napari_copnet.measures.session_source import of_session, still_source
from napari_copnet.measures.table import Table
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.types import Stack, VoxelSize


@pytest.fixture
def session(tmp_path):
    """Four rooms in a row in each of three slices."""
    contour = np.zeros((3, 9, 39), np.uint8)
    contour[:, :, 9::10] = 1
    stack = Stack(np.zeros(contour.shape, np.uint8), VoxelSize(0.1, 0.1, 0.1))
    start = Start(contour, contour * np.float32(0.9), stack, cells=CellParams(min_size=0))
    with Session.create(tmp_path / "rooms", start) as opened:
        yield opened


def test_rows_are_cells_in_slices():
    cells = Table("cells", {"cell": [4, 9], "first_slice": [0, 1], "last_slice": [1, 2]})
    found = chosen_of(cells, np.array([0, 1]))
    assert {z: n.tolist() for z, n in found.items()} == {0: [4], 1: [4, 9], 2: [9]}
    slices = Table("slices", {"slice": [0, 2, 2], "cell": [4, 4, 9]})
    found = chosen_of(slices, np.array([1, 2]))
    assert {z: n.tolist() for z, n in found.items()} == {2: [4, 9]}
    assert chosen_of(slices, np.zeros(0, int)) == {}


def test_cells_are_deleted_and_marked_by_one_edit_each(session):
    cells = session.all_cells()
    numbers = np.unique(cells[cells > 0])
    before = session.contour.copy()
    chosen = {0: numbers[:2], 2: numbers[3:]}
    session.apply(delete_cells(session, chosen))
    gone = before == 0
    gone[0] &= np.isin(cells[0], numbers[:2])
    gone[1] = False
    gone[2] &= np.isin(cells[2], numbers[3:])
    assert np.array_equal(session.contour.copy() - before, gone)
    with pytest.raises(CopnetError, match="any more"):
        delete_cells(session, {0: numbers[:2]})
    session.apply(mark_cells(session, {1: numbers[1:3]}, "haemorrhage"))
    assert np.array_equal(session.marks[1] == 2, np.isin(cells[1], numbers[1:3]))
    assert session.history.position == 2
    session.undo()
    session.undo()
    assert np.array_equal(session.contour.copy(), before) and not session.marked_slices()


def test_a_copy_is_measured_as_the_session_was(session):
    made = finish(measure(of_session(session), surface=False)).tables
    copy = still_source(session)
    session.apply(edit_tools.draw(session, [1], [(4, 0), (4, 8)]))
    still = finish(measure(copy, surface=False)).tables
    for name in ("slices", "cells", "pairs"):
        for column in made[name].known:
            assert np.array_equal(made[name][column.name], still[name][column.name])
    assert len(made["cells"]) == 4 and made["cells"]["slices"].tolist() == [3] * 4
    now = finish(measure(of_session(session), surface=False)).tables
    assert now["slices"]["edited"].any()
