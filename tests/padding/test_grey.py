"""Statistics without padding, and hot pixels brought into range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_copnet.padding import grey as module
from napari_copnet.padding.grey import (
    clean_slice,
    mean_and_deviation,
    percentiles,
    without_hot_pixels,
    z_score,
)

RNG = np.random.default_rng(0)
GREY = RNG.normal(1000, 100, (80, 90)).astype(np.float32)


def test_padding_has_no_part_in_the_z_score():
    padding = np.zeros(GREY.shape, bool)
    padding[:30] = True
    image = np.where(padding, np.float32(0), GREY)
    scored = z_score(image, padding)
    assert scored[~padding].mean() == pytest.approx(0, abs=1e-5)
    assert scored[~padding].std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(scored[~padding], z_score(GREY[30:]).ravel())


@pytest.mark.parametrize("value", [65535, -30000])
def test_a_few_hot_or_dead_pixels_change_nearly_nothing(value):
    hot = GREY.copy()
    hot[RNG.integers(0, 80, 5), RNG.integers(0, 90, 5)] = value
    cleaned = z_score(without_hot_pixels(hot))
    usual = (np.abs(cleaned) < 2.5) & (hot == GREY)
    assert np.abs(cleaned - z_score(GREY))[usual].max() < 0.05
    assert np.abs(cleaned).max() < 6


@pytest.mark.parametrize(
    "image",
    [
        GREY,
        RNG.integers(0, 256, (60, 60)).astype(np.float32),
        np.where(np.eye(60) > 0, np.float32(255), np.float32(0)),
    ],
    ids=["noise", "bytes", "lines"],
)
def test_usual_images_stay_the_very_same(image):
    assert without_hot_pixels(image) is image
    assert clean_slice(image, None) is image


def test_hot_padding_does_not_count():
    padding = np.zeros(GREY.shape, bool)
    padding[:30] = True
    image = np.where(padding, np.float32(65535), GREY)
    assert without_hot_pixels(image, padding) is image


def test_an_image_of_nothing_but_padding_stays():
    everything = np.ones(GREY.shape, bool)
    assert without_hot_pixels(GREY, everything) is GREY


images = arrays(
    st.sampled_from([np.uint8, np.uint16]),
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12),
    elements=st.integers(0, 255),
)


@settings(max_examples=100, deadline=None)
@given(image=images, seed=st.integers(0, 99), hot=st.booleans())
def test_whole_numbers_are_as_good_as_float(image, seed, hot):
    padding = np.random.default_rng(seed).random(image.shape) < 0.3
    if hot:
        image[0, 0] = np.iinfo(image.dtype).max
    if padding.all() or np.ptp(image[~padding]) == 0:
        return
    plain = without_hot_pixels(image.astype(np.float32), padding)
    cleaned = without_hot_pixels(image, padding)
    np.testing.assert_allclose(cleaned, plain, rtol=1e-6)
    assert (cleaned is image) == np.array_equal(plain, image)
    scored = z_score(image, padding)
    assert scored.dtype == np.float32
    np.testing.assert_allclose(scored, z_score(image.astype(np.float32), padding), atol=2e-6)


@settings(max_examples=100, deadline=None)
@given(
    values=arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32]),
        array_shapes(max_dims=2, max_side=40),
        elements=st.integers(0, 255),
    ),
    rank=st.floats(0, 100),
)
def test_percentiles_are_those_of_numpy(values, rank):
    expected = np.percentile(values.astype(np.float64), rank)
    assert percentiles(values, (rank,))[0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("make", [np.sort, np.random.default_rng(1).permutation, np.round])
def test_percentiles_of_many_values_are_looked_for_where_they_are(monkeypatch, make):
    monkeypatch.setattr(module, "_TOGETHER", 500)
    values = make(RNG.normal(0, 1, 40_000).astype(np.float32))
    ranks = (0.0, 0.1, 1.0, 33.3, 50.0, 99.9, 100.0)
    np.testing.assert_allclose(percentiles(values, ranks), np.percentile(values, ranks), rtol=1e-5)


def test_a_z_score_in_parts_is_the_same(monkeypatch):
    whole = z_score(GREY)
    monkeypatch.setattr(module, "_TOGETHER", 1000)
    np.testing.assert_allclose(z_score(GREY), whole, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_mean_and_deviation_are_those_of_the_valid_part(dtype):
    image = (GREY / 6).astype(dtype)
    padding = GREY > 1050
    mean, deviation = mean_and_deviation(image, padding)
    valid = image[~padding].astype(np.float64)
    assert (mean, deviation) == pytest.approx((valid.mean(), valid.std()), rel=1e-12)
