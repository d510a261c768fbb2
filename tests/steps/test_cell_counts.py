"""One number for how many cells there are, wherever it is said."""

import numpy as np
import pytest

from napari_copnet.types import Cells


@pytest.mark.parametrize(
    ("mode", "total", "words"),
    [
        ("linked", 4, "4 cells in 3 slices (9 cell profiles, 3 in a typical slice)"),
        ("3d", 4, "4 cells in 3 slices (9 cell profiles, 3 in a typical slice)"),
        ("slice", 9, "9 cell profiles in 3 slices, 3 in a typical slice"),
    ],
)
def test_cells_and_their_profiles(mode, total, words):
    cells = Cells(None, np.array([2, 3, 4]), mode, largest=4)
    assert cells.total == total
    assert cells.in_words() == words


def test_a_single_slice():
    assert Cells(None, np.array([5]), "linked", largest=5).in_words() == "5 cells"


def test_cells_that_another_frame_leaves_out_do_not_count():
    cells = Cells(None, np.array([2, 2]), "linked", largest=3)
    labels = np.zeros((2, 4, 4), np.uint32)
    labels[0, 0], labels[1, :2] = 1, 3
    there = cells.counted_in(labels)
    assert there.total == 2 and there.counts.tolist() == [1, 1]
    assert there.in_words().startswith("2 cells in 2 slices (2 cell profiles")
