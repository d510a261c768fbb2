"""Kinds of synthetic tissue: the truth is exact for each, and what differs is what should."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.errors import CopnetError
from napari_copnet.params import TissueParams, checked
from napari_copnet.synthetic import make_tissue, random_tissue_params, sample_stack

KINDS = ("neuropil", "cortex", "tumour")


def small(kind, seed, **change):
    drawn = random_tissue_params(np.random.default_rng(seed), kind)
    diameter = min(drawn.cell_diameter, 35 * drawn.pixel_size)
    some = {"slices": 2, "size": 160, "cell_diameter": diameter}
    return dataclasses.replace(drawn, **{**some, **change})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_each_piece_that_the_contour_leaves_has_one_number(kind, seed):
    made = make_tissue(small(kind, seed, padding=0.1 * (seed % 2)), seed)
    free = (made.contours == 0) & ~made.padding
    np.testing.assert_array_equal(made.cells > 0, free & ~made.excluded)
    for z in range(2):
        pieces, count = ndimage.label(free[z])
        for piece in range(1, count + 1):
            inside = pieces == piece
            assert len(np.unique(made.cells[z][inside])) == 1
            assert len(np.unique(made.excluded[z][inside])) == 1
            assert inside.sum() >= 16
    assert len(np.unique(made.cells)) > 3
    assert 0.02 < made.contours.mean() < 0.6


@pytest.mark.parametrize("kind", KINDS[1:])
def test_same_seed_same_tissue_and_other_seed_another(kind):
    params = small(kind, 3, size=128)
    one, again, other = (make_tissue(params, seed) for seed in (3, 3, 4))
    for name in ("contours", "cells", "excluded", "ignored", "padding", "drift"):
        np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    np.testing.assert_array_equal(again.stack.data, one.stack.data)
    assert (other.contours != one.contours).mean() > 0.05
    assert one.stack.data.dtype == np.uint8 and one.stack.data.std() > 5


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_constant_ignored_and_different_in_each_slice(kind):
    params = small(kind, 1, slices=3, padding=0.3)
    padded = make_tissue(params, 5)
    plain = make_tissue(dataclasses.replace(params, padding=0.0), 5)
    outside = padded.padding
    assert 0.01 < outside.mean() < 0.9 and not plain.padding.any()
    assert len(np.unique(padded.stack.data[outside])) == 1
    np.testing.assert_array_equal(padded.stack.data[~outside], plain.stack.data[~outside])
    assert padded.ignored[outside].all() and padded.excluded[outside].all()
    assert not padded.contours[outside].any() and not padded.cells[outside].any()
    assert (outside[0] != outside[1]).any() and (outside[1] != outside[2]).any()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_truth_goes_on_where_membranes_vanish(kind):
    params = small(kind, 2, slices=1, noise=0.0, padding=0.0, vessel=False)
    sharp, gone = (make_tissue(dataclasses.replace(params, faded=f), 2) for f in (0.0, 1.0))
    np.testing.assert_array_equal(sharp.contours, gone.contours)
    line = ndimage.binary_erosion(sharp.contours[0] > 0) & ~sharp.excluded[0]
    assert gone.stack.data[0][line].mean() > sharp.stack.data[0][line].mean() + 5


def test_haemorrhages_are_left_out_and_dark():
    seen = 0
    for seed in range(14):
        made = make_tissue(small("tumour", seed, slices=1, padding=0.0), seed)
        assert not (made.ignored & (made.contours > 0)).any()
        assert not (made.ignored & ~made.excluded).any()
        seen += made.ignored.any()
    assert 1 <= seen <= 10
    for kind in ("neuropil", "cortex"):
        assert not make_tissue(small(kind, 1, slices=1, padding=0.0), 1).ignored.any()


def test_cells_of_a_tumour_are_about_as_large_as_asked():
    params = TissueParams(kind="tumour", slices=1, cell_diameter=3.0, membrane=0.15, vessel=False)
    diameters = []
    for seed in range(4):
        cells = make_tissue(params, seed).cells
        area = np.bincount(cells.ravel())[1:] * 0.05**2
        # thin processes are many but small: the mean is taken over the area
        diameters.append(2 * np.sqrt((area * area).sum() / area.sum() / np.pi))
    assert 2.0 < np.median(diameters) < 4.8


@pytest.mark.parametrize("kind", KINDS)
def test_random_settings_are_in_range_and_of_their_kind(kind):
    drawn = [random_tissue_params(np.random.default_rng(seed), kind) for seed in range(60)]
    for params in drawn:
        assert checked(params).kind == kind
    pixels = [params.cell_diameter / params.pixel_size for params in drawn]
    assert max(pixels) > 2 * min(pixels)
    if kind != "neuropil":
        assert {params.padding > 0 for params in drawn} == {True, False}
    if kind == "tumour":
        assert min(pixels) > 30 and max(pixels) <= 120
        assert all(0.1 <= params.pixel_size <= 0.2 for params in drawn)


def test_an_unknown_kind_is_refused():
    with pytest.raises(CopnetError, match="no tissue 'bone'"):
        random_tissue_params(np.random.default_rng(0), "bone")
    with pytest.raises(CopnetError, match="can't be 'bone'"):
        make_tissue(TissueParams(kind="bone"))


def test_the_embedded_sample_is_the_one_it_was():
    sample = sample_stack()
    contour = [44205, 44073, 44277, 44594, 44578, 44396, 44154, 44109, 43870, 43954, 43919, 43644]
    vessel = [19875, 19763, 19642, 19529, 19425, 19324, 19213, 19105, 19006, 18899, 18823, 18731]
    # Other processors round otherwise in the last digit.
    np.testing.assert_allclose(sample.contours.sum(axis=(1, 2)), contour, rtol=1e-3)
    np.testing.assert_allclose(sample.excluded.sum(axis=(1, 2)), vessel, rtol=1e-3)
    assert not sample.padding.any() and not sample.ignored.any()


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize(
    "change", [{"size": 32}, {"cell_diameter": 40.0}, {"cell_diameter": 0.5, "membrane": 0.1}]
)
def test_extreme_settings_still_make_tissue(kind, change):
    params = TissueParams(**{"kind": kind, "slices": 1, "size": 64, **change})
    for seed in range(3):
        assert make_tissue(params, seed).stack.data.std() > 0
