"""Measures of a slice, on grids that one could draw."""

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.verdict.measures import NAMES, RunSlice, slice_measures


def grid(side=96, step=24, gaps=()):
    """A grid of lines three pixels wide; a gap takes four pixels out of a line along x."""
    contour = np.zeros((side, side), bool)
    for start in range(0, side, step):
        contour[start : start + 3] = True
        contour[:, start : start + 3] = True
    for y, x in gaps:
        contour[y : y + 3, x : x + 4] = False
    return contour


def run_slice(contour, closed=None, **given):
    closed = contour if closed is None else closed
    labels = ndimage.label(~closed)[0].astype(np.uint32)
    image = np.where(contour, -1.0, 1.0).astype(np.float32)
    values = {
        "image": image,
        "step1": np.where(contour, 0.95, 0.02).astype(np.float32),
        "closed": closed,
        "cells": labels,
        "valid": np.ones(contour.shape, bool),
    }
    return RunSlice(**{**values, **given})


def test_a_good_slice():
    contour = grid()
    found = slice_measures(run_slice(contour), run_slice(contour))
    assert tuple(found) == NAMES
    assert found["contour"] == pytest.approx(contour.mean())
    assert found["largest"] == pytest.approx(21 * 21 / 96**2)
    # The rest is contour: cells of 441 px are of plausible size.
    assert found["covered"] == pytest.approx(1 - contour.mean())
    assert found["certainty"] == pytest.approx(0.95, abs=1e-3)
    assert found["decided"] == 1
    assert found["parting"] > 0.7
    assert found["added"] == 0
    assert found["dark"] > 0.3
    assert 2.5 < found["width"] < 3.5
    assert found["diameter"] == pytest.approx(2 * 21 / np.sqrt(np.pi))
    assert found["specks"] == 0
    assert found["at_padding"] == 0
    assert found["same"] == 1


def test_a_gap_parts_less_and_what_closes_it_is_counted():
    holed = grid(gaps=[(24, 34), (48, 58)])
    closed = grid()
    open_, shut = run_slice(holed), run_slice(holed, closed)
    assert (
        slice_measures(open_, None)["parting"] < slice_measures(run_slice(closed), None)["parting"]
    )
    assert slice_measures(open_, None)["added"] == 0
    assert slice_measures(shut, None)["added"] == 0
    wide = grid()
    # Half of the lines are missing: closing drew them.
    half = grid()
    half[:, 26:94] &= grid(step=48)[:, 26:94]
    assert 0.1 < slice_measures(run_slice(half, wide), None)["added"] < 0.6


def test_other_cells_in_the_next_slice_are_not_the_same():
    one, other = run_slice(grid()), run_slice(np.roll(grid(), (12, 12), (0, 1)))
    assert slice_measures(one, one)["same"] == 1
    assert slice_measures(one, other)["same"] < 0.1
    assert np.isnan(slice_measures(one, None)["same"])


def test_light_lines_are_not_dark():
    contour = grid()
    light = run_slice(contour, image=np.where(contour, 1.0, -1.0).astype(np.float32))
    assert slice_measures(light, None)["dark"] < -0.3


def test_padding_is_no_tissue():
    contour = grid()
    valid = np.ones(contour.shape, bool)
    valid[:27] = False
    cells = np.where(valid, run_slice(contour).cells, 0)
    found = slice_measures(run_slice(contour, valid=valid, cells=cells), None)
    assert found["contour"] == pytest.approx(contour[27:].mean())
    # Of three rows of four cells, the first touches the padding.
    assert found["at_padding"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("value", [False, True])
def test_a_slice_without_contour_or_of_contour_alone(value):
    contour = np.full((40, 40), value)
    found = slice_measures(run_slice(contour, step1=contour.astype(np.float32)), None)
    assert found["covered"] == 0
    assert found["largest"] == (0 if value else 1)
