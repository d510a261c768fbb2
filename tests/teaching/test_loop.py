"""The loop of teaching: slices are measured, then learnt; the next is proposed and drawn."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from conftest import begin, grid
from made_networks import teachable_model
from napari_copnet.errors import InputError
from napari_copnet.evaluation.effort import clicks
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.networks.package import adopt, find_model, load_package, save_package
from napari_copnet.params import DeviceParams, FineTuneParams, LoopParams
from napari_copnet.progress import Progress, finish
from napari_copnet.teaching import loop, loop_models
from napari_copnet.teaching.annotated_dataset import corrected_slices, learnt_slices
from napari_copnet.teaching.carrying.project_carry import carry_done
from napari_copnet.teaching.fine_tuning import began
from napari_copnet.teaching.loop_state import (
    Point,
    brought_nothing,
    read_points,
    verdict,
    write_points,
)
from napari_copnet.teaching.project import DONE, IN_WORK, UNTOUCHED, Project

SIDE, STEP, DEPTH = 60, 15, 31
ONE = DeviceParams(device="cpu", threads=1)
SHORT = FineTuneParams(steps=4, steps_per_epoch=2, batch=2)
ROUND = LoopParams(minutes=1.0)


@pytest.fixture
def project(tmp_path):
    truth = grid(DEPTH, SIDE, STEP)
    start = begin(truth)
    start = dataclasses.replace(start, contour=np.zeros_like(truth))
    with Project.create(tmp_path / "project", start) as opened:
        yield opened


@pytest.fixture
def default(models, tiny_models):
    """Tiny models that are the defaults."""
    made = teachable_model(tiny_models["contours"], models / "tiny")
    adopt(made)
    shutil.copytree(tiny_models["closing"], models / "tiny-closing")
    adopt(load_package(models / "tiny-closing"))
    return made


class Drawn:
    """A network that draws what it is told, or what it is given."""

    def __init__(self, model, contour):
        self.plan, self.contour = model.plan, contour

    def predict(self, images, order=None, **_):
        yield Progress("predict", 1, 1)
        if self.contour is None:
            return np.asarray(images)[:, 0]
        return np.repeat(self.contour[None].astype(np.float32), len(images), axis=0)


@pytest.fixture
def gappy(default, monkeypatch):
    """Each contour model leaves one wall out; the closing model changes nothing."""
    contour = grid(1, SIDE, STEP)[0] > 0
    contour[1:STEP, STEP] = False
    monkeypatch.setattr(
        loop,
        "load_network",
        lambda model, device: Drawn(model, contour if model.kind == "contours" else None),
    )
    return contour


def go_on(project):
    return finish(loop.advance(project, ROUND, device=ONE, fine_tuning=SHORT))


def test_each_slice_is_measured_before_it_is_learnt_and_the_next_is_drawn(
    project, gappy, default, tmp_path
):
    truth = grid(1, SIDE, STEP)[0]
    first = go_on(project)
    assert first.model is None and not first.points
    z = first.next.z
    assert np.array_equal(project.session.contour[z] > 0, gappy)
    assert project.state(z) == UNTOUCHED and project.chosen == [z]
    project.draw(z, truth)
    assert project.state(z) == IN_WORK
    assert np.array_equal(project.start_contour(z), gappy)
    project.finish(z, despite=True)

    second = go_on(project)
    (point,) = second.points
    scores = finish(evaluate(gappy[None].astype(np.uint8), truth[None])).as_dict()
    assert (point.z, point.slices, point.sha256) == (z, 0, default.sha256)
    assert point.labelled == pytest.approx(scores["labelled"]) and point.labelled < 1
    assert point.nsd == pytest.approx(scores["nsd"])
    # two clicks for the wall that is missing
    assert point.effort == 2 / clicks(np.zeros_like(truth), truth)
    assert second.model.name.endswith("-round-1")
    assert second.model.card["parent"]["sha256"] == default.sha256
    assert learnt_slices(second.model, project.stack_id) == {z}
    assert second.next.z not in {z, *second.carried}
    assert np.array_equal(project.session.contour[second.next.z] > 0, gappy)
    # what the model drew is nobody's correction
    assert corrected_slices(project) == []
    assert find_model("default", "contours").sha256 == default.sha256

    again = go_on(project)
    assert (again.points, again.model, again.carried) == (second.points, second.model, ())
    assert again.next.z == second.next.z
    project.draw(second.next.z, truth)
    project.finish(second.next.z, despite=True)
    third = go_on(project)
    assert [(one.z, one.slices) for one in third.points] == [(z, 0), (second.next.z, 1)]
    assert third.points[1].sha256 == second.model.sha256
    assert third.model.card["parent"]["name"] == second.model.name
    assert loop.unmeasured(project) == [] and loop.unlearnt(project) == []
    with pytest.raises(InputError, match="has learnt"):
        finish(loop.measure(project, [z]))
    adopted = loop_models.adopt_newest(project)
    assert find_model("default", "contours").sha256 == third.model.sha256
    assert loop_models.adopt_newest(project).folder == adopted.folder
    project.close()
    with Project.open(tmp_path / "project") as opened:
        assert tuple(loop.curve(opened)) == third.points
        assert loop_models.newest_model(opened).sha256 == third.model.sha256
        assert opened.state(z) == DONE
        assert np.array_equal(opened.start_contour(z), gappy)


@pytest.mark.slow
def test_a_round_that_was_stopped_goes_on_under_its_name(project, default):
    project.draw(4, grid(1, SIDE, STEP)[0])
    project.finish(4, despite=True)
    work = loop.train_round(project, ROUND, device=ONE, fine_tuning=SHORT)
    for progress in work:
        if began(progress):
            break
    work.close()
    assert loop_models.newest_model(project) is None
    name = loop_models.next_name(project)
    # what is done meanwhile waits for the next round: the slices of this one are written down
    project.draw(20, grid(1, SIDE, STEP)[0])
    project.finish(20, despite=True)
    made = finish(loop.train_round(project, ROUND, device=ONE, fine_tuning=SHORT))
    assert made.name == name and name.endswith("-round-1")
    assert loop.unlearnt(project) == [20]


def test_a_slice_is_scored_by_the_model_that_was_newest_when_it_was_done(project, gappy, default):
    project.draw(4, grid(1, SIDE, STEP)[0])
    project.finish(4, despite=True)
    work = loop.measure(project, [4], model=default)
    # a round that began with it ends before it is scored
    finish(loop.train_round(project, ROUND, device=ONE, fine_tuning=SHORT))
    (point,) = finish(work)
    assert (point.sha256, point.slices) == (default.sha256, 0)
    with pytest.raises(InputError, match="has learnt"):
        finish(loop.measure(project, [4]))


def test_slices_that_somebody_has_worked_on_are_not_drawn(project, gappy):
    project.draw(3, grid(1, SIDE, STEP)[0])
    drawn = finish(loop.prefill(project, 3))
    assert not project.take_prefilled(drawn)
    assert not loop.wants_prefill(project, 3) and loop.wants_prefill(project, 4)
    assert finish(loop.propose_next(project)).z == 3
    drawn = finish(loop.prefill(project, 4))
    assert project.take_prefilled(drawn) and project.state(4) == UNTOUCHED
    project.session.undo()
    assert not project.session.contour[4].any()


def test_where_the_model_is_of_little_help_an_end_of_carrying_comes_next(project, gappy):
    truth = grid(1, SIDE, STEP)[0]
    project.draw(12, truth)
    project.finish(12, despite=True)
    came = finish(carry_done(project))
    assert {2, 22} <= set(came)
    folder = project.folder / "annotation"
    (point,) = finish(loop.measure(project, [12]))
    # little is missing in what the model drew: what it has not seen yet teaches more
    assert point.effort < loop.HELPS
    assert finish(loop.propose_next(project)).z not in came
    write_points(folder, [dataclasses.replace(point, effort=0.9)])
    found = finish(loop.propose_next(project))
    assert found.z == 2 and found.reason.startswith("carried this far; ")
    # of one that is done, the other follows
    project.finish(2, despite=True)
    assert finish(loop.propose_next(project)).z == 22
    project.finish(22, despite=True)
    assert finish(loop.propose_next(project)).z == 7
    # next to slices that are done there is little to learn
    for z in (7, 17, 27):
        project.finish(z, despite=True)
    assert finish(loop.propose_next(project)).z not in came


def test_where_teaching_did_harm_it_is_said_and_the_default_model_draws(
    project, gappy, default, monkeypatch
):
    weights = {name: 2 * value for name, value in default.weights().items()}
    folder = loop_models.rounds_folder(project) / loop_models.next_name(project)
    worse = save_package(
        folder, name=folder.name, kind="contours", plan=default.plan, weights=weights, card={}
    )
    drawn = {default.sha256: gappy, worse.sha256: np.zeros_like(gappy)}
    monkeypatch.setattr(
        loop, "load_network", lambda model, device: Drawn(model, drawn.get(model.sha256))
    )
    truth = grid(1, SIDE, STEP)[0]
    project.draw(4, truth)
    project.finish(4, despite=True)
    (point,) = finish(loop.measure(project, [4]))
    scores = finish(evaluate(gappy[None].astype(np.uint8), truth[None])).as_dict()
    assert (point.sha256, point.labelled) == (worse.sha256, 0)
    assert point.by_default == pytest.approx(scores["labelled"]) and point.harmed
    assert loop.curve(project) == [point]
    said = verdict([point], 0.01)
    assert f"default model {100 * point.by_default:.0f} %" in said and "do not adopt it" in said
    assert loop.drawing_model(project).sha256 == default.sha256
    assert loop.wants_prefill(project, 20)
    prefilled = finish(loop.prefill(project, 20))
    assert prefilled.model == default.sha256 and np.array_equal(prefilled.contour, gappy)
    assert project.take_prefilled(prefilled) and not loop.wants_prefill(project, 20)
    # a hair less is chance; what is said and who draws go by the same rule
    for behind, harmed in ((0.009, False), (0.02, True)):
        near = dataclasses.replace(point, labelled=point.by_default - behind)
        write_points(project.folder / "annotation", [near])
        assert near.harmed == ("do not adopt" in verdict([near], 0.01)) == harmed
        assert (loop.drawing_model(project).sha256 == default.sha256) == harmed
    # as soon as the newest is better again, it draws, and over what nobody corrected
    better = dataclasses.replace(point, labelled=0.99)
    write_points(project.folder / "annotation", [point, better])
    assert not better.harmed and "do not adopt" not in verdict([point, better], 0.01)
    assert loop.drawing_model(project).sha256 == worse.sha256 and loop.wants_prefill(project, 20)


def points(*values):
    return [Point(n, n, "m", "0", value, value) for n, value in enumerate(values)]


def test_it_is_said_when_two_slices_in_a_row_bring_nothing():
    assert brought_nothing(points(0.3), 0.01) == 0
    assert brought_nothing(points(0.3, 0.5, 0.505), 0.01) == 1
    assert brought_nothing(points(0.3, 0.5, None, 0.2), 0.01) == 1
    idle = points(0.3, 0.5, 0.505, 0.4)
    assert brought_nothing(idle, 0.01) == 2
    assert "brought no gain" in verdict(idle, 0.01)
    assert "Go on" in verdict([*idle, *points(0.6)], 0.01)
    assert "brought no gain" not in verdict(points(0.3, 0.5, 0.505), 0.01)


def test_it_is_said_what_correcting_takes():
    (point,) = points(0.3)
    assert "Correcting" not in verdict([point], 0.01)
    assert "takes 28 % of the clicks" in verdict([dataclasses.replace(point, effort=0.281)], 0.01)
    assert "clear the slice" in verdict([dataclasses.replace(point, effort=1.2)], 0.01)


def test_a_curve_of_an_earlier_version_has_no_effort(tmp_path):
    old = {name: value for name, value in vars(points(0.3)[0]).items() if name != "effort"}
    (tmp_path / "loop.json").write_text(json.dumps({"format": 1, "points": [old]}))
    assert read_points(tmp_path) == points(0.3)
    write_points(tmp_path, [dataclasses.replace(points(0.3)[0], effort=0.5)])
    assert read_points(tmp_path)[0].effort == 0.5


def test_a_damaged_curve_is_told(tmp_path):
    (tmp_path / "loop.json").write_text('{"format": 1, "points": [{"z": "x"}]}')
    with pytest.raises(InputError, match="damaged"):
        read_points(tmp_path)
