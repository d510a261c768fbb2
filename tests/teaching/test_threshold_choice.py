"""The threshold that suits finished slices: maps drawn by hand, with lines that are not there."""

import shutil

import numpy as np
import pytest

from conftest import SIDE, STEP, grid
from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.threshold_scores import ThresholdTried
from napari_copnet.networks.package import adopt, load_package
from napari_copnet.progress import Progress, finish
from napari_copnet.teaching import threshold_choice as module
from napari_copnet.teaching.threshold_choice import (
    ThresholdChoice,
    choose_threshold,
    scorable_slices,
)


class Given:
    """A network that returns a map, or without one what it is given."""

    def __init__(self, model, probability):
        self.plan, self.probability = model.plan, probability

    def predict(self, images, order=None, **_):
        yield Progress("predict", 1, 1)
        images = np.asarray(images)[:, 0]
        return images if self.probability is None else np.stack([self.probability] * len(images))


@pytest.fixture
def maps(models, tiny_models, monkeypatch):
    """Set what the contour model returns; the closing model changes nothing."""
    probability = np.zeros((SIDE, SIDE), np.float32)
    for kind in ("contours", "closing"):
        shutil.copytree(tiny_models[kind], models / f"tiny-{kind}")
        adopt(load_package(models / f"tiny-{kind}"))
    monkeypatch.setattr(
        module,
        "load_network",
        lambda model, device: Given(model, probability if model.kind == "contours" else None),
    )
    return probability


def walls(false=0.02):
    """Sure lines, and across the middle of some cells one that is not there."""
    probability = np.where(grid(1)[0] > 0, 0.999, 0.02).astype(np.float32)
    middle = STEP + STEP // 2
    probability[middle, 1 : 2 * STEP] = np.maximum(probability[middle, 1 : 2 * STEP], false)
    return probability


def test_false_lines_want_a_high_threshold(project, maps):
    maps[...] = walls(0.55)
    for z in (4, 12):
        project.finish(z, despite=True)
    choice = finish(choose_threshold(project))
    assert choice.slices == (4, 12) and choice.best == 0.8
    labelled = {one.threshold: one.scores["labelled"] for one in choice.tried}
    assert labelled[0.8] == 1 and labelled[0.2] == labelled[0.5] < 0.9
    assert choice.text == (
        "Contours above 0.8 get 100 % of the cells of 2 finished slices right, "
        f"above 0.5 {100 * labelled[0.5]:.0f} %."
    )


def test_sure_walls_leave_it_at_one_half(project, maps):
    maps[...] = walls()
    project.finish(7, despite=True)
    choice = finish(choose_threshold(project))
    assert choice.best == 0.5
    assert choice.text.startswith("Contours above 0.5 get 100 % of the cells of 1 finished slice")
    assert choice.text.endswith("right; no other threshold does clearly better.")


def test_six_slices_are_spread_over_those_that_are_done(project, maps):
    maps[...] = walls()
    for z in range(0, 30, 3):
        project.finish(z, despite=True)
    choice = finish(choose_threshold(project, thresholds=(0.5,)))
    assert choice.slices == (0, 6, 12, 15, 21, 27)


def test_a_threshold_at_which_all_is_contour_is_left_out(project, maps):
    maps[...] = np.maximum(walls(), 0.3)
    project.finish(7, despite=True)
    choice = finish(choose_threshold(project))
    assert [one.threshold for one in choice.tried] == [0.35, 0.5, 0.65, 0.8]
    maps[...] = 0.99
    with pytest.raises(CopnetError, match="of the slices as contour"):
        finish(choose_threshold(project))


def test_without_a_finished_slice_it_says_what_to_do(project, maps):
    assert (
        scorable_slices(project, load_package(module.find_model("default", "contours").folder))
        == []
    )
    with pytest.raises(CopnetError, match="no finished slice"):
        finish(choose_threshold(project))


def test_without_one_half_only_the_best_is_told():
    tried = (ThresholdTried(0.2, {"labelled": 0.4}, 9), ThresholdTried(0.8, {"labelled": 0.6}, 9))
    assert ThresholdChoice((1,), tried, "").text == (
        "Contours above 0.8 get 60 % of the cells of 1 finished slice right."
    )
