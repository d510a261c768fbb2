"""Drawing the fields of the degradation, and degrading whole stacks."""

import dataclasses

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import DegradeParams
from napari_copnet.progress import Progress, finish
from napari_copnet.training.degrade import degrade, fields, propagate, simulate

SMALL = DegradeParams(diffusion_disks=2, absorption_disks=3, radius_min=4, radius_max=7)


@pytest.fixture
def grid():
    """Lines 12 px apart: cells of 10×10 px between contours of 2 px."""
    contour = np.zeros((72, 60), np.uint8)
    for start in (0, 1):
        contour[start::12] = 1
        contour[:, start::12] = 1
    return contour


def cones(shape, centres, radii):
    y, x = np.mgrid[: shape[0], : shape[1]]
    total = np.zeros(shape)
    for (cy, cx), radius in zip(centres, radii, strict=True):
        total += np.maximum(0, 1 - np.hypot(y - cy, x - cx) / radius)
    return total


def test_fields_follow_the_formulas(grid):
    params = dataclasses.replace(SMALL, diffusion_min=0.3, diffusion_max=2.0, radius_max=25)
    drawn = fields(grid, params, np.random.default_rng(0))
    on = drawn.absorbing
    assert (np.count_nonzero(~on), np.count_nonzero(on)) == (2, 3)
    alpha = 0.3 + 1.7 * cones(grid.shape, drawn.centres[~on], drawn.radii[~on])
    np.testing.assert_allclose(drawn.alpha, np.clip(alpha, 0.3, 2.0), atol=1e-5)
    beta = cones(grid.shape, drawn.centres[on], drawn.radii[on])
    np.testing.assert_allclose(drawn.beta, np.clip(beta, 0, 1), atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_disks_lie_on_contour_outside_earlier_disks(grid, seed):
    params = DegradeParams(radius_min=5, radius_max=9)
    drawn = fields(grid, params, np.random.default_rng(seed))
    assert 2 < len(drawn.centres) <= 16
    assert grid[tuple(drawn.centres.T)].all()
    assert ((drawn.radii >= 5) & (drawn.radii <= 9)).all()
    for later in range(1, len(drawn.centres)):
        distance = np.hypot(*(drawn.centres[:later] - drawn.centres[later]).T)
        assert (distance > drawn.radii[:later]).all()


def test_radii_and_centres_spread_over_their_ranges(grid):
    params = DegradeParams(1, 0, radius_min=3, radius_max=13)
    drawn = [fields(grid, params, np.random.default_rng(seed)) for seed in range(400)]
    radii = np.array([d.radii[0] for d in drawn])
    assert radii.mean() == pytest.approx(8, abs=0.5)
    centres = np.array([d.centres[0] for d in drawn])
    assert len(np.unique(centres, axis=0)) > 300
    np.testing.assert_allclose(centres.mean(0), np.argwhere(grid).mean(0), atol=4)


def test_empty_contour_has_no_disks_and_stays_empty():
    empty = np.zeros((30, 30), np.uint8)
    drawn = fields(empty, SMALL, np.random.default_rng(0))
    assert drawn.centres.shape == (0, 2)
    np.testing.assert_allclose(drawn.alpha, SMALL.diffusion_min)
    assert not degrade(empty, SMALL, np.random.default_rng(0)).any()


def test_micrometres_are_converted_by_the_pixel_size(grid):
    pixels = dataclasses.replace(SMALL, diffusion_min=0.4, diffusion_max=3.2)
    micrometres = dataclasses.replace(
        SMALL, radius_min=2, radius_max=3.5, diffusion_min=0.1, diffusion_max=0.8, unit="um"
    )
    expected = degrade(grid, pixels, np.random.default_rng(5))
    result = degrade(grid, micrometres, np.random.default_rng(5), pixel_size=0.5)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_micrometres_without_pixel_size_are_refused(grid):
    params = dataclasses.replace(SMALL, unit="um")
    with pytest.raises(InputError, match="pixel size"):
        degrade(grid, params, np.random.default_rng(0))
    with pytest.raises(InputError, match="pixel size"):
        next(simulate(grid[None], 1, params))


@pytest.mark.parametrize(
    "change",
    [
        {"radius_min": 9.0},
        {"diffusion_min": 4.0},
        {"duration": -1.0},
        {"radius_max": float("nan")},
    ],
)
def test_settings_that_make_no_sense_are_refused(grid, change):
    with pytest.raises(CopnetError):
        degrade(grid, dataclasses.replace(SMALL, **change), np.random.default_rng(0))


def test_degrade_is_the_equation_on_the_drawn_fields(grid):
    for method in ("chebyshev", "crank-nicolson"):
        params = dataclasses.replace(SMALL, method=method, duration=1.5)
        drawn = fields(grid, params, np.random.default_rng(9))
        expected = propagate(grid, drawn.alpha, drawn.beta, 1.5, method, params.time_step)
        result = degrade(grid, params, np.random.default_rng(9))
        np.testing.assert_allclose(result, np.clip(expected, 0, 1), atol=1e-6)
        assert result.min() >= 0 and result.max() <= 1


def test_absorption_opens_gaps_where_its_disks_are(grid):
    params = dataclasses.replace(
        SMALL, diffusion_disks=0, diffusion_min=0.0, duration=5.0, absorption_disks=1
    )
    drawn = fields(grid, params, np.random.default_rng(3))
    result = degrade(grid, params, np.random.default_rng(3))
    y, x = drawn.centres[0]
    assert result[y, x] == pytest.approx(np.exp(-5), abs=1e-5)
    untouched = drawn.beta == 0
    np.testing.assert_allclose(result[untouched], grid[untouched], atol=1e-6)


def test_simulate_depends_on_seed_slice_and_number_only(grid):
    stack = np.stack([grid, grid, grid[::-1]])
    reports: list[Progress] = []
    maps = finish(simulate(stack, 2, SMALL, seed=4), reports.append)
    assert maps.shape == (3, 2, 72, 60) and maps.dtype == np.float32
    assert [r.done for r in reports] == [1, 2, 3] and reports[0].total == 3
    for z, report in enumerate(reports):
        assert report.partial.index == z
        np.testing.assert_array_equal(report.partial.values, maps[z])
    np.testing.assert_array_equal(finish(simulate(stack, 2, SMALL, seed=4)), maps)
    np.testing.assert_array_equal(finish(simulate(stack[:1], 1, SMALL, seed=4))[0, 0], maps[0, 0])
    drawn = [maps[0, 0], maps[0, 1], maps[1, 0], finish(simulate(stack, 1, SMALL, seed=5))[0, 0]]
    assert all(np.any(a != b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_simulate_hands_out_maps_without_keeping_them(grid):
    kept = finish(simulate(grid[None], 2, SMALL))
    reports: list[Progress] = []
    assert finish(simulate(grid[None], 2, SMALL, keep=False), reports.append).shape[0] == 0
    np.testing.assert_array_equal(reports[0].partial.values, kept[0])


def test_simulate_refuses_a_single_slice_and_no_maps(grid):
    with pytest.raises(InputError, match="three axes"):
        next(simulate(grid, 1, SMALL))
    with pytest.raises(CopnetError, match="0 maps"):
        next(simulate(grid[None], 0, SMALL))
    with pytest.raises(InputError, match="two axes"):
        degrade(grid[None], SMALL, np.random.default_rng(0))


def test_inputs_are_not_changed(grid):
    kept = grid.copy()
    degrade(grid, SMALL, np.random.default_rng(0))
    floats = grid.astype(np.float32)
    degrade(floats, SMALL, np.random.default_rng(0))
    np.testing.assert_array_equal(grid, kept)
    np.testing.assert_array_equal(floats, kept)


def test_circles_are_cut_out_of_the_rounded_contour(grid):
    params = DegradeParams(7, 3, radius_min=4, radius_max=7, method="circles")
    cut = degrade(0.8 * grid, params, np.random.default_rng(5))
    drawn = fields(grid, dataclasses.replace(params, diffusion_disks=0), np.random.default_rng(5))
    assert len(drawn.centres) == 3
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]]
    expected = grid.copy()
    for (cy, cx), radius in zip(drawn.centres, drawn.radii, strict=True):
        expected[np.hypot(y - cy, x - cx) < radius] = 0
    np.testing.assert_array_equal(cut, expected)
    assert cut.dtype == np.float32 and 0 < cut.sum() < grid.sum()
