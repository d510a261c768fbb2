"""Statistics without padding, and hot pixels brought into range."""

import numpy as np
import pytest

from napari_copnet.padding.grey import clean_slice, without_hot_pixels, z_score

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
