"""Padding filled by mirroring: as numpy does it at straight borders, and without a seam."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_copnet.padding.fill import BOUNCES, fill_mirrored, mirrored_source
from napari_copnet.padding.nearest import nearest_valid

SIDE = 64
YY, XX = np.mgrid[:SIDE, :SIDE]


def smooth(seed=0):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 4)


def test_a_straight_border_is_mirrored_as_numpy_does():
    image = smooth()
    padding = XX < 10
    expected = np.pad(image[:, 10:], ((0, 0), (10, 0)), mode="reflect")
    assert np.array_equal(fill_mirrored(np.where(padding, -9, image), padding), expected)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9),
    angle=st.floats(0, 2 * np.pi),
    offset=st.floats(-12, 25),
    other=st.floats(0, 2 * np.pi),
)
def test_a_turned_border_leaves_no_seam(seed, angle, offset, other):
    image = smooth(seed)
    padding = np.zeros((SIDE, SIDE), bool)
    for at in (angle, other):
        padding |= (XX - 32) * np.cos(at) + (YY - 32) * np.sin(at) > offset
    if not padding.any() or padding.mean() > 0.7:
        return
    filled = fill_mirrored(np.where(padding, 100.0, image), padding)
    assert np.array_equal(filled[~padding], image[~padding])
    assert filled.max() <= image[~padding].max()
    edge = padding & ndimage.binary_dilation(~padding, np.ones((3, 3)))
    steps = np.abs(np.diff(filled, axis=1))[edge[:, 1:]]
    usual = np.abs(np.diff(image, axis=1))
    # At a slanted edge mirrored pixels lie a few pixels apart.
    assert steps.max(initial=0) <= 4 * usual.max()


def test_deep_padding_takes_valid_pixels_alone():
    padding = np.ones((SIDE, SIDE), bool)
    padding[30:34, 28:33] = False
    rows, columns = mirrored_source(padding)
    assert not padding[rows, columns].any()
    assert rows.size == np.count_nonzero(padding)


def test_nothing_to_fill_gives_the_image_itself():
    image = smooth()
    assert fill_mirrored(image, None) is image
    assert fill_mirrored(image, np.zeros(image.shape, bool)) is image
    assert fill_mirrored(image, np.ones(image.shape, bool)) is image


paddings = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)).filter(
    lambda padding: not padding.all()
)


def nearest_of_scipy(padding):
    return ndimage.distance_transform_edt(padding, return_distances=False, return_indices=True)


@settings(max_examples=300, deadline=None)
@given(paddings)
def test_the_nearest_valid_pixel_is_that_of_scipy_ties_included(padding):
    np.testing.assert_array_equal(nearest_valid(padding), nearest_of_scipy(padding))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_so_it_is_in_wide_padding(seed):
    noise = np.random.default_rng(seed).normal(size=(90, 120))
    padding = ndimage.gaussian_filter(noise, 8) > -0.02
    np.testing.assert_array_equal(nearest_valid(padding), nearest_of_scipy(padding))


@settings(max_examples=100, deadline=None)
@given(paddings)
def test_points_are_mirrored_until_they_are_valid(padding):
    nearest = nearest_of_scipy(padding)
    expected = []
    for point in np.argwhere(padding):
        for _ in range(BOUNCES):
            if not padding[tuple(point)]:
                break
            point = 2 * nearest[:, *point] - point
            period = 2 * np.array(padding.shape)
            point = np.minimum(point % period, period - 1 - point % period)
        expected.append(nearest[:, *point])
    found = np.stack(mirrored_source(padding), axis=1)
    np.testing.assert_array_equal(found, np.reshape(expected, (-1, 2)))
