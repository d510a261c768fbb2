"""What the closing of likely gaps is fitted to: what a wall gains, by the paper's rule."""

import numpy as np
import pytest

from napari_copnet.boundaries.gap_classifier import FEATURES
from napari_copnet.boundaries.gaps import cut, gaps
from napari_copnet.progress import finish
from napari_copnet.steps.cells import true_cells
from napari_copnet.steps.likely_gaps import planes_of
from research.fit_gap_classifier import examples, fit, gain_of


def rooms(*, parted):
    """Two rooms of 40×40 px; the doorway of 10 px between them is closed or open."""
    contour = np.ones((48, 94), bool)
    contour[4:44, 4:44] = contour[4:44, 50:90] = False
    if not parted:
        contour[19:29, 44:50] = False
    return contour


def plane(contour):
    stack = contour[None]
    return planes_of(stack, stack * np.float32(0.9), stack * np.float32(0.9))[0]


def doorway(found):
    return max(found, key=lambda suspect: suspect.small)


@pytest.mark.parametrize(("parted", "gain"), [(True, 2), (False, -1)])
def test_a_wall_gains_the_cells_that_it_parts_and_loses_the_one_that_it_cuts(parted, gain):
    seen = plane(rooms(parted=False))
    truth = true_cells(rooms(parted=parted).astype(np.uint8))
    assert gain_of(doorway(gaps(seen)), seen.contour, cut(seen), truth) == gain


def test_examples_are_measured_for_each_wall_that_may_be_missing():
    seen = plane(rooms(parted=False))
    truth = true_cells(rooms(parted=True).astype(np.uint8))
    values, gains = finish(examples([seen], [truth]))
    assert values.shape == (len(list(gaps(seen))), len(FEATURES))
    assert gains.max() == 2


def test_what_is_fitted_expects_what_happened():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(600, len(FEATURES))).astype(np.float32)
    gains = np.where(values[:, 0] > 0.8, 2, np.where(values[:, 0] < -0.8, -1, 0))
    judge = fit(values, gains, ["drawn"])
    assert (judge.won, judge.lost) == (2.0, 1.0)
    assert judge.facts["walls that win"] == (gains == 2).sum()
    expected = judge.gain(values)
    assert expected[gains == 2].mean() > 1.5
    assert expected[gains == -1].mean() < -0.7
