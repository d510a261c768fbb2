"""Verdicts on runs of networks made by hand, and on measures."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.progress import finish
from napari_copnet.store.folder import FolderStore
from napari_copnet.store.memory import MemoryStage
from napari_copnet.types import Cells, Closing, Frame, Preprocessed, Stack
from napari_copnet.verdict import judge as module
from napari_copnet.verdict.judge import JudgedRun, chosen_pairs, clipped, judge, verdict_of
from napari_copnet.verdict.measures import NAMES
from napari_copnet.verdict.reasons import RULES, reasons
from napari_copnet.verdict.types import AMBER, GREEN, INVERT, RED, SIZES, Verdict

# As of runs in which most cells are right.
GOOD = {
    "contour": 0.18,
    "largest": 0.06,
    "covered": 0.83,
    "certainty": 0.98,
    "decided": 0.62,
    "parting": 0.9,
    "added": 0.01,
    "dark": 0.95,
    "width": 4.8,
    "diameter": 42.0,
    "specks": 0.06,
    "at_padding": 0.0,
    "same": 0.9,
    "clipped": 0.01,
    "cells_per_slice": 150.0,
    "empty": 0.0,
    "unsettled": 0.0,
}


def test_a_run_like_good_ones_is_green():
    said = verdict_of(GOOD, (3, 4), 512)
    assert said.light == GREEN
    assert said.reasons == () and said.ways == ()
    assert said.expected > 0.4
    assert said.slices == (3, 4) and said.size == 512


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.measure)
def test_each_measure_out_of_range_takes_green_away_and_says_why(rule):
    sign = 1 if rule.red >= rule.amber else -1
    beyond = rule.amber + sign * 1e-3
    said = verdict_of({**GOOD, rule.measure: beyond})
    assert said.light != GREEN
    reason = next(one for one in said.reasons if one.measure == rule.measure)
    assert reason.next == rule.next
    # One sentence that a person can read.
    assert reason.says.endswith(".") and len(reason.says) < 200
    if math.isfinite(rule.red):
        worst = verdict_of({**GOOD, rule.measure: rule.red + sign * 1e-3})
        assert worst.light == RED and worst.reasons[0].measure == rule.measure


def test_what_is_not_known_says_nothing():
    assert reasons({**GOOD, "same": math.nan}) == ()
    assert verdict_of({**GOOD, "same": math.nan}).light == GREEN


def test_measures_that_are_poor_together_are_red_though_none_is_out_of_range_alone():
    poor = GOOD | {
        "contour": 0.3,
        "diameter": 17.5,
        "specks": 0.29,
        "certainty": 0.905,
        "decided": 0.31,
        "parting": 0.66,
        "dark": 0.32,
        "largest": 0.39,
        "covered": 0.3,
        "width": 3.2,
    }
    said = verdict_of(poor)
    assert said.light == RED
    assert [reason.measure for reason in said.reasons] == ["expected"]
    assert said.ways == (SIZES,)


def test_the_grave_comes_first():
    said = verdict_of({**GOOD, "contour": 0.35, "dark": -0.2})
    assert [(one.measure, one.light) for one in said.reasons] == [("dark", RED), ("contour", AMBER)]
    assert said.ways == (INVERT, SIZES)


def test_a_verdict_survives_its_record():
    said = verdict_of({**GOOD, "same": math.nan, "specks": 0.5}, (0, 1), 256)
    again = Verdict.from_dict(said.as_dict())
    assert again.as_dict() == said.as_dict()
    assert again.reasons == said.reasons and math.isnan(again.measures["same"])


def test_pairs_are_spread_and_leave_out_blank_slices():
    assert chosen_pairs(1) == [(0,)]
    assert chosen_pairs(5) == [(0, 1), (2, 3), (4,)]
    assert chosen_pairs(5, (0, 2)) == [(1, 3), (4,)]
    assert chosen_pairs(3, (0, 1, 2)) == []
    many = chosen_pairs(1024)
    assert len(many) == module.PAIRS
    assert many[0][0] < 200 and many[-1][0] > 800


def test_clipped_grey_values():
    ramp = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert clipped(ramp) == 0.01
    assert clipped(np.maximum(ramp, 40)) == pytest.approx(0.41)
    assert clipped(np.minimum(ramp, 59)) == pytest.approx(0.41)
    padded = np.where(ramp < 40, np.uint8(0), ramp)
    assert clipped(padded, ramp < 40) == pytest.approx(1 / 60)
    assert math.isnan(clipped(np.full((4, 4), 7)))


def finished_run(depth=5, side=96, blank=()):
    """A run on a grid of lines, perfect but for one slice."""
    contour = np.zeros((side, side), bool)
    for start in range(0, side, 24):
        contour[start : start + 4] = contour[:, start : start + 4] = True
    mask = np.repeat(contour[None], depth, axis=0)
    labels = np.stack([ndimage.label(~one)[0] for one in mask]).astype(np.uint32)
    shape = mask.shape
    image = np.where(mask, -1, 1).astype(np.float32)
    ready = Preprocessed(
        image, Frame(shape, shape, np.zeros((depth, 2))), np.zeros(shape, bool), tuple(blank)
    )
    none = np.zeros(0)
    closing = Closing(
        mask.astype(np.uint8), mask.astype(np.float32), none, none, none, np.ones(depth, bool)
    )
    given = np.random.default_rng(0).integers(1, 255, shape).astype(np.uint8)
    probability = np.where(mask, 0.97, 0.01).astype(np.float32)
    counts = np.array([one.max() for one in labels])
    return Stack(given), ready, probability, closing, Cells(labels, counts, "slice")


def test_a_run_is_judged_on_some_slices():
    made = finished_run()
    work = judge(*made, MemoryStage())
    said = finish(work)
    assert said.slices == (0, 1, 2, 3, 4)
    assert said.size == 96
    assert said.measures["same"] == 1
    assert said.measures["cells_per_slice"] == made[4].counts.mean()
    assert set(NAMES) < set(said.measures)


def test_the_window_of_large_slices_is_their_middle(monkeypatch):
    stack, ready, probability, closing, cells = finished_run(depth=2)
    whole = finish(judge(stack, ready, probability, closing, cells, MemoryStage()))
    monkeypatch.setattr(module, "WINDOW", 48)
    # What lies outside the middle does not count.
    probability = probability.copy()
    probability[:, :20] = 1
    part = finish(judge(stack, ready, probability, closing, cells, MemoryStage()))
    assert part.measures["certainty"] == pytest.approx(whole.measures["certainty"])
    assert part.measures["largest"] > whole.measures["largest"]


def test_a_stack_of_blank_slices_is_red():
    made = finished_run(depth=2, blank=(0, 1))
    said = finish(judge(*made, MemoryStage()))
    assert said.light == RED and said.slices == ()


def test_slices_that_closing_left_before_they_converged():
    stack, ready, probability, closing, cells = finished_run(depth=4)
    left = dataclasses.replace(
        closing, settled=False, converged=np.array([True, False, False, True])
    )
    said = finish(judge(stack, ready, probability, left, cells, MemoryStage()))
    assert said.measures["unsettled"] == 0.5
    assert "unsettled" in [reason.measure for reason in said.reasons]


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    made = finished_run()
    stage = FolderStore(tmp_path / "store").stage("verdict", "key")
    first = finish(judge(*made, stage))
    monkeypatch.setattr(module, "slice_measures", None)
    assert finish(judge(*made, stage)).as_dict() == first.as_dict()


def test_blocks_can_be_measured_elsewhere():
    stack, ready, probability, closing, cells = finished_run(depth=2)
    shared = JudgedRun(stack.data, ready, probability, closing.mask, cells.labels)
    sent = pickle.loads(pickle.dumps(shared))
    values = finish(module.measure_block((0, 1), sent))
    assert values["measures"].shape == (2, len(NAMES) + 1)


def test_a_stack_is_not_sent_to_workers():
    """A stack that is read from its file slice by slice is open, and can't be pickled."""

    class Workers:
        def run(self, work, blocks, shared):
            raise AssertionError("the stack would be sent")

    stage = MemoryStage()
    stage.workers = Workers()
    assert finish(judge(*finished_run(), stage)).slices == (0, 1, 2, 3, 4)
