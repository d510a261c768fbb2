"""Resizing equals that of scikit-image, whatever the shape and type."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize

from napari_copnet.padding.grey import mean_and_deviation, z_score
from napari_copnet.steps.resize import resize_linear, resize_mask


def by_scikit_image(image, shape):
    sigma = [max(0.0, (n / m - 1) / 2) for n, m in zip(image.shape, shape, strict=True)]
    return resize(
        image.astype(np.float64),
        shape,
        order=1,
        mode="symmetric",
        anti_aliasing=any(sigma),
        anti_aliasing_sigma=sigma,
        preserve_range=True,
    )


sides = st.tuples(st.integers(1, 70), st.integers(1, 70))


@settings(max_examples=100, deadline=None)
@given(before=sides, after=sides, seed=st.integers(0, 99))
def test_resizing_is_that_of_scikit_image(before, after, seed):
    image = np.random.default_rng(seed).normal(size=before).astype(np.float32)
    found = resize_linear(image, after)
    assert found.dtype == np.float32 and found.shape == after
    np.testing.assert_allclose(found, by_scikit_image(image, after), atol=2e-6)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "float16", "float64"])
@pytest.mark.parametrize("shape", [(20, 31), (90, 40), (128, 150)])
def test_any_type_is_resized(dtype, shape):
    image = (np.random.default_rng(0).random((64, 75)) * 2).astype(dtype)
    np.testing.assert_allclose(
        resize_linear(image, shape), by_scikit_image(image, shape), atol=2e-6
    )


@settings(max_examples=40, deadline=None)
@given(before=sides, after=sides)
def test_values_stay_within_their_range(before, after):
    image = np.random.default_rng(0).integers(0, 2, before).astype(np.float32)
    found = resize_linear(image, after)
    assert found.min() >= image.min() and found.max() <= image.max()


def test_an_image_of_its_shape_stays_as_it_is():
    image = np.random.default_rng(0).normal(size=(33, 41)).astype(np.float32)
    np.testing.assert_array_equal(resize_linear(image, image.shape), image)


def test_a_slice_may_be_resized_before_it_is_scaled():
    image = np.random.default_rng(0).integers(0, 256, (90, 80), np.uint8)
    mean, deviation = mean_and_deviation(image)
    after = (resize_linear(image, (20, 19)) - mean) / deviation
    np.testing.assert_allclose(after, resize_linear(z_score(image), (20, 19)), atol=2e-6)


def test_a_mask_is_set_where_most_of_a_pixel_is():
    mask = np.random.default_rng(0).random((60, 44)) < 0.5
    soft = by_scikit_image(mask, (20, 11))
    sure = np.abs(soft - 0.5) > 1e-5
    np.testing.assert_array_equal(resize_mask(mask, (20, 11))[sure], soft[sure] > 0.5)
