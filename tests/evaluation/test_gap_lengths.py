"""Lengths of gaps in lines drawn by hand."""

import numpy as np
import pytest

from napari_copnet.evaluation.gap_lengths import missing_lengths


def line(gaps=(), shift=0):
    mask = np.zeros((40, 100), np.uint8)
    mask[20 + shift : 23 + shift] = 1
    for first, last in gaps:
        mask[:, first:last] = 0
    return mask


def test_a_gap_is_as_long_as_it_is_less_its_two_ends():
    lengths = missing_lengths(line(), line([(10, 30), (60, 70)]))
    assert lengths.tolist() == [16, 6]
    assert missing_lengths(line(), line([(10, 30)]), tolerance=0).tolist() == [20]


def test_short_gaps_and_shifted_lines_do_not_count():
    assert missing_lengths(line(), line([(10, 14)])).size == 0
    assert missing_lengths(line(), line(shift=2)).size == 0
    # A whole line is lacking when the other one lies elsewhere; skeletons are short at the ends.
    assert missing_lengths(line(), line(shift=8)) == pytest.approx([100], abs=3)


def test_what_closing_added_is_what_it_has_and_the_baseline_lacks():
    before, after = line([(10, 30), (60, 70)]), line([(60, 70)])
    assert missing_lengths(after, before).tolist() == [16]
    assert missing_lengths(before, after).size == 0


def test_no_contour_at_all():
    empty = np.zeros((40, 100), np.uint8)
    assert missing_lengths(empty, line()).size == 0
    assert missing_lengths(line(), empty) == pytest.approx([100], abs=3)
