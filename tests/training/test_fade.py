"""Maps that waver along true contours."""

import numpy as np
import pytest
from skimage.morphology import skeletonize

from napari_copnet.errors import InputError
from napari_copnet.training.fade import fade


def grid(size=200, room=40):
    contour = np.zeros((size, size), np.uint8)
    for start in range(0, size, room):
        contour[start : start + 3] = contour[:, start : start + 3] = 1
    return contour


def test_lines_are_as_sure_as_asked_and_partly_gone():
    contour = grid()
    line = skeletonize(contour > 0)
    maps = [fade(contour, np.random.default_rng(seed)) for seed in range(4)]
    for u in maps:
        assert u.shape == contour.shape and u.dtype == np.float32
        assert u.min() >= 0 and u.max() <= 1
    certainties = [np.median(u[skeletonize(u > 0.5)]) for u in maps]
    assert 0.8 < np.mean(certainties) < 0.93
    surer = np.mean([np.median(u[skeletonize(u > 0.5)]) for u in _maps(contour, certainty=0.97)])
    assert surer > np.mean(certainties) + 0.03
    gone = np.mean([(u[line] <= 0.5).mean() for u in maps])
    more = np.mean([(u[line] <= 0.5).mean() for u in _maps(contour, gone=0.4)])
    assert 0.1 < gone < 0.4 < more + 0.05
    # Far from any line there is hardly any contour.
    assert np.mean([(u[15:30, 15:30] > 0.5).mean() for u in maps]) < 0.05


def _maps(contour, **settings):
    return [fade(contour, np.random.default_rng(seed), **settings) for seed in range(4)]


def test_the_same_seed_gives_the_same_map():
    one, other = (fade(grid(), np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, other)


def test_nothing_to_fade_is_a_floor():
    assert (fade(np.zeros((40, 40)), np.random.default_rng(1)) < 0.5).mean() > 0.95


def test_a_stack_is_refused():
    with pytest.raises(InputError, match="single slices"):
        fade(np.zeros((2, 8, 8)), np.random.default_rng(0))
