"""Padding filled by mirroring: as numpy does it at straight borders, and without a seam."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_copnet.padding.fill import fill_mirrored, mirrored_source

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
