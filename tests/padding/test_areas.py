"""Connected areas as scipy labels them, and masks grown as scipy grows them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_copnet.padding import areas as module
from napari_copnet.padding.areas import Areas, grown

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))
EVERYTHING = np.ones((3, 3), bool)


@settings(max_examples=200, deadline=None)
@given(mask=masks, diagonal=st.booleans())
def test_areas_are_those_of_scipy(mask, diagonal):
    expected, count = ndimage.label(mask, EVERYTHING if diagonal else None)
    areas = Areas(mask, diagonal)
    assert areas.sizes.tolist() == np.bincount(expected.ravel(), minlength=count + 1)[1:].tolist()
    for number in range(count):
        painted = np.zeros(mask.shape, bool)
        areas.paint(number, painted)
        np.testing.assert_array_equal(painted, expected == number + 1)
        box = areas.box(number)
        assert box == ndimage.find_objects(expected)[number]
        np.testing.assert_array_equal(areas.pixels(number, box), painted[box])
        assert areas.first_pixel(number) == tuple(np.argwhere(painted)[0])
    edge = np.concatenate([expected[0], expected[-1], expected[:, 0], expected[:, -1]])
    assert set(areas.at_border()) == set(edge[edge > 0] - 1)


def test_an_area_goes_on_where_rows_are_looked_at_apart(monkeypatch):
    mask = np.random.default_rng(0).random((40, 30)) < 0.5
    whole = Areas(mask).sizes
    monkeypatch.setattr(module, "_ROWS", 3)
    np.testing.assert_array_equal(Areas(mask).sizes, whole)


def test_a_box_with_more_around_it_stays_within_the_mask():
    mask = np.zeros((10, 12), bool)
    mask[1:3, 5:11] = True
    assert Areas(mask).box(0, beyond=2) == (slice(0, 5), slice(3, 12))


@settings(max_examples=60, deadline=None)
@given(mask=masks, reach=st.integers(1, 3))
def test_growing_is_that_of_scipy(mask, reach):
    side = 2 * reach + 1
    expected = ndimage.binary_dilation(mask, np.ones((side, side)))
    np.testing.assert_array_equal(grown(mask, reach), expected)
