"""Baselines on contours drawn by hand."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_copnet.evaluation.baselines.base import SliceBlock
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
from napari_copnet.progress import Progress, finish


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
    return SliceBlock(contours, true=TrueStack(true.astype(np.uint8)))


def rooms(mask):
    return ndimage.label(mask == 0)[1]


@pytest.mark.parametrize(
    ("baseline", "door"),
    [
        (MorphologicalClosing(), 0.0),
        (DistanceWatershed(), 0.0),
        (ProbabilityWatershed(), 0.2),
        (Threshold(), 0.2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_rival_closes_the_door_it_was_tuned_for(baseline, door, tmp_path):
    training = block(walls(door), walls(door, 10))
    tuned = finish(baseline.tune(training, tmp_path))
    assert tuned["labelled"] == 1
    test = SliceBlock(np.stack([walls(door, 11)]))
    assert rooms(test.rounded[0]) == 1
    steps = []
    mask = finish(baseline.apply(test, tuned), steps.append)
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
    empty = SliceBlock(np.zeros((1, 30, 30), np.float32))
    for baseline in (MorphologicalClosing(), DistanceWatershed(), ProbabilityWatershed()):
        assert not finish(baseline.apply(empty, baseline.candidates()[-1])).any(), baseline.name


@pytest.mark.slow
def test_the_network_of_chen_is_trained_kept_and_applied_once(tmp_path, monkeypatch):
    from napari_copnet.evaluation.baselines import chen
    from napari_copnet.params import BaselineParams, TrainParams

    tiny = TrainParams(
        size="small", epochs=1, iterations_per_epoch=4, batch=2, patch=32,
        own_outputs=0.0, artefacts=False,
    )  # fmt: skip
    params = BaselineParams(chen_gaps=40, chen_radius_min=2, chen_radius_max=6)
    baseline = chen.Chen(params, train_params=tiny)
    square = [np.pad(walls(door)[:, :64], ((0, 16), (0, 0)), "edge") for door in (0.1, 0.9)]
    contours = np.stack([square[0]] * 6)
    truth = np.stack([square[1] > 0.5] * 6).astype(np.uint8)
    excluded = np.zeros(truth.shape[1:], bool)
    excluded[:8, :8] = True
    training = SliceBlock(contours, true=TrueStack(truth, exclude_pixels=excluded))
    tuned = finish(baseline.tune(training, tmp_path))
    assert tuned["steps"] == 4
    written = tifffile.imread(tmp_path / "chen" / "truth.tif")
    assert (written[:, :8, :8] == 2).all() and set(np.unique(written)) == {0, 1, 2}
    mask = finish(baseline.apply(SliceBlock(contours[:2]), tuned))
    assert mask.shape == (2, 64, 64) and mask[contours[:2] > 0.5].all()

    def no_training(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(chen, "train", no_training)
    assert finish(baseline.tune(training, tmp_path)) == tuned
    with pytest.raises(AssertionError, match="trained again"):
        finish(baseline.tune(SliceBlock(contours[:5], true=TrueStack(truth[:5])), tmp_path))


class FillsDoors:
    """In place of a trained network: fills what is empty between filled pixels in its column."""

    def predict(self, images):
        assert set(np.unique(images)) <= {0, 1}, "Chen's network sees binary contours"
        out = images[:, 0].astype(np.float32)
        out[:, 4:44, 44:48] = 0.8
        yield from ()
        return out


def test_chen_sees_the_rounded_contour_and_keeps_it(monkeypatch):
    from napari_copnet.evaluation.baselines import chen

    monkeypatch.setattr(chen, "load_package", lambda path: None)
    monkeypatch.setattr(chen.Network, "load", lambda *args: FillsDoors())
    mask = finish(chen.Chen().apply(SliceBlock(np.stack([walls(0.3)])), {"model": "m"}))
    np.testing.assert_array_equal(mask[0], walls(0.9) > 0.5)


def test_chen_takes_a_few_slices_at_once(monkeypatch):
    from napari_copnet.evaluation.baselines import chen

    class Watched(FillsDoors):
        seen = []

        def predict(self, images):
            self.seen.append(len(images))
            yield Progress("predict", 0.5, len(images), "slices")
            return (yield from super().predict(images))

    monkeypatch.setattr(chen, "AT_ONCE", 2)
    monkeypatch.setattr(chen, "load_package", lambda path: None)
    monkeypatch.setattr(chen.Network, "load", lambda *args: Watched())
    block, steps = SliceBlock(np.stack([walls(0.3)] * 5)), []
    out = np.zeros(block.contours.shape, np.uint8)
    mask = finish(chen.Chen().apply(block, {"model": "m"}, out), steps.append)
    assert mask is out and Watched.seen == [2, 2, 1]
    assert [(step.done, step.total) for step in steps] == [(0.5, 5), (2.5, 5), (4.5, 5)]
    np.testing.assert_array_equal(mask, np.stack([walls(0.9) > 0.5] * 5))


def test_radii_in_micrometres_become_pixels():
    from napari_copnet.errors import InputError
    from napari_copnet.evaluation.baselines.chen import Chen
    from napari_copnet.params import BaselineParams

    params = BaselineParams(chen_radius_min=1, chen_radius_max=3.5, chen_unit="um")
    gaps = Chen(params, pixel_size=0.1).gaps()
    assert (gaps.radius_min, gaps.radius_max) == (10, pytest.approx(35))
    assert (gaps.diffusion_disks, gaps.absorption_disks, gaps.method) == (0, 16, "circles")
    with pytest.raises(InputError, match="pixel size"):
        Chen(params).check()


@pytest.mark.parametrize(
    ("total", "train", "scored", "expected"),
    [
        (30, "", "", (range(10), range(14, 30))),
        (30, "0-4", "", (range(5), range(9, 30))),
        (30, "", "20-29", (range(16), range(20, 30))),
        (30, "0-4", "25-29", (range(5), range(25, 30))),
    ],
)
def test_slices_to_tune_on_lie_apart_from_those_scored(total, train, scored, expected):
    from napari_copnet.evaluation.baselines.comparison import split_for_tuning

    assert split_for_tuning(total, train, scored) == tuple(map(list, expected))


@pytest.mark.parametrize(("total", "train", "scored"), [(30, "0-9", "12-20"), (6, "", "")])
def test_slices_too_near_to_each_other_are_refused(total, train, scored):
    from napari_copnet.errors import InputError
    from napari_copnet.evaluation.baselines.comparison import split_for_tuning

    with pytest.raises(InputError, match="slices look alike"):
        split_for_tuning(total, train, scored)


def test_a_comparison_has_step_1_every_rival_and_the_ceiling(tmp_path):
    from napari_copnet.evaluation.baselines.comparison import compare

    training, tested = block(walls(0.2)), block(walls(0.2), walls(0.3))
    half = np.stack([walls(0.9), walls(0.0)]) > 0.5
    result = finish(
        compare(
            [Threshold(), MorphologicalClosing()],
            training,
            SliceBlock(tested.contours),
            tested.true,
            tmp_path,
            closed={"half": half},
            numbers=[8, 9],
        )
    )
    assert list(result) == ["step1", "threshold", "closing", "half", "truth"]
    labelled = {name: one.scores.mean("labelled") for name, one in result.items()}
    assert labelled == {"step1": 0, "threshold": 1, "closing": 1, "half": 0.5, "truth": 1}
    assert result["threshold"].settings == {"threshold": 0.15, "labelled": 1}
    plain = result["half"].as_dict()
    assert plain["gain"]["labelled"] == 0.5 and "baseline" not in plain
    assert [s["slice"] for s in plain["slices"]] == [8, 9]
    assert "gain" not in result["step1"].as_dict()


def test_rivals_that_cannot_run_are_left_out_with_a_note_or_refused_when_named(monkeypatch):
    from napari_copnet.errors import CopnetError
    from napari_copnet.evaluation.baselines import cellpose
    from napari_copnet.evaluation.baselines.registry import NAMES, make_baselines

    monkeypatch.setattr(cellpose.importlib.util, "find_spec", lambda name: None)
    baselines, notes = make_baselines(image=True)
    assert [baseline.name for baseline in baselines] == [
        name for name in NAMES if name != "cellpose"
    ]
    assert notes == ["Cellpose is left out: Cellpose is not installed."]
    with pytest.raises(CopnetError, match="not installed") as caught:
        make_baselines(["cellpose"])
    assert "pip install" in caught.value.hint
    with pytest.raises(CopnetError, match="no baseline 'magic'"):
        make_baselines(["magic"])
