"""Faint lines of Step 1 as walls that may be missing: what a watershed would part."""

import numpy as np
import pytest

from napari_copnet.boundaries.gap_classifier import FEATURES, table
from napari_copnet.boundaries.gaps import gaps
from napari_copnet.steps.likely_gaps import planes_of

RIDGE, GROUND, COLUMN = 0.12, 0.01, 12


def room(ridge=RIDGE):
    """A room of 60 × 60 px, with a faint ridge of Step 1 across it, near its left wall."""
    contour = np.ones((1, 68, 68), bool)
    contour[0, 4:64, 4:64] = False
    step1 = np.where(contour, 0.95, GROUND).astype(np.float32)
    step1[0, 4:64, COLUMN - 1 : COLUMN + 2] = np.maximum(ridge, GROUND)
    return planes_of(contour, step1, step1)[0]


def along_ridge(found):
    return [s for s in found if np.abs(s.pixels % 68 - COLUMN).max() <= 1 and s.pixels.size >= 55]


def test_a_faint_line_is_a_suspect():
    plane = room()
    (wall,) = along_ridge(gaps(plane))
    assert wall.small == pytest.approx(60 * (COLUMN - 4), rel=0.15)


def test_the_table_says_how_high_a_line_is_above_its_basins():
    plane = room()
    (wall,) = along_ridge(gaps(plane))
    row = dict(zip(FEATURES, table([wall], usual=1000.0)[0], strict=True))
    height = plane.smoothed[30, COLUMN]
    assert row["lowest probability of Step 1"] == pytest.approx(height, rel=0.2)
    assert row["rise of Step 1 above the higher basin"] == pytest.approx(
        row["lowest probability of Step 1"] - GROUND, abs=0.01
    )
    assert row["probability of the ground"] < RIDGE / 2
    assert row["log mean of Step 1 over its ground"] > 0.5
