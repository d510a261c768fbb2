"""What correcting takes over drawing, on lines that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_copnet.evaluation.effort import correction_effort

SIDE = 40


def lines(*rows, ends=(0, SIDE)):
    """Horizontal lines one pixel wide."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    for row in rows:
        drawn[row, slice(*ends)] = 1
    return drawn


def test_what_is_missing_is_drawn_and_what_is_false_is_erased():
    truth = lines(10, 30)
    assert correction_effort(truth, truth) == 0
    assert correction_effort(lines(10), truth) == 0.5
    assert correction_effort(lines(10, 20, 30), truth) == 0.5
    assert correction_effort(lines(20), truth) == 1.5
    # nothing drawn is as much as drawing; all false is more
    assert correction_effort(lines(), truth) == 1
    assert correction_effort(lines(3, 17, 23, 37), truth) == 3


def test_lines_near_to_each_other_are_one_however_wide():
    truth = lines(10, 30)
    assert correction_effort(lines(13, 27), truth) == 0
    assert correction_effort(lines(14, 30), truth) == 1
    assert correction_effort(lines(9, 10, 11, 29, 30, 31), truth) == 0


def test_only_what_is_known_counts():
    truth = lines(10, 30)
    known = np.zeros(truth.shape, bool)
    known[:25] = True
    assert correction_effort(lines(10), truth, known) == 0
    # a line just outside still shows where one is
    assert correction_effort(lines(26), lines(24), known) == 0
    assert correction_effort(truth, lines(), known) is None
    assert correction_effort(truth, lines(30), known) is None


@given(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7), min_size=1))
def test_it_counts_the_lines_of_one_that_the_other_lacks(drawn, true):
    effort = correction_effort(lines(*(5 * n for n in drawn)), lines(*(5 * n for n in true)))
    assert effort == pytest.approx(len(drawn ^ true) / len(true))
