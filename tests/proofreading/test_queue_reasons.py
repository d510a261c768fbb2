"""What an item of the queue would change, in words."""

import numpy as np

from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.queue_reasons import cells_beside, reason_of


def test_the_cells_on_both_sides_of_a_wall_are_found():
    cells = np.zeros((9, 20), np.uint32)
    cells[:, :9], cells[:, 12:] = 5, 7
    cells[:2, 14:] = 9
    wall = np.zeros(cells.shape, bool)
    wall[:, 9:12] = True
    assert sorted(cells_beside(cells, Patch.of(0, wall))) == [5, 7]
    # Inside one cell, and at the corner of the slice.
    wall[:] = False
    wall[0, 0] = True
    assert cells_beside(cells, Patch.of(0, wall)) == (5,)


def test_reasons_name_cells_by_their_number_through_the_stack_and_slices_from_1():
    def number(cell_id):
        return cell_id * 10

    assert reason_of("gap", {5, 6, 7}, (4, 9), number) == "would split cell 40 in slices 6 to 8"
    assert reason_of("split", {6}, (4, 9), number) == "separates cells 40 and 90 in slice 7"
    assert reason_of("closure", {6}, (4,), number) == "splits cell 40 in slice 7"
    assert reason_of("unsettled", {0}, (), number) == "closing did not converge in slice 1"
