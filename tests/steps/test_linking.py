"""Linking slice cells through z."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_copnet.steps.cells import renumbered
from napari_copnet.steps.linking import best_mutual, link_slices, overlaps


def linked(slices, overlap=0.5):
    return np.stack([labels for labels, _ in link_slices(np.asarray(slices, np.uint32), overlap)])


def test_a_cell_that_moves_a_little_keeps_its_label():
    slices = np.zeros((3, 2, 8), np.uint32)
    slices[0, :, 0:3], slices[0, :, 5:8] = 1, 2
    slices[1, :, 0:4], slices[1, :, 5:7] = 1, 2
    slices[2, :, 5:8] = 1  # the first cell ends, so the second is now alone
    expected = slices.copy()
    expected[2, :, 5:8] = 2
    np.testing.assert_array_equal(linked(slices), expected)


def test_overlap_below_the_setting_starts_a_new_cell():
    slices = np.zeros((2, 1, 10), np.uint32)
    slices[0, :, 0:6], slices[1, :, 4:10] = 1, 1  # intersection 2, union 10
    assert set(np.unique(linked(slices, 0.5)[1])) == {0, 2}
    assert set(np.unique(linked(slices, 0.2)[1])) == {0, 1}


def test_of_two_cells_over_one_only_the_better_is_linked():
    slices = np.zeros((2, 1, 10), np.uint32)
    slices[0, :, 0:10] = 1
    slices[1, :, 0:6], slices[1, :, 7:10] = 1, 2
    np.testing.assert_array_equal(linked(slices, 0.0)[1, 0], [1] * 6 + [0] + [2] * 3)


def test_an_empty_slice_is_bridged_but_not_a_long_gap():
    cell = np.ones((1, 2, 2), np.uint32)
    empty = np.zeros((1, 2, 2), np.uint32)
    assert linked(np.concatenate([cell, empty, cell]))[2].max() == 1
    assert linked(np.concatenate([cell, *[empty] * 4, cell]))[5].max() == 2


label_images = arrays(np.uint32, (3, 4, 6), elements=st.integers(0, 4))


@settings(max_examples=80, deadline=None)
@given(label_images, st.floats(0, 1))
def test_no_linked_cell_has_two_cells_of_a_slice(slices, overlap):
    slices = np.stack([renumbered(image) for image in slices])
    for z, (labels, lookup) in enumerate(link_slices(slices, overlap)):
        assert np.unique(lookup).size == lookup.size
        np.testing.assert_array_equal(labels, lookup[slices[z]])


@settings(max_examples=80, deadline=None)
@given(label_images)
def test_overlaps_are_counted_as_by_hand(images):
    table = overlaps(images[0], images[1]).toarray()
    for a in range(table.shape[0]):
        for b in range(table.shape[1]):
            assert table[a, b] == np.sum((images[0] == a) & (images[1] == b))


@settings(max_examples=80, deadline=None)
@given(label_images, st.floats(0, 1))
def test_matches_are_mutually_best(images, overlap):
    first, second = images[0], images[1]

    def iou(a, b):
        either = np.sum((first == a) | (second == b))
        return np.sum((first == a) & (second == b)) / either

    pairs = best_mutual(first, second, overlap)
    for a, b in pairs:
        assert iou(a, b) >= overlap and iou(a, b) > 0
        assert all(iou(a, other) <= iou(a, b) for other in range(1, 5) if (second == other).any())
        assert all(iou(other, b) <= iou(a, b) for other in range(1, 5) if (first == other).any())
    matched = set(pairs[:, 0])
    for a in range(1, 5):  # a lone clear overlap is always found
        partners = [b for b in range(1, 5) if ((first == a) & (second == b)).any()]
        if len(partners) == 1:
            baselines = [c for c in range(1, 5) if ((first == c) & (second == partners[0])).any()]
            if baselines == [a] and iou(a, partners[0]) >= overlap:
                assert a in matched
