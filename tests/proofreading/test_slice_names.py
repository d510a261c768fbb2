"""Slices as people read them, counted from 1."""

import pytest

from napari_copnet.proofreading.slice_names import named, renamed


def test_a_slice_and_a_range_are_counted_from_1():
    assert named([4]) == "slice 5" and named((2, 0)) == "slices 1 to 3" and named(()) == ""


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("draw in slice 4, 3 px", "draw, slice 5, 3 px"),
        ("erase in slices 0 to 2, 9 px", "erase, slices 1 to 3, 9 px"),
        ("unlink between slices 0 and 1", "unlink, slices 1 and 2"),
        ("accept in slice 3, gap 3 45 60, 12 px", "accept, slice 4, gap, 12 px"),
        ("draw, slice 5, 3 px", "draw, slice 5, 3 px"),
    ],
)
def test_texts_of_sessions_made_before_read_alike(before, now):
    assert renamed(before) == now
