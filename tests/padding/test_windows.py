"""Windows by their definition: filters of scipy over whole slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_copnet.padding.windows import constant_windows, quiet_windows, window_spread, within

shapes = array_shapes(min_dims=2, max_dims=2, max_side=12)


@settings(max_examples=100, deadline=None)
@given(
    image=arrays(st.sampled_from([np.uint8, np.float32]), shapes, elements=st.integers(0, 1)),
    reach=st.integers(1, 3),
)
def test_constant_windows_have_one_extreme(image, reach):
    side = 2 * reach + 1
    low = ndimage.minimum_filter(image, side, mode="nearest")
    high = ndimage.maximum_filter(image, side, mode="nearest")
    np.testing.assert_array_equal(constant_windows(image, reach), low == high)


def by_filter(image, reach):
    values = image.astype(np.float64)
    mean = ndimage.uniform_filter(values, 2 * reach + 1, mode="nearest")
    power = ndimage.uniform_filter((values - 100) ** 2, 2 * reach + 1, mode="nearest")
    return np.sqrt(np.maximum(power - (mean - 100) ** 2, 0)), mean


def noise(dtype, shape=(150, 37)):
    return np.random.default_rng(0).normal(100, 9, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("reach", [1, 5])
@pytest.mark.parametrize("step", [1, 4])
def test_spread_and_mean_are_those_of_a_filter(dtype, reach, step):
    image = noise(dtype)
    spread, mean = by_filter(image, reach)
    found, found_mean = window_spread(image, reach, step)
    np.testing.assert_allclose(found, spread[::step, ::step], rtol=1e-9)
    np.testing.assert_allclose(found_mean, mean[::step, ::step], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("reach", [1, 5])
def test_quiet_windows_are_those_of_a_filter(dtype, reach):
    image = noise(dtype)
    spread, mean = by_filter(image, reach)
    np.testing.assert_array_equal(quiet_windows(image, reach, 8.503), spread < 8.503)
    both = (spread < 8.503) & (np.abs(mean - 101) < 2.007)
    np.testing.assert_array_equal(quiet_windows(image, reach, 8.503, 101.0, 2.007), both)


def test_a_hot_pixel_does_not_disturb_windows_far_from_it():
    image = noise("float32")
    image[3, 3] = 1e12
    there = quiet_windows(image, 1, 8.5)[70:]
    np.testing.assert_array_equal(there, by_filter(noise("float32"), 1)[0][70:] < 8.5)


@settings(max_examples=60, deadline=None)
@given(mask=arrays(bool, shapes), reach=st.integers(1, 12))
def test_within_some_steps_is_a_repeated_dilation(mask, reach):
    expected = ndimage.binary_dilation(mask, iterations=reach)
    np.testing.assert_array_equal(within(mask, reach), expected)
