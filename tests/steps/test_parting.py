"""Lines that part cells, on drawings, and what holds of any mask."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_copnet.steps.parting import FACES, parting_lines


def drawn(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def test_loose_ends_and_islands_go_and_what_parts_stays():
    mask = drawn(
        ".....#....",
        ".##..#....",
        ".....#....",
        "..#..#####",
        "..#..#....",
        ".....#....",
        ".....#..#.",
    )
    expected = mask.copy()
    expected[1, 1:3] = expected[3:5, 2] = expected[6, 8] = False
    np.testing.assert_array_equal(parting_lines(mask, smallest=1), expected)


def test_a_thick_wall_becomes_four_pixels_wide_in_its_midst():
    mask = np.zeros((12, 30), bool)
    mask[:, 10:20] = True
    lines = parting_lines(mask)
    assert np.flatnonzero(lines[5]).tolist() == [13, 14, 15, 16]
    assert (lines == lines[:1]).all()


def test_a_line_with_a_gap_parts_nothing():
    mask = np.zeros((12, 30), bool)
    mask[:11, 15] = True
    assert not parting_lines(mask).any()
    mask[11, 15] = True
    np.testing.assert_array_equal(parting_lines(mask), mask)


def test_small_gaps_are_bridged_where_asked_but_not_filled():
    mask = np.zeros((30, 60), bool)
    mask[:, 30] = True
    mask[12:18, 30] = False  # as wide as twice the bridge
    mask[5, 3:12] = True  # a stub
    assert not parting_lines(mask).any()
    expected = mask.copy()
    expected[5] = mask[6]
    np.testing.assert_array_equal(parting_lines(mask, bridge=3), expected)
    mask[18, 30] = False
    assert not parting_lines(mask, bridge=3).any()


def test_cells_narrower_than_the_bridge_stay_parted():
    mask = np.zeros((30, 60), bool)
    mask[:, [28, 32]] = True  # a cell of three pixels between two walls
    np.testing.assert_array_equal(parting_lines(mask, bridge=3), mask)


def test_the_reach_sets_how_wide_lines_are():
    mask = np.zeros((12, 40), bool)
    mask[:, 10:30] = True
    for reach, wide in ((1, 4), (2, 6), (4, 10)):
        assert np.count_nonzero(parting_lines(mask, reach=reach)[5]) == wide


def test_holes_in_a_line_are_no_cells():
    mask = np.zeros((12, 30), bool)
    mask[:, 10:20] = True
    mask[4:6, 11] = False
    lines = parting_lines(mask)
    assert np.flatnonzero(lines[4]).tolist() == [13, 14, 15, 16]
    assert np.flatnonzero(parting_lines(mask, smallest=1)[4])[0] == 10


def test_masks_without_regions_have_no_lines():
    for mask in (np.ones((5, 5), bool), np.zeros((5, 5), bool)):
        assert not parting_lines(mask).any()


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (9, 11), elements=st.booleans()), st.sampled_from([0, 1, 1.5, 3]))
def test_regions_that_a_mask_parts_stay_parted(mask, bridge):
    lines = parting_lines(mask, smallest=1, bridge=bridge)
    assert (lines <= mask).all()
    regions, count = ndimage.label(~mask, FACES)
    left, _ = ndimage.label(~lines, FACES)
    owners = [set(left[regions == region]) for region in range(1, count + 1)]
    assert all(len(owner) == 1 for owner in owners)
    assert len(set().union(*owners)) == count
