"""Degradations beyond the equation."""

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.training.artefacts import add_artefacts


@pytest.fixture
def grid():
    contour = np.zeros((128, 160), np.uint8)
    for start in range(3):
        contour[start::32] = 1
        contour[:, start::32] = 1
    return contour


def with_artefacts(contour, seeds, strength=1.0):
    return np.stack(
        [add_artefacts(contour, contour, np.random.default_rng(s), strength) for s in seeds]
    )


def test_maps_are_probabilities_that_differ_by_seed(grid):
    kept = grid.copy()
    maps = with_artefacts(grid, range(4))
    assert maps.dtype == np.float32 and maps.shape[1:] == grid.shape
    assert np.isfinite(maps).all() and maps.min() >= 0 and maps.max() <= 1
    assert all(np.any(maps[0] != other) for other in maps[1:])
    np.testing.assert_array_equal(with_artefacts(grid, [2])[0], maps[2])
    np.testing.assert_array_equal(grid, kept)


def test_strength_zero_returns_the_map(grid):
    np.testing.assert_array_equal(with_artefacts(grid, [0], 0.0)[0], grid.astype(np.float32))


def test_contours_break_and_false_ones_appear_but_most_stay(grid):
    maps = with_artefacts(grid, range(30)) > 0.5
    kept = maps[:, 1::32, :].mean(axis=(1, 2))  # the middle of each horizontal contour
    assert 0.6 < np.median(kept) < 0.99
    assert kept.min() < 0.8
    cells = np.ones(grid.shape, bool)
    for shift in range(-3, 6):  # further than 3 px from a contour
        cells[(np.arange(128) % 32) == shift % 32] = False
        cells[:, (np.arange(160) % 32) == shift % 32] = False
    false = maps[:, cells].mean(axis=1)
    assert 0.0005 < np.median(false) < 0.1


def test_strength_grows_the_damage(grid):
    damage = [np.abs(with_artefacts(grid, range(20), s) - grid).mean() for s in (0.2, 1.0)]
    assert damage[1] > 1.3 * damage[0]


def test_gaps_are_not_marked_by_cleaner_surroundings(grid):
    # Where no contour shows, the map must look alike on the true contour and off it.
    blank = np.zeros(grid.shape, np.float32)
    on, off = [], []
    for seed in range(60):
        out = add_artefacts(blank, np.zeros_like(grid), np.random.default_rng(seed))
        on.append(out[grid > 0].mean())
        off.append(out[grid == 0].mean())
    assert np.mean(on) == pytest.approx(np.mean(off), rel=0.15)


def test_empty_contour_works_and_shapes_must_agree(grid):
    blank = np.zeros((40, 50), np.float32)
    assert add_artefacts(blank, blank, np.random.default_rng(0)).shape == (40, 50)
    with pytest.raises(InputError, match="fit"):
        add_artefacts(blank, grid, np.random.default_rng(0))
