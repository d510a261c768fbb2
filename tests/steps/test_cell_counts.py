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
