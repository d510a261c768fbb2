"""Cells that follow an edit: as if the whole slice were labelled anew, and called as before."""

import dataclasses

import numpy as np
import pytest
from drawn_contours import same_up_to_ids
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_copnet.params import CellParams
from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.relabel import first_pixels, labelled_slice, relabel
from napari_copnet.steps.cells import label_slice, slice_parts

ALL = CellParams(min_size=0)


def drawn(text):
    """A slice: # is contour, letters and dots are not."""
    return np.array([[c == "#" for c in line] for line in text.split()], np.uint8)


def edited(contour, cells, flipped, params=ALL, next_id=100, excluded=None, ids=None):
    """Flip pixels; return the contour after and the cells after, pasted into the slice."""
    after = contour ^ flipped.astype(np.uint8)
    done = relabel(
        after,
        cells,
        Patch.of(0, flipped),
        params,
        next_id=next_id,
        excluded=excluded,
        ids=ids,
    )
    labels = cells.copy()
    labels[done.box] = done.labels
    return after, labels, done


def test_of_a_split_cell_the_larger_piece_keeps_the_name():
    contour = drawn("#########  #.......#  #.......#  #########")
    cells = np.where(contour == 0, 7, 0).astype(np.uint32)
    wall = np.zeros(contour.shape, bool)
    wall[1:3, 3] = True
    _, labels, done = edited(contour, cells, wall)
    assert labels[1].tolist() == [0, 100, 100, 0, 7, 7, 7, 7, 0]
    assert done.before == ((10, 7),) and done.after == ((10, 100), (13, 7))
    assert done.next_id == 101


def test_two_cells_that_merge_keep_the_name_of_the_larger():
    contour = drawn("######  #.#..#  ######")
    cells = np.zeros(contour.shape, np.uint32)
    cells[1, 1], cells[1, 3:5] = 3, 2
    gap = np.zeros(contour.shape, bool)
    gap[1, 2] = True
    _, labels, done = edited(contour, cells, gap)
    assert labels[1].tolist() == [0, 2, 2, 2, 2, 0]
    assert done.next_id == 100


def test_two_crumbs_under_the_smallest_size_become_a_cell():
    contour = drawn("#######  #..#..#  #######")
    cells = np.zeros(contour.shape, np.uint32)
    gap = np.zeros(contour.shape, bool)
    gap[1, 3] = True
    _, labels, _ = edited(contour, cells, gap, CellParams(min_size=5))
    assert labels[1].tolist() == [0, 100, 100, 100, 100, 100, 0]


def test_only_the_touched_box_is_labelled(monkeypatch):
    contour = np.zeros((400, 400), np.uint8)
    contour[::40], contour[:, ::40] = 1, 1
    cells = label_slice(contour, ALL)
    seen = []

    def spy(mask, *rest):
        seen.append(mask.shape)
        return slice_parts(mask, *rest)

    monkeypatch.setattr("napari_copnet.proofreading.relabel.slice_parts", spy)
    dot = np.zeros(contour.shape, bool)
    dot[220, 210] = True
    edited(contour, cells, dot)
    assert seen and max(max(shape) for shape in seen) < 200


PARAMS = st.builds(
    CellParams,
    rule=st.sampled_from(["plain", "plain", "scoring"]),
    dilation=st.integers(0, 1),
    grow=st.integers(0, 2),
    min_size=st.integers(0, 6),
    fill_holes=st.booleans(),
    remove_border=st.booleans(),
)
MASKS = arrays.arrays(np.uint8, (9, 11), elements=st.integers(0, 1))


@settings(max_examples=150, deadline=None)
@given(MASKS, MASKS, st.none() | MASKS, PARAMS, st.integers(1, 5))
def test_equal_to_labelling_the_whole_slice_and_back_again(before, flips, excluded, params, margin):
    with pytest.MonkeyPatch.context() as patch:
        # A small first box, so that growing it is tried too.
        patch.setattr("napari_copnet.proofreading.relabel._MARGIN", margin)
        flips &= np.roll(flips, 1, axis=0) & np.roll(flips, 1, axis=1)
        barrier = None if excluded is None else excluded > 0
        cells = label_slice(before, params, excluded=barrier)
        ids = dict(zip(first_pixels(cells).tolist(), range(1, 200), strict=False))
        after, labels, done = edited(before, cells, flips > 0, params, 200, barrier)
        assert same_up_to_ids(labels, label_slice(after, params, excluded=barrier))
        # The names by first pixel tell the same.
        now = dict(ids)
        for seed, name in done.before:
            assert now.pop(seed) == name
        now.update(done.after)
        assert np.array_equal(labelled_slice(after, params, now, barrier), labels)
        # Undo: the same flips, and the names as they were.
        _, back, undone = edited(after, labels, flips > 0, params, 999, barrier, ids)
        assert np.array_equal(back, cells)
        assert undone.before == done.after and undone.after == done.before


@settings(max_examples=50, deadline=None)
@given(MASKS, st.integers(0, 8), st.integers(0, 10))
def test_cells_that_were_not_touched_keep_names_and_pixels(contour, y, x):
    cells = label_slice(contour, ALL)
    dot = np.zeros(contour.shape, bool)
    dot[y, x] = True
    _, labels, _ = edited(contour, cells, dot)
    around = np.zeros(contour.shape, bool)
    around[max(y - 1, 0) : y + 2, x] = around[y, max(x - 1, 0) : x + 2] = True
    for name in set(np.unique(cells)) - set(np.unique(cells[around])) - {0}:
        assert np.array_equal(labels == name, cells == name)


def test_settings_of_other_modes_have_no_part():
    contour = drawn("####  #..#  ####")
    dot = np.zeros(contour.shape, bool)
    cells = label_slice(contour, ALL)
    results = [
        edited(contour, cells, dot, dataclasses.replace(ALL, mode=mode))[1]
        for mode in ("slice", "linked", "3d")
    ]
    assert all(np.array_equal(result, cells) for result in results)
