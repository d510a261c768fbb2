"""Rivals on contours drawn by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_copnet.evaluation.baselines.base import Block
from napari_copnet.evaluation.baselines.morphology import (
    MorphologicalClosing,
    morphological_closing,
)
from napari_copnet.evaluation.baselines.threshold import Threshold
from napari_copnet.evaluation.baselines.watershed import (
    DistanceWatershed,
    ProbabilityWatershed,
    lines,
)
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.progress import finish


def walls(gap=0.0, length=12, faint=False):
    """Two rooms of 40×40 px between walls of 4 px with a door in the middle one, as probability."""
    u = np.full((48, 92), 0.02, np.float32)
    u[:4] = u[-4:] = u[:, :4] = u[:, 44:48] = u[:, -4:] = 0.9
    u[24 - length // 2 : 24 + length // 2, 44:48] = gap
    if faint:
        u[20:28, 10:30] = 0.15  # a nucleus that is no contour
    return u


def block(*slices, truth=None):
    contours = np.stack(slices)
    true = np.stack([walls(0.9) > 0.5] * len(contours)) if truth is None else truth
    return Block(contours, true=TrueStack(true.astype(np.uint8)))


def rooms(mask):
    return ndimage.label(mask == 0)[1]


@pytest.mark.parametrize(
    ("rival", "door"),
    [
        (MorphologicalClosing(), 0.0),
        (DistanceWatershed(), 0.0),
        (ProbabilityWatershed(), 0.2),
        (Threshold(), 0.2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_rival_closes_the_door_it_was_tuned_for(rival, door, tmp_path):
    training = block(walls(door), walls(door, 10))
    tuned = finish(rival.tune(training, tmp_path))
    assert tuned["labelled"] == 1
    test = Block(np.stack([walls(door, 11)]))
    assert rooms(test.rounded[0]) == 1
    steps = []
    mask = finish(rival.apply(test, tuned), steps.append)
    assert mask.dtype == np.uint8 and mask.shape == (1, 48, 92)
    assert rooms(mask[0]) == 2
    assert mask[test.rounded].all(), "what Step 1 drew was lost"
    assert steps[-1].done == steps[-1].total == 1


def test_of_settings_that_do_as_well_the_gentlest_is_taken(tmp_path):
    open_door = block(walls(0.35, faint=True))
    # 0.45 and 0.4 leave the door open; 0.3 closes it, and so do all below.
    assert finish(Threshold().tune(open_door, tmp_path))["threshold"] == 0.3
    shut = block(walls(0.9))
    assert finish(Threshold().tune(shut, tmp_path))["threshold"] == 0.5


def test_what_splits_as_many_cells_as_it_closes_is_not_taken(tmp_path):
    u = walls(0.12)
    u[4:44, 22:25] = 0.16  # who closes the door draws a false wall through this room
    assert finish(Threshold().tune(block(u), tmp_path)) == {"threshold": 0.1, "labelled": 0.5}
    u[4:44, 67:70] = 0.16  # and now through the other one too
    assert finish(Threshold().tune(block(u), tmp_path)) == {"threshold": 0.5, "labelled": 0}


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (17, 19)), st.integers(1, 5))
def test_closing_is_that_of_scipy(mask, radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = y * y + x * x <= (radius + 0.5) ** 2
    padded = np.pad(mask, 2 * radius)
    reference = ndimage.binary_closing(padded, disk)[
        2 * radius : -2 * radius, 2 * radius : -2 * radius
    ]
    np.testing.assert_array_equal(morphological_closing(mask, radius), reference)


def test_lines_run_on_the_ridge_between_basins_deep_enough():
    x = np.arange(60)
    profile = np.minimum(np.abs(x - 15), np.abs(x - 45)) / 15  # basins at 15 and 45, ridge at 30
    landscape = np.tile(profile, (20, 1))
    deep = lines(landscape, 0, 0.5)
    assert deep[:, 30].all() and deep.sum() == 20
    landscape[:, 30:] = np.minimum(landscape[:, 30:] + 0.6, 1)  # the second is now 0.4 deep
    assert not lines(landscape, 0, 0.5).any()
    assert lines(landscape, 0, 0.3).any()


def test_nothing_is_drawn_where_nothing_is():
    empty = Block(np.zeros((1, 30, 30), np.float32))
    for rival in (MorphologicalClosing(), DistanceWatershed(), ProbabilityWatershed()):
        assert not finish(rival.apply(empty, rival.candidates()[-1])).any(), rival.name
