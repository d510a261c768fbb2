"""Contours drawn from labels, kinds of truth told apart, and truth resized."""

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.training.truth import (
    IGNORE,
    contours_from_labels,
    ignore_padding,
    mask_to_classes,
    resize_image,
    resize_truth,
    scale_for,
    truth_kind,
)


def two_cells():
    labels = np.ones((1, 6, 12), np.uint16)
    labels[:, :, 6:] = 2
    return labels


@pytest.mark.parametrize(("width", "columns"), [(2, [5, 6]), (4, [4, 5, 6, 7])])
def test_line_between_two_cells_is_centred_and_as_wide_as_asked(width, columns):
    contours = contours_from_labels(two_cells(), width)
    expected = np.zeros((1, 6, 12), np.uint8)
    expected[:, :, columns] = 1
    np.testing.assert_array_equal(contours, expected)


def test_each_slice_is_drawn_on_its_own():
    labels = np.concatenate([np.full((1, 6, 12), 1), np.full((1, 6, 12), 2), two_cells()])
    contours = contours_from_labels(labels, 2)
    assert contours[:2].sum() == 0
    assert contours[2].sum() == 12


def test_label_zero_as_region_contour_or_not_annotated():
    labels = two_cells()
    labels[:, :, 10:] = 0
    assert set(np.unique(contours_from_labels(labels, 2))) == {0, 1}
    assert contours_from_labels(labels, 2, "region")[0, 0].tolist() == [0] * 5 + [1, 1] + [
        0,
        0,
        1,
        1,
        0,
    ]
    assert contours_from_labels(labels, 2, "contour")[0, 0, 10:].tolist() == [1, 1]
    assert contours_from_labels(labels, 2, "ignore")[0, 0, 9:].tolist() == [1, 2, 2]


def test_kind_of_truth_is_told_by_values():
    assert truth_kind(np.arange(8).reshape(1, 2, 4).repeat(3, 1).repeat(3, 2)) == "labels"
    mask = np.zeros((1, 10, 10), np.uint8)
    mask[:, 5] = 255
    assert truth_kind(mask) == "contours"
    with pytest.raises(InputError, match="cells or contours"):
        truth_kind(255 - mask)


@pytest.mark.parametrize(
    "stored", [np.uint8([0, 1]), np.uint8([0, 128]), np.uint16([0, 65535]), np.uint8([1, 2])]
)
def test_every_way_to_store_a_mask_gives_the_same_classes(stored):
    mask = np.zeros((1, 40, 40), np.uint8)
    mask[:, 20] = 1
    assert truth_kind(stored[mask]) == "contours"
    np.testing.assert_array_equal(mask_to_classes(stored[mask], "contours"), mask)


def test_masks_become_classes():
    cells = np.array([[[255, 0, 255]]], np.uint8)
    assert mask_to_classes(cells, "cells").tolist() == [[[0, 1, 0]]]
    part = np.array([[[0, 1, 255, 2]]], np.uint8)
    assert mask_to_classes(part, "contours").tolist() == [[[0, 1, 2, 2]]]
    assert mask_to_classes(np.array([[[0.2, 0.8]]]), "contours").tolist() == [[[0, 1]]]


def test_contours_have_the_width_asked_for_after_resizing():
    labels = np.repeat(np.repeat(two_cells(), 4, axis=1), 4, axis=2)  # 24 × 48
    for scale in (0.5, 1.0, 2.0):
        contours = resize_truth(labels, scale, "labels", 4, "region")
        assert contours.shape == (1, 24 * scale, 48 * scale)
        assert (contours[0] == 1).sum(axis=1).tolist() == [4] * int(24 * scale)


def test_label_zero_lines_shrink_to_the_width_of_all_others():
    labels = two_cells().repeat(4, axis=1).repeat(4, axis=2)
    labels[:, :, 22:26] = 0
    contours = resize_truth(labels, 1.0, "labels", 2, "contour")
    assert np.flatnonzero(contours[0, 12]).tolist() == [23, 24]


def test_a_thin_line_survives_shrinking():
    mask = np.zeros((1, 64, 64), np.uint8)
    mask[:, 31:33] = 1
    small = resize_truth(mask, 0.5, "contours", 4, "region")
    assert (small[0] == 1).any(axis=0).all()


def test_slices_are_normalised_one_by_one():
    rng = np.random.default_rng(0)
    stack = rng.normal(size=(3, 20, 20)) * [[[1]], [[5]], [[0]]] + [[[0]], [[100]], [[7]]]
    resized = resize_image(stack, 2.0)
    assert resized.shape == (3, 40, 40)
    np.testing.assert_allclose(resized.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(resized.std(axis=(1, 2)), [1, 1, 0], atol=1e-5)


def test_padding_is_left_out_of_training():
    rng = np.random.default_rng(0)
    stack = rng.integers(20, 250, (2, 80, 80)).astype(np.uint8)
    plain = resize_image(stack, 0.5)
    padded = stack.copy()
    padded[1, :, :30] = 0
    resized = resize_image(padded, 0.5)
    np.testing.assert_array_equal(resized[0], plain[0])
    valid = resized[1, :, 15:]
    assert valid.mean() == pytest.approx(0, abs=1e-4)
    assert valid.std() == pytest.approx(1, abs=1e-4)
    # Filled with what is beside it.
    assert resized[1, :, :15].std() == pytest.approx(1, abs=0.3)
    classes = ignore_padding(np.ones((2, 40, 40), np.uint8), padded)
    assert (classes[0] == 1).all()
    assert (classes[1, :, :15] == IGNORE).all() and (classes[1, :, 15:] == 1).all()


def test_strips_are_trained_on_at_the_size_at_which_they_are_seen():
    assert scale_for((3, 200, 6000), 512) == 1
    assert scale_for((3, 400, 800), 512) == 0.64
