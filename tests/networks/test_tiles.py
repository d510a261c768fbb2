"""Tiles against nnU-Net's own functions, and the laws they keep."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_copnet.networks.tiles import (
    fitting_tile,
    gaussian_weight,
    normalised,
    padding,
    smaller_tile,
    tile_boxes,
    tile_starts,
)


@settings(max_examples=100, deadline=None)
@given(
    tile=st.integers(1, 80), more=st.integers(0, 300), overlap=st.sampled_from([0, 0.25, 0.5, 0.9])
)
def test_tiles_cover_everything_and_lie_where_nnunet_puts_them(tile, more, overlap):
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    size = tile + more
    starts = tile_starts(size, tile, overlap)
    assert starts == compute_steps_for_sliding_window((size,), (tile,), 1 - overlap)[0]
    covered = np.zeros(size, bool)
    for (box,) in tile_boxes((size,), (tile,), overlap):
        covered[box] = True
    assert covered.all()


@pytest.mark.parametrize("tile", [(64, 64), (48, 80), (7, 9), (8, 16, 32)])
def test_the_weight_is_that_of_nnunet(tile):
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    theirs = compute_gaussian(tile, dtype=torch.float64, device=torch.device("cpu")).numpy()
    ours = gaussian_weight(tile)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert ours.min() > 0 and ours[tuple(side // 2 for side in tile)] == 1


def test_padding_centres_and_gives_the_odd_pixel_to_the_end():
    assert padding((5, 40), (8, 32)) == [(1, 2), (0, 0)]


def test_normalising_leaves_the_input_and_works_by_channel():
    image = np.array([[[1, 2], [3, 4]], [[0, 5], [10, 5]], [[7, 7], [7, 7]]], np.float32)
    before = image.copy()
    result = normalised(image, ("zscore", "rescale01", "none"))
    np.testing.assert_allclose(result[0], (image[0] - 2.5) / np.sqrt(1.25), rtol=1e-6)
    np.testing.assert_allclose(result[1], image[1] / 10)
    np.testing.assert_array_equal(result[2], image[2])
    np.testing.assert_array_equal(image, before)
    assert not normalised(image[2:], ("zscore",)).any()


def test_a_tile_is_no_larger_than_the_image_needs_and_no_smaller_than_the_patch():
    assert fitting_tile((100, 30), (512, 512), (64, 64), (16, 16)) == (112, 64)
    assert fitting_tile((900, 512), (512, 512), (64, 64), (16, 16)) == (512, 512)
    assert fitting_tile((20, 20), (32, 32), (32, 32), (8, 8)) == (32, 32)


def test_a_tile_is_halved_along_its_longest_side_down_to_twice_the_stride():
    assert smaller_tile((32, 64), (8, 8)) == (32, 32)
    assert smaller_tile((24, 16), (8, 8)) is None
    assert smaller_tile((40, 16), (8, 8)) == (16, 16)
