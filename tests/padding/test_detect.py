"""Padding: found to a pixel or two whatever its value, and tissue is never taken for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_copnet.padding import detect
from napari_copnet.padding.detect import find_padding

SIDE = 160
YY, XX = np.mgrid[:SIDE, :SIDE]


def tissue(seed, noise=10.0):
    """Grey structures of a few pixels, with the noise of a microscope, 8 bits."""
    rng = np.random.default_rng(seed)
    structures = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3)
    image = 130 + 30 * structures / structures.std() + rng.normal(0, noise, (SIDE, SIDE))
    return np.clip(np.round(image), 2, 253)


def outside(angles, offsets):
    """A border that lies beyond straight lines at some distance from the centre."""
    mask = np.zeros((SIDE, SIDE), bool)
    for angle, offset in zip(angles, offsets, strict=True):
        along = (XX - SIDE / 2) * np.cos(angle) + (YY - SIDE / 2) * np.sin(angle)
        mask |= along > offset
    return mask


def deepest(wrong, right):
    """How far from its edge the farthest wrong pixel lies, px."""
    return ndimage.distance_transform_edt(right)[wrong].max(initial=0.0)


borders = st.lists(
    st.tuples(st.floats(0, 2 * np.pi), st.floats(SIDE * 0.3, SIDE * 0.45)), min_size=1, max_size=4
).map(lambda pairs: outside(*zip(*pairs, strict=True)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 99), border=borders, value=st.integers(0, 255))
def test_a_polygonal_border_of_any_value_is_found_to_two_pixels(seed, border, value):
    image = np.where(border, value, tissue(seed))
    found = find_padding(image.astype(np.float32))
    if border.sum() < 200 or ndimage.distance_transform_edt(border).max() < 6:
        return
    assert found is not None
    assert deepest(border & ~found, border) <= 2
    assert deepest(found & ~border, ~border) <= 2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    angle=st.floats(0, 2 * np.pi),
    offset=st.floats(10, 50),
    value=st.sampled_from([0, 40, 128, 210, 255]),
)
def test_a_border_with_the_noise_of_jpeg_is_found(seed, angle, offset, value):
    border = outside([angle], [offset])
    noise = np.random.default_rng(seed + 1).normal(0, 1, border.shape)
    image = np.where(border, np.clip(np.round(value + noise), 0, 255), tissue(seed))
    found = find_padding(image.astype(np.float32))
    assert found is not None
    assert np.count_nonzero(found & border) > 0.97 * np.count_nonzero(border)
    assert deepest(found & ~border, ~border) <= 5


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(2, 30))
def test_nothing_is_found_in_tissue(seed, noise):
    assert find_padding(tissue(seed, noise).astype(np.float32)) is None


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 99),
    y=st.floats(0, SIDE),
    x=st.floats(0, SIDE),
    radius=st.floats(8, 55),
    long=st.floats(0.6, 1.6),
    value=st.sampled_from([0, 255]),
)
def test_a_round_saturated_lumen_is_tissue_wherever_it_lies(seed, y, x, radius, long, value):
    lumen = np.hypot(YY - y, (XX - x) * long) < radius
    image = np.where(lumen, value, tissue(seed))
    found = find_padding(image.astype(np.float32))
    assert found is None or not found.any()


def test_resin_with_the_noise_of_tissue_is_no_padding():
    rng = np.random.default_rng(0)
    resin = 200 + rng.normal(0, 10, (SIDE, SIDE))
    image = np.where(XX > 100, resin, tissue(3))
    assert find_padding(image.astype(np.float32)) is None


@pytest.mark.parametrize(("value", "found"), [(90, True), (0, True)])
def test_a_straight_hole_is_found(value, found):
    hole = (abs(YY - 80) < 20) & (abs(XX - 70) < 25)
    mask = find_padding(np.where(hole, value, tissue(1)).astype(np.float32))
    assert (mask is not None) == found
    assert deepest(mask ^ hole, mask | hole) <= 2


def test_a_round_hole_is_found_at_a_grey_that_tissue_has():
    hole = np.hypot(YY - 80, XX - 70) < 20
    mask = find_padding(np.where(hole, 140, tissue(1)).astype(np.float32))
    assert np.array_equal(mask, hole)


def test_a_ragged_border_is_found():
    steps = np.repeat(np.random.default_rng(0).integers(10, 30, SIDE // 4), 4)
    border = steps[:, None] > XX
    mask = find_padding(np.where(border, 0, tissue(2)).astype(np.float32))
    assert deepest(mask ^ border, mask | border) <= 2


@pytest.mark.parametrize("width", [1, 2, 4])
def test_thin_lines_at_the_border_are_found(width):
    image = tissue(5)
    image[:width] = 0
    image[:, -width:] = 255
    expected = np.zeros_like(image, bool)
    expected[:width] = True
    expected[:, -width:] = True
    found = find_padding(image.astype(np.float32))
    assert deepest(found ^ expected, found | expected) <= 1


def test_dead_pixels_within_padding_are_padding():
    border = outside([0.3], [20])
    image = np.where(border, 0, tissue(5))
    image[40:43, 150:152] = 200
    found = find_padding(image.astype(np.float32))
    assert found[38:45, 148:154].all()


@pytest.mark.parametrize(
    "image",
    [
        np.where((YY // 20 + XX // 20) % 2, 50, 200),
        (YY // 16) * 10 + XX // 16,
        np.zeros((SIDE, SIDE)),
        YY.astype(float),
        np.where(np.hypot(YY - 80, XX - 80) < 40, 255, 0),
    ],
    ids=["mask", "labels", "blank", "ramp", "disc"],
)
def test_drawings_have_no_padding(image):
    assert find_padding(image.astype(np.float32)) is None


@pytest.mark.parametrize("factor", [1e-4, 257.0])
def test_the_unit_of_the_values_does_not_matter(factor):
    border = outside([0.4, 2.5], [60, 55])
    image = np.where(border, 20.0, tissue(4))
    plain = find_padding(image.astype(np.float32))
    scaled = find_padding((image * factor).astype(np.float32))
    assert np.array_equal(plain, scaled)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("noise", [0, 1])
def test_whole_numbers_are_as_good_as_float(dtype, noise):
    border = outside([0.4, 2.5], [60, 55])
    grain = np.random.default_rng(1).normal(0, noise, border.shape)
    image = np.where(border, np.round(20.0 + grain), tissue(4))
    expected = find_padding(image.astype(np.float32))
    assert np.array_equal(find_padding(image.astype(dtype)), expected)


@pytest.mark.parametrize("noise", [0, 0.5, 1])
@pytest.mark.parametrize("seed", range(5))
def test_some_windows_of_a_large_slice_tell_the_same_as_all(monkeypatch, seed, noise):
    border = outside([seed, 2 * seed + 1], [50, 60])
    grain = np.random.default_rng(seed).normal(0, noise, border.shape)
    image = np.where(border, np.round(40 * seed + grain), tissue(seed)).astype(np.float32)
    every = find_padding(image)
    monkeypatch.setattr(detect, "LOOKED_AT", 54)
    some = find_padding(image)
    assert np.count_nonzero(some ^ every) <= (5 if noise else 0)


def test_a_line_at_the_border_is_told_by_nearly_all_of_its_pixels():
    image = tissue(3)
    image[0] = 9
    image[0, ::40] = 100  # 2.5 %
    assert find_padding(image.astype(np.float32))[0].all()
    image[0, 1::50] = 100
    assert find_padding(image.astype(np.float32)) is None
