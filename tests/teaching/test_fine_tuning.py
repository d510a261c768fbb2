"""Fine-tuning as a whole: it learns, is named and dated, stops, goes on, and is compared."""

import dataclasses
import json
from datetime import datetime

import numpy as np
import pytest

from conftest import begin, grid
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.networks.architecture import build_network
from napari_copnet.networks.package import find_model, load_package, save_package
from napari_copnet.params import DeviceParams, FineTuneParams
from napari_copnet.progress import Progress, finish
from napari_copnet.teaching import fine_tuning, fine_tuning_folder, out_of_fold
from napari_copnet.teaching.annotated_dataset import learnt_slices
from napari_copnet.teaching.model_comparison import comparable_slices
from napari_copnet.teaching.project import Project
from napari_copnet.training import fit
from napari_copnet.training.losses import read_losses

ONE = DeviceParams(device="cpu", threads=1)
SHORT = FineTuneParams(minutes=0.02, steps_per_epoch=5, batch=2)


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", begin(grid(31))) as opened:
        for z in (0, 10, 20):
            opened.finish(z, despite=True)
        yield opened


@pytest.fixture(scope="module")
def tiny(tiny_models, tmp_path_factory):
    """Two tiny models of three stages: nnU-Net's loss wants two outputs of a decoder or more."""
    import torch

    found = {}
    for kind, folder in tiny_models.items():
        plan = dataclasses.replace(
            load_package(folder).plan,
            features_per_stage=(4, 8, 8),
            kernel_sizes=((3, 3),) * 3,
            strides=((1, 1), (2, 2), (2, 2)),
            n_conv_per_stage=(1, 1, 1),
            n_conv_per_stage_decoder=(1, 1),
        )
        torch.manual_seed(0)
        network = build_network(plan)
        found[kind] = save_package(
            tmp_path_factory.mktemp("tiny") / kind,
            name=f"tiny-{kind}",
            kind=kind,
            plan=plan,
            weights={name: value.detach().numpy() for name, value in network.named_parameters()},
            card={},
        )
    return found


def fine_tuned(folder, tiny, project, slices, name="mine", **card):
    """A model that says it has learnt from slices of the project."""
    learnt = [{"stack": project.stack_id, "slices": list(slices)}]
    return save_package(
        folder / name,
        name=name,
        kind="contours",
        plan=tiny.plan,
        weights={key: values + 0.01 * len(name) for key, values in tiny.weights().items()},
        card={"parent": {"name": tiny.name, "sha256": tiny.sha256}, "learnt": learnt, **card},
    )


class Noon(datetime):
    """A clock that stands: midnight may pass while a model is trained."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 4, 12, tzinfo=tz)


def test_a_model_is_trained_named_dated_and_knows_its_parent(project, tiny, models, monkeypatch):
    monkeypatch.setattr(fine_tuning, "datetime", Noon)
    seen = []
    model = finish(
        fine_tuning.fine_tune(
            project, "contours", tiny["contours"], SHORT, device=ONE, command="copnet finetune"
        ),
        seen.append,
    )
    assert model.folder.parent == models and model.name == "drawn-contours-2026-03-04"
    card = model.card
    assert card["parent"] == {"name": "tiny-contours", "sha256": tiny["contours"].sha256}
    assert card["created"] and card["command"] == "copnet finetune"
    assert learnt_slices(model, project.stack_id) == {0, 10}
    assert card["learnt"][0]["held_out"] == [20]
    assert any(fine_tuning.began(progress) for progress in seen)
    before, after = tiny["contours"].weights(), model.weights()
    assert any(np.abs(before[name] - after[name]).max() > 1e-4 for name in before)
    # what it needed is tidied away, the losses stay for the curves
    work = fit.work_folder(model.folder)
    assert read_losses(model.folder)[0]["step"] > 0
    assert not (work / "dataset").exists() and not list(work.glob("*.pt"))
    assert fine_tuning.unfinished() == []
    # the next one of the day has another name
    assert fine_tuning.free_name("drawn", "contours") == f"{model.name}.2"
    with pytest.raises(InputError, match="already a model"):
        finish(fine_tuning.fine_tune(project, "contours", tiny["contours"], SHORT, name=model.name))
    assert comparable_slices(project, tiny["contours"], model) == [20]


def test_stopped_it_waits_and_goes_on_without_the_project(project, tiny, models, tmp_path):
    params = dataclasses.replace(SHORT, minutes=5)
    work = fine_tuning.fine_tune(
        project, "contours", tiny["contours"], params, device=ONE, name="stopped"
    )
    for progress in work:
        if progress.partial:
            break
    work.close()
    waiting = fine_tuning.unfinished()
    assert [(one.name, one.kind, one.parent) for one in waiting] == [
        ("stopped", "contours", "tiny-contours")
    ]
    with pytest.raises(InputError, match="'stopped' is unfinished"):
        finish(fine_tuning.fine_tune(project, "contours", tiny["contours"], params, name="stopped"))
    before = read_losses(waiting[0].out)
    project.close()
    # five minutes are long for a test: let the rest be short
    record = fit.work_folder(waiting[0].out) / fine_tuning_folder.RECORD
    values = json.loads(record.read_text())
    values["params"]["minutes"] = SHORT.minutes
    record.write_text(json.dumps(values))
    model = finish(fine_tuning.resume(waiting[0].out))
    assert read_losses(model.folder)[: len(before)] == before
    assert model.name == "stopped" and model.card["learnt"][0]["slices"] == [0, 10]
    assert fine_tuning.unfinished() == []
    with pytest.raises(InputError, match="no fine-tuning of other"):
        finish(fine_tuning.resume(tmp_path / "other"))


def test_a_forgotten_one_is_gone(models, tmp_path):
    out = models / "gone"
    work = fit.work_folder(out)
    work.mkdir(parents=True)
    (work / "config.json").write_text("{}")
    (work / "finetune.json").write_text(
        '{"name": "gone", "kind": "contours", "parent": "p", "begun": "2026", "start_from": "p",'
        ' "params": {}, "device": {}, "card": {}, "size": 512}'
    )
    fine_tuning.forget(fine_tuning.unfinished()[0])
    assert fine_tuning.unfinished() == [] and not work.exists()


def test_what_it_will_do_is_told_before(project, tiny, models):
    plan = fine_tuning.prospect(project, "contours", tiny["contours"], FineTuneParams(minutes=7))
    assert plan.split.train == (0, 10) and plan.split.held_out == (20,)
    assert "slice 20 is held out" in plan.text and "7 min" in plan.text
    assert plan.minutes == 7
    with pytest.raises(InputError, match="is a contours model, not a closing"):
        fine_tuning.prospect(project, "closing", tiny["contours"])
    for z in (0, 10, 20):
        project.reopen(z)
    with pytest.raises(InputError, match="No slice is annotated"):
        fine_tuning.prospect(project, "contours", tiny["contours"])


def test_a_closing_network_learns_from_maps_made_out_of_fold(
    project, tiny, models, tmp_path, monkeypatch
):
    project.finish(30, despite=True)
    known = fine_tuned(models, tiny["contours"], project, (0, 10, 20))
    monkeypatch.setattr(out_of_fold, "list_models", lambda: [tiny["contours"], known])
    trained = []

    def train(kind, sources, out, params, degrade=None, **more):
        trained.append((kind, [(one.slices, one.step1) for one in sources], more["start_from"]))
        yield Progress("training", 0, 1, "epochs")
        return tiny[kind]

    monkeypatch.setattr(fine_tuning.fit, "train", train)
    seen = []
    finish(
        fine_tuning.fine_tune(
            project,
            "closing",
            tiny["closing"],
            FineTuneParams(minutes=1),
            contour_model=known,
            name="closer",
        ),
        seen.append,
    )
    first, second = (models / "closer.training" / f"fold-{number}" for number in (1, 2))
    base = tiny["contours"].folder
    # slices 0 and 10 are predicted by a model of slice 20, and the other way round
    assert trained[0] == ("contours", [("2", None)], base)
    assert trained[1] == ("contours", [("0,1", None)], base)
    kind, sources, start = trained[2]
    assert kind == "closing" and start == tiny["closing"].folder
    assert sources == [("0,1", first), ("2", second)]
    assert {"fold 1 of 2", "fold 2 of 2"} <= {progress.step for progress in seen}


def test_maps_of_slices_it_has_not_learnt_from_are_a_models_own(project, tiny, models):
    known = fine_tuned(models, tiny["contours"], project, (7,))
    made = out_of_fold.out_of_fold(project, known, [0, 10], models, models, SHORT, None)
    assert finish(made) == {0: known.folder, 10: known.folder}
    # the model it began from is not among those here
    lost = fine_tuned(models, tiny["contours"], project, (0,), name="lost")
    with pytest.raises(CopnetError, match="is not here"):
        finish(out_of_fold.out_of_fold(project, lost, [0, 10], models, models, SHORT, None))


def test_ancestors_are_found_by_hash_as_far_as_they_are_here(project, tiny, models):
    assert fine_tuning.ancestors(tiny["contours"]) == []
    shipped = find_model("shipped", "contours")
    child = fine_tuned(
        models,
        tiny["contours"],
        project,
        (5,),
        name="child",
        parent={"name": shipped.name, "sha256": shipped.sha256},
    )
    grandchild = dataclasses.replace(
        child, name="grandchild", card={"parent": {"name": "child", "sha256": child.sha256}}
    )
    names = [one.name for one in fine_tuning.ancestors(grandchild)]
    assert names == ["child", shipped.name]
