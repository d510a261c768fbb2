"""Cells from contours: rules, modes and filters, on masks drawn by hand."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.steps.cells import (
    beyond,
    label_cells,
    label_slice,
    renumbered,
    scoring_labels,
    true_cells,
)

ALL = {"min_size": 0}


def draw(text):
    """Draw an array of small numbers; ``#`` is 1, ``.`` is 0."""
    rows = text.split()
    return np.array([[int(c.replace("#", "1").replace(".", "0")) for c in row] for row in rows])


def test_cells_are_face_connected_and_numbered_by_first_pixel():
    mask = draw("""
        ..#...
        ..#.##
        ##.#..
        ......
    """)
    np.testing.assert_array_equal(
        label_slice(mask, CellParams(**ALL)),
        draw("""
        110222
        110200
        003033
        333333
    """),
    )


masks = arrays(bool, (9, 11))


@settings(max_examples=80, deadline=None)
@given(masks)
def test_plain_rule_is_that_of_scipy(mask):
    expected, _ = ndimage.label(~mask)
    np.testing.assert_array_equal(label_slice(mask, CellParams(**ALL)), expected)


@settings(max_examples=80, deadline=None)
@given(arrays(np.uint32, (4, 5), elements=st.integers(0, 30)))
def test_renumbering_keeps_cells_and_counts_by_first_pixel(labels):
    new = renumbered(labels)
    first = dict.fromkeys(int(v) for v in labels.ravel() if v)
    lookup = {old: number + 1 for number, old in enumerate(first)} | {0: 0}
    np.testing.assert_array_equal(new, np.vectorize(lookup.get)(labels))
    assert new.dtype == np.uint32


@pytest.mark.parametrize("radius", range(1, 7))
def test_dilation_is_the_ball_of_simpleitk(radius):
    mask = (np.random.default_rng(radius).random((60, 50)) < 0.01).astype(np.uint8)
    dilated = sitk.BinaryDilate(sitk.GetImageFromArray(mask), [radius, radius], sitk.sitkBall)
    np.testing.assert_array_equal(beyond(mask, radius), sitk.GetArrayFromImage(dilated) == 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("radius", [1, 3])
def test_true_cells_close_as_simpleitk_does(seed, radius):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(80, 90)), 3)
    contour = (np.abs(field) < 0.02).astype(np.uint8)
    closing = sitk.BinaryClosingByReconstructionImageFilter()
    closing.SetKernelRadius(radius)
    closing.SetKernelType(sitk.sitkBall)
    closed = sitk.GetArrayFromImage(closing.Execute(sitk.GetImageFromArray(contour)))
    expected, count = ndimage.label(closed == 0)
    assert count > 1
    np.testing.assert_array_equal(true_cells(contour, radius), expected)


def test_scoring_rule_closes_a_narrow_gap_and_grows_back():
    contour = np.zeros((30, 41), np.uint8)
    contour[:, 20] = 1
    contour[13:17, 20] = 0  # a gap of four pixels
    assert label_slice(contour, CellParams(**ALL)).max() == 1
    labels = scoring_labels(contour, dilation=3, grow=10)
    assert labels.max() == 2
    assert not labels[contour > 0].any()
    assert (labels[:, :20] == 1).all() and (labels[:, 21:] == 2).all()


def test_scoring_rule_grows_no_farther_than_asked():
    contour = np.zeros((30, 30), np.uint8)
    contour[:, 10] = 1
    free = scoring_labels(contour, dilation=3, grow=1)
    assert not free[:, 8:10].any() and free[:, :7].all()


def test_small_cells_go_and_numbers_close_up():
    mask = draw("""
        .#....
        ##....
        ......
    """)
    labels = label_slice(mask, CellParams(min_size=2))
    assert labels[0, 0] == 0 and set(np.unique(labels)) == {0, 1}
    assert label_slice(mask, CellParams(min_size=1)).max() == 2


def test_border_cells_go():
    mask = np.zeros((7, 7), np.uint8)
    mask[1:6, 1:6] = 1
    mask[2:5, 2:5] = 0
    labels = label_slice(mask, CellParams(remove_border=True, **ALL))
    np.testing.assert_array_equal(labels > 0, np.pad(np.ones((3, 3), bool), 2))


def test_holes_are_filled_only_inside_one_cell():
    mask = draw("""
        .........
        .##..###.
        .##..#.#.
        .....###.
        .........
    """)
    labels = label_slice(mask, CellParams(fill_holes=True, **ALL))
    assert (labels[1:3, 1:3] == 1).all()  # an island in the cell
    assert labels[2, 6] == 2 and labels[1, 5] == 0  # a cell in the cell keeps its contour
    np.testing.assert_array_equal(label_slice(mask, CellParams(**ALL))[1:3, 1:3], 0)


def test_a_contour_at_the_border_is_no_hole():
    mask = draw("""
        .##..
        .##..
        .....
    """)
    labels = label_slice(mask, CellParams(fill_holes=True, **ALL))
    np.testing.assert_array_equal(labels, 1 - mask)


def test_cells_end_at_excluded_areas():
    excluded = np.zeros((6, 9), bool)
    excluded[:, 4] = True
    labels = label_slice(np.zeros((6, 9)), CellParams(**ALL), excluded=excluded)
    assert labels.max() == 2 and not labels[excluded].any()
    for mode in ("slice", "3d", "linked"):
        stack = np.zeros((2, 6, 9))
        cells = finish(label_cells(stack, CellParams(mode=mode, **ALL), excluded=excluded))
        assert cells.labels.max() == 2 and not cells.labels[:, excluded].any()


def bridge():
    """Two cells in slice 0 that are one in slice 1."""
    closed = np.zeros((2, 5, 9), np.uint8)
    closed[0, :, 6] = 1
    return closed


def test_modes_differ_in_how_slices_are_joined():
    results = {
        mode: finish(label_cells(bridge(), CellParams(mode=mode, **ALL)))
        for mode in ("slice", "3d", "linked")
    }
    assert [r.labels[0, 0, 8] for r in results.values()] == [2, 1, 2]
    assert [r.labels[1, 0, 0] for r in results.values()] == [1, 1, 1]
    assert [list(r.counts) for r in results.values()] == [[2, 1], [1, 1], [2, 1]]
    np.testing.assert_array_equal(results["linked"].links, [(0, 1, 1), (0, 2, 2), (1, 1, 1)])
    assert all(r.labels.dtype == np.uint32 for r in results.values())


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (3, 5, 6)))
def test_3d_components_are_those_of_scipy(closed):
    expected, _ = ndimage.label(~closed)
    cells = finish(label_cells(closed, CellParams(mode="3d", **ALL)))
    np.testing.assert_array_equal(cells.labels, expected)


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (3, 6, 7)), st.booleans(), st.sampled_from(["slice", "linked"]))
def test_links_lead_from_slice_cells_to_cells(closed, remove_border, mode):
    params = CellParams(mode=mode, remove_border=remove_border, link_overlap=0.3, **ALL)
    cells = finish(label_cells(closed, params))
    assert not cells.labels[closed].any()
    present = np.unique(cells.labels)
    np.testing.assert_array_equal(present[present > 0], np.arange(1, cells.labels.max() + 1))
    for z, before, after in cells.links:
        own = label_slice(closed[z], params, keep_border=True) == before
        np.testing.assert_array_equal(cells.labels[z] == after, own)
    if mode == "linked":
        assert len(cells.links) == cells.counts.sum()


def test_a_linked_cell_at_the_border_goes_as_a_whole():
    closed = np.ones((2, 9, 9), np.uint8)
    closed[0, 2:7, 2:7] = 0
    closed[1, 2:7, 0:7] = 0
    params = CellParams(mode="linked", remove_border=True, **ALL)
    cells = finish(label_cells(closed, params))
    assert not cells.labels.any() and not cells.counts.any() and len(cells.links) == 0


def test_3d_cells_are_judged_by_their_largest_slice():
    closed = np.ones((2, 9, 9), np.uint8)
    closed[0, 1:2, 1:2] = 0
    closed[1, 1:5, 1:5] = 0
    closed[1, 7, 7] = 0
    cells = finish(label_cells(closed, CellParams(mode="3d", min_size=10)))
    assert cells.labels[0, 1, 1] == 1 and cells.labels[1, 7, 7] == 0


def test_scoring_rule_in_3d_does_not_reach_across_slices():
    closed = np.zeros((2, 30, 41), np.uint8)
    closed[:, :, 20] = 1
    closed[0, 13:17, 20] = 0
    cells = finish(label_cells(closed, CellParams(mode="3d", rule="scoring", **ALL)))
    assert cells.labels.max() == 2
    plain = finish(label_cells(closed, CellParams(mode="3d", **ALL)))
    assert plain.labels.max() == 1


@pytest.mark.parametrize("fill", [0, 1])
def test_empty_and_full_contours_work(fill):
    for mode in ("slice", "3d", "linked"):
        cells = finish(label_cells(np.full((2, 8, 8), fill), CellParams(mode=mode, rule="scoring")))
        assert cells.labels.max() == 1 - fill


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="2 axes"):
        finish(label_cells(np.zeros((5, 5))))
    with pytest.raises(InputError, match="excluded"):
        finish(label_cells(np.zeros((1, 5, 5)), excluded=np.zeros((4, 4))))


def test_views_work():
    mask = np.zeros((12, 12), np.uint8)
    mask[6] = 1
    view = mask[::2, ::2]
    expected, _ = ndimage.label(view == 0)
    np.testing.assert_array_equal(label_slice(view, CellParams(**ALL)), expected)


def test_holes_of_an_image_an_odd_number_of_pixels_wide():
    rng = np.random.default_rng(0)
    params = CellParams(fill_holes=True, **ALL)
    for _ in range(20):
        mask = ndimage.binary_dilation(rng.random((40, 39)) < 0.05)
        labels = label_slice(mask, params)
        plain = label_slice(mask, CellParams(**ALL))
        # Each hole, and nothing else, takes on the cell around it.
        holes, count = ndimage.label(plain == 0, np.ones((3, 3)))
        expected = plain.copy()
        for hole in range(1, count + 1):
            inside = holes == hole
            ring = ndimage.binary_dilation(inside) & ~inside
            at_border = np.pad(np.zeros((38, 37), bool), 1, constant_values=True)
            if len(np.unique(plain[ring])) == 1 and not (inside & at_border).any():
                expected[inside] = plain[ring][0]
        assert np.array_equal(labels, renumbered(expected))
