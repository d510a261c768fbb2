"""Outlines of areas as scikit-image finds them, and what is told from them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage import measure

from napari_copnet.padding.outline import Hull, outlines


def as_set(curves):
    return sorted(curve.tobytes() for curve in curves)


def assert_same_outlines(area):
    expected = measure.find_contours(area.astype(np.float32), 0.5)
    assert as_set(outlines(area)) == as_set(expected)


@settings(max_examples=200, deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12)))
def test_outlines_are_those_of_scikit_image(area):
    assert_same_outlines(area)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 90))
def test_so_are_long_ones(seed, width):
    noise = np.random.default_rng(seed).normal(size=(100, width))
    assert_same_outlines(ndimage.gaussian_filter(noise, 3) > 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 300), st.integers(0, 300))
def test_the_share_beyond_the_hull_counts_pixels(seed, top, left):
    rng = np.random.default_rng(seed)
    tissue = ndimage.gaussian_filter(rng.normal(size=(400, 600)), 30) > 0.01
    area = rng.random((90, 130)) < 0.5
    hull = Hull(tissue)
    rows, columns = np.nonzero(area)
    from skimage.morphology import convex_hull_image

    coarse = convex_hull_image(tissue[::3, ::3])
    expected = np.mean(~coarse[(rows + top) // 3, (columns + left) // 3])
    assert hull.beyond(area, (top, left)) == expected
