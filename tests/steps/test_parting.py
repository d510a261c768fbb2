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
@given(arrays(bool, (9, 11), elements=st.booleans()))
def test_regions_that_a_mask_parts_stay_parted(mask):
    lines = parting_lines(mask, smallest=1)
    assert (lines <= mask).all()
    regions, count = ndimage.label(~mask, FACES)
    left, _ = ndimage.label(~lines, FACES)
    owners = [set(left[regions == region]) for region in range(1, count + 1)]
    assert all(len(owner) == 1 for owner in owners)
    assert len(set().union(*owners)) == count
