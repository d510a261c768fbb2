"""Gaps counted by hand, distances worked out by hand, and settings found again."""

import dataclasses
import math

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.evaluation.fit_gaps import (
    Gaps,
    distance,
    find_gaps,
    fit_gaps,
    mismatch,
    simulated_gaps,
)
from napari_copnet.params import DegradeParams
from napari_copnet.progress import finish
from napari_copnet.training.degrade import for_area

FADING = DegradeParams(
    diffusion_disks=0, absorption_disks=40, radius_min=8.0, radius_max=10.0, duration=8.0
)


def gaps(*lengths, contour=1000):
    return Gaps(np.array(lengths, np.int64), contour)


def lattice(side=160, step=32):
    """Walls three pixels thick, `step` apart."""
    truth = np.zeros((2, side, side), np.uint8)
    for at in range(step // 2, side, step):
        truth[:, at - 1 : at + 2] = 1
        truth[:, :, at - 1 : at + 2] = 1
    return truth


def test_gaps_of_lines_drawn_by_hand():
    whole = np.zeros((40, 100), np.uint8)
    whole[20:23] = 1
    broken = whole.copy()
    broken[:, 10:30] = broken[:, 60:70] = 0
    found = find_gaps([(whole, broken), (whole, whole), (np.zeros_like(whole), whole)])
    # As in `missing_lengths`: two pixels less at either end.
    assert found.lengths.tolist() == [16, 6]
    assert found.contour == pytest.approx(200, abs=6)
    assert found.rate == pytest.approx(10, abs=0.5)


def test_distance_is_how_far_lengths_have_to_be_moved():
    assert distance(gaps(10, 20), gaps(10, 20)) == 0
    assert distance(gaps(10, 20), gaps(13, 25)) == pytest.approx(4)
    assert distance(gaps(), gaps(6, 8)) == pytest.approx(7)
    # Each length twice is the same distribution: how many there are is the other half.
    assert distance(gaps(10, 20), gaps(10, 10, 20, 20)) == pytest.approx(0)


def test_mismatch_counts_lengths_and_numbers():
    real = gaps(10, 20, 30)
    assert mismatch(real, real) == 0
    assert mismatch(gaps(15, 25, 35), real) == pytest.approx(5 / 20)
    twice = gaps(10, 10, 20, 20, 30, 30)
    assert mismatch(twice, real) == pytest.approx(math.log(6.5 / 3.5))
    # As many gaps along twice the contour are half as many.
    longer = gaps(10, 20, 30, contour=2000)
    assert mismatch(longer, real) == pytest.approx(math.log(2))
    assert math.isfinite(mismatch(gaps(), real))


def test_disks_follow_the_area():
    params = for_area(DegradeParams(diffusion_disks=6, absorption_disks=10), (256, 512))
    assert (params.diffusion_disks, params.absorption_disks) == (3, 5)


def test_settings_are_found_whose_gaps_are_like_the_real_ones():
    truth = lattice()
    real = simulated_gaps(truth, FADING, maps=4, seed=5)
    start = DegradeParams()
    fit = finish(fit_gaps(truth, real, start, generations=6))
    assert fit.after < 0.35 * fit.before
    assert fit.distance_after < 0.5 * fit.distance_before
    # Judged on chance that the fit never saw.
    fresh = simulated_gaps(truth, fit.params, maps=4, seed=77)
    before = simulated_gaps(truth, start, maps=4, seed=77)
    assert mismatch(fresh, real) < 0.6 * mismatch(before, real)
    assert fit.params.diffusion_max == start.diffusion_max
    assert fit.params.radius_min <= fit.params.radius_max


def test_the_fit_never_makes_it_worse_and_is_the_same_each_time():
    truth = lattice()
    real = simulated_gaps(truth, FADING, seed=0, maps=2)
    first, again = (finish(fit_gaps(truth, real, FADING, generations=1)) for _ in range(2))
    assert first.after <= first.before
    assert first.params == again.params


def test_micrometres_give_the_same_gaps_as_pixels():
    truth = lattice()
    real = simulated_gaps(truth, FADING, maps=2, seed=5)
    half = dataclasses.replace(
        FADING,
        unit="um",
        radius_min=FADING.radius_min / 20,
        radius_max=FADING.radius_max / 20,
        diffusion_min=FADING.diffusion_min / 400,
        diffusion_max=FADING.diffusion_max / 400,
    )
    fit = finish(fit_gaps(truth, real, half, pixel_size=0.05, generations=1))
    plain = finish(fit_gaps(truth, real, FADING, generations=1))
    assert fit.before == pytest.approx(plain.before, rel=0.05)
    # Found radii are in µm too: a pixel is 0.05 µm.
    assert fit.params.radius_max < 6.0
    with pytest.raises(InputError, match="pixel size"):
        finish(fit_gaps(truth, real, half))


def test_what_can_not_be_fitted_is_said():
    truth = lattice()
    with pytest.raises(InputError, match="only 2 gaps"):
        finish(fit_gaps(truth, gaps(10, 20), DegradeParams()))
    with pytest.raises(InputError, match="no contour"):
        finish(fit_gaps(np.zeros((1, 50, 50)), gaps(*range(5, 15)), DegradeParams()))
    with pytest.raises(InputError, match="three axes"):
        finish(fit_gaps(truth[0], gaps(*range(5, 15)), DegradeParams()))
