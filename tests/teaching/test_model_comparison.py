"""Two models on the same slices: the same scores as `evaluate`, only where neither has learnt."""

import dataclasses

import numpy as np
import pytest

from conftest import begin, grid
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.networks.package import load_package
from napari_copnet.progress import Progress, finish
from napari_copnet.teaching import model_comparison as module
from napari_copnet.teaching.model_comparison import comparable_slices, compare
from napari_copnet.teaching.project import Project


class Drawn:
    """A network that draws what it is told, whatever it sees."""

    def __init__(self, model, contour):
        self.plan = model.plan
        self.contour = contour

    def predict(self, images, order=None, **_):
        yield Progress("predict", 1, 1)
        if self.contour is None:
            return np.asarray(images)[:, 0]
        return np.repeat(self.contour[None].astype(np.float32), len(images), axis=0)


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", begin(grid(31, 60, 15))) as opened:
        for z in (0, 10, 20):
            opened.finish(z, despite=True)
        yield opened


@pytest.fixture
def models(tiny_models, monkeypatch, project):
    """The old model leaves a wall out; the closing model changes nothing."""
    tiny = load_package(tiny_models["contours"])
    whole = project.session.contour[0] > 0
    gappy = whole.copy()
    gappy[1:15, 15] = False
    networks = {"old": Drawn(tiny, gappy), "new": Drawn(tiny, whole), "same": Drawn(tiny, None)}
    monkeypatch.setattr(module, "load_network", lambda model, device: networks[model.name])
    named = {
        name: dataclasses.replace(tiny, name=name, card={"learnt": []}) for name in ("old", "new")
    }
    closing = load_package(tiny_models["closing"])
    return {**named, "same": dataclasses.replace(closing, name="same")}


def test_the_better_model_is_told_with_the_scores_of_evaluate(project, models):
    compared = finish(compare(project, models["old"], models["new"], partner=models["same"]))
    assert compared.slices == (0, 10, 20) and compared.is_better
    truth = project.session.contour[[0, 10, 20]]
    assert np.array_equal(compared.new_mask, truth)
    assert not compared.old_mask[:, 5, 15].any()
    for mask, scores in ((compared.old_mask, compared.old), (compared.new_mask, compared.new)):
        alone = finish(evaluate(mask, truth)).as_dict()
        assert scores.mean("labelled") == pytest.approx(alone["labelled"])
        assert scores.mean("nsd") == pytest.approx(alone["nsd"])
    assert compared.gain["merged"] < 0 < compared.gain["labelled"]
    rows = {row["name"]: row for row in compared.rows()}
    assert rows["labelled"]["gain"] == pytest.approx(compared.gain["labelled"])
    assert "More cells are correct" in compared.text and "3 slices" in compared.text
    values = compared.as_dict()
    assert values["baseline"]["labelled"] < values["labelled"] and "p" in values


def test_what_was_not_reviewed_is_not_scored(project, models):
    part = np.ones((60, 60), bool)
    part[:, :31] = False
    project.set_reviewed(10, part)
    project.finish(10, despite=True)
    compared = finish(
        compare(project, models["old"], models["new"], slices=[10], partner=models["same"])
    )
    # the missing wall lies outside
    assert compared.gain["labelled"] == 0
    assert compared.new.cells < 16 and (compared.truth[0][:, :31] == 2).all()


def test_a_model_that_draws_contour_everywhere_is_named(project, models, monkeypatch):
    load = module.load_network
    full = Drawn(models["new"], np.ones((60, 60), bool))
    monkeypatch.setattr(
        module,
        "load_network",
        lambda model, device: full if model.name == "new" else load(model, device),
    )
    with pytest.raises(CopnetError, match="'new' takes 100% of the slices as contour"):
        finish(compare(project, models["old"], models["new"], partner=models["same"]))


def test_slices_that_a_model_has_learnt_from_and_their_neighbours_are_left_out(project, models):
    learnt = {"learnt": [{"stack": project.stack_id, "slices": [0, 17]}]}
    new = dataclasses.replace(models["new"], card=learnt)
    assert comparable_slices(project, models["old"], new) == [10]
    everything = {"learnt": [{"stack": project.stack_id, "slices": [0, 10, 20]}]}
    with pytest.raises(InputError, match="neither model was trained"):
        finish(compare(project, models["old"], dataclasses.replace(new, card=everything)))
    with pytest.raises(InputError, match="Slice 3 is not done"):
        finish(compare(project, models["old"], new, slices=[3]))
    with pytest.raises(InputError, match="closing model"):
        finish(compare(project, models["old"], models["same"]))
