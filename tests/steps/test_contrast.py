"""Light membranes are noticed where, and only where, the contour network is clearly surer so."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_copnet.progress import Progress, finish
from napari_copnet.steps.contrast import light_membranes, map_facts

SIDE = 120


class Sees:
    """Takes dark lines for contour, and light ones for a doubtful one."""

    plan = SimpleNamespace(dimensions=2)

    def __init__(self, doubt=0.6):
        self.doubt, self.passes = doubt, 0

    def predict(self, images, **settings):
        self.passes += 1
        images = np.asarray(images)[:, 0]
        yield Progress("predict", 1, 1, "slices")
        return np.where(images < -1, 0.95, np.where(images > 1, self.doubt, 0.0)).astype(np.float32)


def grid(value, slices=4):
    image = np.zeros((SIDE, SIDE), np.float32)
    image[::24] = image[:, ::24] = value
    return np.stack([image] * slices)


@pytest.mark.parametrize(("value", "light"), [(-2, False), (2, True)])
def test_light_lines_are_noticed(value, light):
    network = Sees()
    assert finish(light_membranes(grid(value), network)) == light
    assert network.passes == (6 if light else 2)


def test_a_narrow_win_does_not_count():
    assert not finish(light_membranes(grid(2), Sees(doubt=0.95)))


def test_one_slice_that_says_otherwise_is_enough():
    stack = grid(2)
    stack[0] *= -1
    assert not finish(light_membranes(stack, Sees()))


def test_blank_slices_are_not_asked():
    stack = grid(2)
    stack[0] *= -1
    assert finish(light_membranes(stack, Sees(), blank=(0,)))
    assert not finish(light_membranes(stack, Sees(), blank=(0, 1, 2, 3)))


def test_padding_is_not_looked_at():
    probability = np.full((SIDE, SIDE), 0.5, np.float32)
    probability[:, :60] = np.where(grid(1)[0] > 0, 0.95, 0)[:, :60]
    valid = np.zeros((SIDE, SIDE), bool)
    valid[:, :60] = True
    facts = map_facts(probability, valid)
    assert facts.certainty == 1
    # Five rows of two cells of 23 × 23 px and one of 23 × 11 px, cut at the padding.
    assert facts.covered == pytest.approx(5 * 23 * (23 + 23 + 11) / (SIDE * 60))
