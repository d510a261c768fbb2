"""A map that is less sure of its lines than closing knows is brought to what closing knows."""

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.evaluation.metrics import outline, surface_dice
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import find_model
from napari_copnet.params import ClosingParams, DeviceParams, ScoreParams
from napari_copnet.progress import finish
from napari_copnet.steps.certainty import certainty
from napari_copnet.steps.closing import close
from napari_copnet.training.fade import fade

# Gain and offset of a logit.
CHANGES = [(0.5, 0.0), (2.0, 0.0), (1.0, 1.0), (1.0, -1.0), (0.5, -1.0), (2.0, 1.0)]


def walls(size=192, cells=9, seed=0):
    """Contour, shape (Y, X), between cells about random centres."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    centres = rng.uniform(0, size, (cells, 2))
    nearest = np.argmin([np.hypot(y - cy, x - cx) for cy, cx in centres], axis=0)
    border = np.zeros((size, size), bool)
    border[1:] |= nearest[1:] != nearest[:-1]
    border[:, 1:] |= nearest[:, 1:] != nearest[:, :-1]
    return ndimage.binary_dilation(border)


def rescaled(u, gain, offset):
    logit = np.log(u / (1 - u))
    return (1 / (1 + np.exp(-(gain * logit + offset)))).astype(np.float32)


@pytest.fixture(scope="module")
def unsure():
    """A map whose lines have a median probability of less than .9, shape (1, Y, X)."""
    return fade(walls(), np.random.default_rng(3), certainty=0.9)[None]


def test_a_sure_map_stays_as_it_is():
    wide = ndimage.binary_dilation(walls())
    soft = ndimage.gaussian_filter(wide.astype(np.float32), 1.0)
    sure = rescaled(np.clip(soft, 1e-3, 1 - 1e-3)[None], 2.0, 0.0)
    found = certainty(sure)
    assert (found.gain, found.offset) == (1.0, 0.0)
    assert found.line > 0.98
    assert found.of(sure) is sure


def test_a_mask_and_an_empty_map_stay_as_they_are():
    for u in (walls()[None].astype(np.float32), np.zeros((2, 32, 32), np.float32)):
        assert not certainty(u).changes


def test_an_unsure_map_is_raised_and_keeps_its_order(unsure):
    found = certainty(unsure)
    assert found.line < 0.95
    assert found.gain > 1 or found.offset > 0
    raised = found.of(unsure)
    order = np.argsort(unsure.ravel())
    assert (np.diff(raised.ravel()[order]) >= 0).all()
    assert raised[unsure > 0.5].mean() > unsure[unsure > 0.5].mean()


@pytest.mark.parametrize(("gain", "offset"), CHANGES)
def test_gain_and_offset_of_the_logit_are_undone(unsure, gain, offset):
    ours = certainty(unsure).of(unsure)
    other = rescaled(unsure, gain, offset)
    theirs = certainty(other).of(other)
    # Where it matters to a contour: in the middle, and on which side of 0.5.
    assert np.abs(ours - theirs)[walls()[None]].mean() < 0.1
    assert ((ours > 0.5) != (theirs > 0.5)).mean() < 0.02


def test_blank_slices_do_not_count(unsure):
    stack = np.concatenate([unsure, np.full_like(unsure, 0.3)])
    stack[1, ::7] = 0.31
    assert certainty(stack, skip=(1,)) == certainty(unsure)


def test_closing_is_nearly_the_same_whatever_the_gain_and_offset(unsure):
    network = Network.load(find_model("shipped", "closing"), DeviceParams(device="cpu"))

    def closed(u, **settings):
        result = finish(close(u, network, ClosingParams(likely_gaps=False, **settings)))
        return result, outline(result.mask[0], ScoreParams().tolerance)

    ours, line = closed(unsure)
    assert ours.certainty["gain"] > 1 or ours.certainty["offset"] > 0
    for gain, offset in CHANGES:
        other = rescaled(unsure, gain, offset)
        assert surface_dice(closed(other)[1], line) > 0.95, (gain, offset)
    # Without it, it is not.
    plain = closed(unsure, match_certainty=False)
    far = closed(rescaled(unsure, 0.5, -1.0), match_certainty=False)
    assert surface_dice(far[1], plain[1]) < 0.9
    assert plain[0].certainty["gain"] == 1.0
