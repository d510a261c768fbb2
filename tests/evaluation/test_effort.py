"""What correcting takes over drawing, on lines that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_copnet.evaluation.effort import clicks, correction_effort, stretches

SIDE = 40


def lines(*rows):
    """Horizontal lines one pixel wide."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    drawn[list(rows)] = 1
    return drawn


def test_an_annotator_clicks_at_the_vertices_of_what_is_missing_or_false():
    truth = np.zeros((97, 97), bool)
    truth[::24] = truth[:, ::24] = True
    gap, bow = truth.copy(), truth.copy()
    gap[1:24, 24] = False
    assert clicks(truth, truth) == 0
    # the two ends of a straight wall, whether it is drawn or removed
    assert clicks(gap, truth) == clicks(truth, gap) == 2
    # a stretch with a corner has one more vertex
    bow[36, 24:36] = bow[24:37, 36] = True
    assert clicks(truth, bow) == 3


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
    assert clicks(lines(13, 27), truth) == 0
    assert correction_effort(lines(14, 30), truth) == 1
    assert clicks(lines(9, 10, 11, 29, 30, 31), truth) == 0


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


def test_a_line_is_walked_from_end_to_end_and_a_ring_around():
    line = np.zeros((SIDE, SIDE), bool)
    path = [(5, 5), (5, 6), (6, 7), (7, 7), (8, 6), (9, 6), (10, 5)]
    ring = [(20, 20), (20, 21), (21, 22), (22, 22), (23, 21), (23, 20), (22, 19), (21, 19)]
    line[tuple(np.array(path).T)] = line[tuple(np.array(ring).T)] = True
    walked, around = stretches(line)
    assert walked.tolist() in ([list(one) for one in path], [list(one) for one in path[::-1]])
    assert sorted(map(tuple, around.tolist())) == sorted(ring)
    assert (np.abs(np.diff(around, axis=0)).max(axis=1) == 1).all()
