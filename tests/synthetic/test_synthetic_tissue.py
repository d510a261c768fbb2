"""Synthetic tissue: its truth is exact, and settings do what they say."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize
from skimage.registration import phase_cross_correlation

from napari_copnet.errors import CopnetError
from napari_copnet.params import TissueParams, checked
from napari_copnet.progress import finish
from napari_copnet.synthetic import (
    generate_tissue,
    make_tissue,
    random_tissue_params,
    sample_stack,
)

SMALL = TissueParams(slices=4, size=192, cell_diameter=2.0)


@pytest.fixture(scope="module")
def tissue():
    return make_tissue(SMALL, seed=3)


def test_arrays_agree_in_shape_type_and_frame(tissue):
    shape = (4, 192, 192)
    for array, kind in (
        (tissue.stack.data, np.uint8),
        (tissue.contours, np.uint8),
        (tissue.cells, np.uint32),
        (tissue.excluded, bool),
    ):
        assert array.shape == shape and array.dtype == kind
    assert tissue.stack.voxel_size == (0.1, 0.05, 0.05)
    assert tissue.drift.shape == (4, 2) and not tissue.drift[0].any()
    assert set(np.unique(tissue.contours)) == {0, 1}


def test_same_seed_same_tissue_and_other_seed_another(tissue):
    again, other = make_tissue(SMALL, seed=3), make_tissue(SMALL, seed=4)
    for name in ("contours", "cells", "excluded", "drift"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tissue, name))
    np.testing.assert_array_equal(again.stack.data, tissue.stack.data)
    assert (other.contours != tissue.contours).mean() > 0.1


@pytest.mark.parametrize("seed", range(5))
def test_cells_are_the_components_of_the_complement_of_the_contour(seed):
    drawn = random_tissue_params(np.random.default_rng(seed))
    made = make_tissue(dataclasses.replace(drawn, slices=2, size=160), seed)
    free = made.contours == 0
    np.testing.assert_array_equal(made.cells > 0, free & ~made.excluded)
    for z in range(2):
        pieces, count = ndimage.label(free[z])
        assert count > 2
        for piece in range(1, count + 1):
            inside = pieces == piece
            # One cell or the vessel's lumen, never both, never two cells.
            assert len(np.unique(made.cells[z][inside])) == 1
            assert len(np.unique(made.excluded[z][inside])) == 1
            assert inside.sum() >= 16


def test_cells_go_on_from_slice_to_slice():
    made = make_tissue(dataclasses.replace(SMALL, drift=0.0, slice_thickness=0.03), seed=1)
    a, b = made.cells[0], made.cells[1]
    both = (a > 0) & (b > 0)
    assert (a == b)[both].mean() > 0.97
    assert (made.contours[0] != made.contours[1]).any()
    np.testing.assert_array_equal(
        np.unique(made.cells), np.arange(made.cells.max() + 1)
    )  # numbered without holes


def test_contours_are_as_thick_as_asked():
    for membrane in (0.15, 0.3):
        params = dataclasses.replace(
            SMALL, membrane=membrane, vessel=False, slices=1, size=320, cell_diameter=3.0
        )
        contour = make_tissue(params, seed=0).contours[0].astype(bool)
        # Area over length of the middle line; diagonal steps make it a little too wide.
        width = contour.sum() / skeletonize(contour).sum()
        assert 0.9 * membrane / 0.05 < width < 1.6 * membrane / 0.05


def test_cells_are_as_large_as_asked():
    diameters = []
    for diameter in (1.5, 3.0):
        params = dataclasses.replace(
            SMALL, cell_diameter=diameter, vessel=False, slices=1, size=512, membrane=0.1
        )
        free = make_tissue(params, seed=0).contours[0] == 0
        area = np.bincount(ndimage.label(free)[0].ravel())[1:] * 0.05**2
        diameters.append(np.sqrt(4 * area / np.pi).mean())
    assert diameters[0] == pytest.approx(1.5, rel=0.35)
    assert diameters[1] == pytest.approx(3.0, rel=0.35)
    assert 1.6 < diameters[1] / diameters[0] < 2.4


def test_drift_moves_image_and_truth_by_what_it_says():
    params = dataclasses.replace(SMALL, slices=3, drift=6.0, slice_thickness=0.02, noise=0.1)
    made = make_tissue(params, seed=2)
    for stack in (made.stack.data, made.contours):
        for z in (1, 2):
            shift, *_ = phase_cross_correlation(
                stack[z].astype(float), stack[z - 1].astype(float), upsample_factor=10
            )
            np.testing.assert_allclose(shift, made.drift[z] - made.drift[z - 1], atol=0.8)
    assert np.abs(made.drift[2]).max() > 2
    assert not make_tissue(dataclasses.replace(SMALL, drift=0.0), seed=2).drift.any()


def middle_contrast(made):
    """Return how much darker the middle of each contour is than the median of the cells."""
    middle = skeletonize(made.contours[0] > 0) & ~made.excluded[0]
    smooth = ndimage.gaussian_filter(made.stack.data[0].astype(float), 1)
    return np.median(smooth[made.cells[0] > 0]) - smooth[middle]


def test_membranes_are_dark_and_fade_by_the_share_asked_for():
    contrast, truth = {}, {}
    for faded in (0.0, 0.4):
        params = dataclasses.replace(
            SMALL, slices=1, size=320, faded=faded, noise=0.05, vessel=False
        )
        made = make_tissue(params, seed=5)
        contrast[faded], truth[faded] = middle_contrast(made), made.contours
    np.testing.assert_array_equal(truth[0.0], truth[0.4])  # the truth stays
    full = np.median(contrast[0.0])
    assert full > 20
    weak = {faded: (values < full / 2).mean() for faded, values in contrast.items()}
    assert weak[0.0] < 0.2
    assert 0.2 < weak[0.4] - weak[0.0] < 0.55


def test_vessel_is_excluded_with_a_bright_lumen_and_thick_wall(tissue):
    assert 0.01 < tissue.excluded.mean() < 0.4
    lumen = tissue.excluded & (tissue.contours == 0)
    assert lumen.any() and not tissue.cells[tissue.excluded].any()
    image = tissue.stack.data
    assert image[lumen].mean() > image[tissue.cells > 0].mean() + 30
    wall = tissue.excluded & (tissue.contours == 1)
    assert image[wall].mean() < image[tissue.cells > 0].mean()
    without = make_tissue(dataclasses.replace(SMALL, vessel=False), seed=3)
    assert not without.excluded.any()


def test_noise_is_in_proportion_to_the_setting():
    def roughness(noise):
        made = make_tissue(dataclasses.replace(SMALL, slices=1, noise=noise), seed=6)
        image = made.stack.data[0].astype(float)
        cells = ndimage.binary_erosion(made.cells[0] > 0, iterations=2)
        return (image - ndimage.median_filter(image, 3))[cells].std()

    calm, noisy = roughness(0.1), roughness(0.8)
    assert noisy > 3 * calm


def test_progress_counts_slices_and_cancelling_is_quiet():
    reports = []
    finish(generate_tissue(SMALL, seed=0), reports.append)
    assert [(r.done, r.total) for r in reports] == [(n, 4) for n in (1, 2, 3, 4)]
    work = generate_tissue(SMALL, seed=0)
    next(work)
    work.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cell_diameter": 0.3, "membrane": 0.05}, "pixels wide"),
        ({"cell_diameter": 0.5, "membrane": 0.3}, "leave nothing"),
        ({"size": 8}, "smallest is 32"),
        ({"faded": 1.5}, "largest is 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(CopnetError, match=words):
        next(generate_tissue(dataclasses.replace(SMALL, **change)))


def test_random_settings_vary_and_are_in_range():
    drawn = [random_tissue_params(np.random.default_rng(seed)) for seed in range(50)]
    for params in drawn:
        checked(params)
        next(generate_tissue(dataclasses.replace(params, slices=1, size=32)))
    diameters = [params.cell_diameter for params in drawn]
    assert max(diameters) > 2 * min(diameters)
    assert {params.vessel for params in drawn} == {True, False}


def test_extreme_settings_still_make_tissue():
    for change in ({"faded": 1.0}, {"faded": 0.0, "noise": 0.0}, {"cell_diameter": 40.0}):
        params = dataclasses.replace(SMALL, slices=1, size=64, **change)
        assert make_tissue(params).stack.data.std() > 0


def test_the_embedded_sample_is_a_stack_worth_showing():
    sample = sample_stack()
    assert sample.stack.shape == (12, 512, 512)
    assert sample.stack.voxel_size.known
    assert len(np.unique(sample.cells)) > 60
    assert sample.excluded.any()
