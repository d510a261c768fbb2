"""Labels of another program stay the cells that they are when a session begins with them."""

import numpy as np

from napari_copnet.progress import finish
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_files import make
from napari_copnet.teaching.project_start import goes_through, start_from_elsewhere
from napari_copnet.types import Stack


def labels():
    """Three cells side by side; the first is twice in the middle slice, the last moves far."""
    found = np.zeros((3, 40, 60), np.uint16)
    found[:, :, :20], found[:, :, 20:40], found[:, :, 40:] = 70, 800, 9
    found[1, 15:25, :20] = 800
    found[2, :20, 40:] = 0
    found[1, 20:, 40:] = 0
    return found


def session_of(given, folder):
    stack = Stack(np.zeros(given.shape, np.uint8))
    finish(make(folder, start_from_elsewhere(stack, given)))
    return Session.open(folder)


def test_what_has_one_number_is_one_cell(tmp_path):
    given = labels()
    assert goes_through(given)
    with session_of(given, tmp_path / "session") as session:
        cells = session.all_cells()
    inside = cells > 0
    assert inside.mean() > 0.5
    pairs = np.unique(np.stack([given[inside], cells[inside]]), axis=1)
    # One to one.
    assert pairs.shape[1] == 3 and np.unique(pairs[0]).size == np.unique(pairs[1]).size == 3


def test_numbers_of_each_slice_on_its_own_link_nothing(tmp_path):
    column = np.broadcast_to(np.arange(60) // 20, (40, 60))
    given = np.stack([1 + column, 1 + (column + 1) % 3, 1 + column]).astype(np.uint16)
    assert not goes_through(given)
    with session_of(given, tmp_path / "session") as session:
        cells = session.all_cells()
    # Linked by overlap, each with what lies behind it.
    for x in (5, 30, 50):
        assert cells[0, 5, x] == cells[1, 5, x] == cells[2, 5, x] > 0
    assert np.unique(cells[:, 5, [5, 30, 50]]).size == 3
