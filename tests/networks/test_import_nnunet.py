"""Importing what nnU-Net trained: the same network comes out, and nothing that is sent in runs."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import torch

from made_networks import (
    made_network,
    made_plan,
    nnunet_plans,
    weights_of,
    write_nnunet_folder,
)
from napari_copnet.errors import ModelError
from napari_copnet.networks.import_nnunet import import_nnunet
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.plan import plan_from_nnunet
from napari_copnet.params import DeviceParams
from napari_copnet.progress import finish

FOLDER = "Dataset001_Made/nnUNetTrainer__nnUNetPlans__2d"


@pytest.fixture
def made():
    return nnunet_plans()


@pytest.fixture
def module():
    return made_network(made_plan(2))


@pytest.fixture
def results(tmp_path, made, module):
    return write_nnunet_folder(tmp_path / "results" / FOLDER, *made, module)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("source", ["folder", "parent", "zip"])
def test_the_network_comes_out_the_same(results, tmp_path, module, source):
    given = {
        "folder": lambda: results,
        "parent": lambda: tmp_path / "results",
        "zip": lambda: zipped(tmp_path / "results", tmp_path / "model.zip"),
    }[source]()
    package = import_nnunet(given, "closing", "theirs", tmp_path / "out")
    assert package.name == "theirs" and package.kind == "closing"
    assert package.plan.mirror_axes == (0, 1) and package.plan.patch_size == (32, 32)
    assert package.card["data"] == package.data == ["Dataset001_Made"]
    expected = weights_of(module)
    weights = package.weights()
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(weights[name], values)
    x = np.random.default_rng(0).random((1, 1, 32, 32), np.float32)
    params = DeviceParams(device="cpu", precision="float32")
    ours = finish(Network.load(package, params).predict(x))
    with torch.no_grad():
        # One tile, z-scored: softmax of the module itself.
        direct = torch.softmax(module(torch.from_numpy((x - x.mean()) / x.std())), 1)[:, 1]
    np.testing.assert_allclose(ours, direct.numpy(), atol=1e-4)


def said(**changed):
    """What an exported dataset says of itself."""
    return {
        "kind": "closing",
        "stack": "0123456789abcdef",
        "name": "tissue",
        "input_size": 256,
        "maps": "tiny",
        "slices": [0, 10, 20],
        "folds": [{"train": [0, 10], "held_out": [20]}],
        **changed,
    }


def test_a_dataset_of_ours_says_what_the_model_has_learnt_from(results, tmp_path, made):
    described = results / "dataset.json"
    described.write_text(json.dumps({**made[1], "napari_copnet": said()}))
    card = import_nnunet(results, "closing", "theirs", tmp_path / "out").card
    assert card["input_size"] == 256
    assert card["data"] == ["tissue, annotated slices 0, 10, maps of tiny"]
    assert card["learnt"] == [
        {"stack": "0123456789abcdef", "name": "tissue", "slices": [0, 10], "held_out": [20]}
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (said(kind="contours"), "exported for a contours network"),
        (said(slices=["0"]), "can't be read"),
        (said(folds=[{"train": [-1], "held_out": []}]), "can't be read"),
        (said(input_size=1e9), "can't be read"),
        ({}, "can't be read"),
        ("all", "can't be read"),
    ],
)
def test_what_a_dataset_says_is_not_believed_blindly(results, tmp_path, made, values, words):
    (results / "dataset.json").write_text(json.dumps({**made[1], "napari_copnet": values}))
    refused(results, tmp_path, words)


def refused(source, tmp_path, words, **options):
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=words) as caught:
        import_nnunet(source, "closing", "theirs", out, **options)
    assert caught.value.hint
    assert not out.exists()
    return caught.value


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_runs_code_does_not(results, tmp_path, legacy):
    proof = tmp_path / "it_ran"
    path = results / "fold_0" / "checkpoint_final.pth"
    torch.save(
        {"network_weights": Payload(proof), "init_args": {}},
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    refused(results, tmp_path, "more than numbers")
    assert not proof.exists()


def test_plans_that_name_a_command_do_not_run_it(results, tmp_path, made):
    plans = made[0]
    plans["configurations"]["2d"]["architecture"]["network_class_name"] = "os.system"
    (results / "plans.json").write_text(json.dumps(plans))
    refused(results, tmp_path, "not allowed")


@pytest.mark.parametrize("name", ["../evil.pth", "/evil.pth", "..\\evil.pth"])
def test_a_zip_that_points_outside_is_refused(results, tmp_path, name):
    path = zipped(tmp_path / "results", tmp_path / "model.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    refused(path, tmp_path, "points outside")


def test_a_zip_bomb_is_not_unpacked(results, tmp_path):
    (results / "fold_0" / "checkpoint_final.pth").write_bytes(bytes(64 << 20))
    path = zipped(tmp_path / "results", tmp_path / "model.zip")
    assert path.stat().st_size < 1 << 20
    refused(path, tmp_path, "would unpack to 67 MB")


def test_damaged_files_are_said(results, tmp_path):
    checkpoint = results / "fold_0" / "checkpoint_final.pth"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    refused(results, tmp_path, "can't be read")
    checkpoint.write_bytes(b"")
    refused(results, tmp_path, "can't be read")
    checkpoint.write_bytes(whole)
    (results / "plans.json").write_text("{")
    refused(results, tmp_path, "plans.json")
    (tmp_path / "no.zip").write_bytes(b"no")
    refused(tmp_path / "no.zip", tmp_path, "neither a folder")


def test_missing_things_are_said(results, tmp_path):
    refused(results, tmp_path, "fold 3", fold=3)
    refused(results, tmp_path, "checkpoint_best", checkpoint="checkpoint_best.pth")
    refused(results, tmp_path, "not a file name", checkpoint="../checkpoint_final.pth")
    refused(results, tmp_path, "trained as '2d'", configuration="3d_fullres")
    (results / "dataset.json").unlink()
    refused(results, tmp_path, "dataset.json")
    refused(tmp_path / "out_of_nowhere", tmp_path, "neither a folder")


def test_weights_of_another_network_are_refused(results, tmp_path, made):
    plans = made[0]
    architecture = plans["configurations"]["2d"]["architecture"]
    architecture["arch_kwargs"]["features_per_stage"] = [4, 8, 32]
    (results / "plans.json").write_text(json.dumps(plans))
    refused(results, tmp_path, "do not fit")


def test_with_several_networks_the_configuration_chooses(results, tmp_path, made, module):
    other = nnunet_plans(3)
    write_nnunet_folder(
        results.with_name("nnUNetTrainer__nnUNetPlans__3d_fullres"),
        *other,
        made_network(made_plan(3)),
        inference_allowed_mirroring_axes=None,
    )
    refused(tmp_path / "results", tmp_path, "more than one")
    package = import_nnunet(
        tmp_path / "results", "contours", "volume", tmp_path / "out", configuration="3d_fullres"
    )
    assert package.plan.dimensions == 3 and package.plan.mirror_axes == ()


# -- which class, which weights ---------------------------------------------------------------


def with_classes(folder, labels):
    """Write the folder of a network with these classes; return its module."""
    plans, dataset, configuration = nnunet_plans()
    dataset["labels"] = {name: number for number, name in enumerate(labels)}
    module = made_network(plan_from_nnunet(plans, configuration, dataset))
    write_nnunet_folder(folder, plans, dataset, configuration, module)
    return module


def predicted(package, x):
    params = DeviceParams(device="cpu", precision="float32")
    return finish(Network.load(package, params).predict(x))


@pytest.mark.parametrize(
    ("labels", "wanted", "number"),
    [
        (["background", "cell", "border"], None, 2),
        (["background", "cell", "cell_membrane", "nucleus"], None, 2),
        (["background", "membrane", "cell"], None, 1),
        (["background", "one", "two"], "two", 2),
        (["background", "one", "two"], "1", 1),
        (["background", "foreground"], None, 1),
        (["background", "cell"], "background", 0),
        (["background", "cell", "border", "ignore"], None, 2),
    ],
)
def test_the_class_that_is_the_contour_is_predicted(tmp_path, labels, wanted, number):
    module = with_classes(tmp_path / FOLDER, labels)
    package = import_nnunet(tmp_path, "contours", "theirs", tmp_path / "out", contour=wanted)
    x = np.random.default_rng(0).random((1, 1, 32, 32), np.float32)
    with torch.no_grad():
        direct = torch.softmax(module(torch.from_numpy((x - x.mean()) / x.std())), 1)[:, number]
    np.testing.assert_allclose(predicted(package, x), direct.numpy(), atol=1e-4)
    if package.plan.classes > 2:
        assert package.card["contour"] == labels[number]


@pytest.mark.parametrize(
    "labels",
    [
        ["background", "cell"],
        ["background", "one", "two"],
        ["background", "membrane", "border"],
        ["background", "nuclei", "cytoplasm"],
    ],
)
def test_which_class_is_asked_where_no_name_tells(tmp_path, labels):
    with_classes(tmp_path / FOLDER, labels)
    error = refused(tmp_path / FOLDER, tmp_path, "not clear which class")
    assert labels[1] in error.message and "--contour" in error.hint
    refused(tmp_path / FOLDER, tmp_path, "no class 'walls'", contour="walls")


@pytest.mark.parametrize("name", ["checkpoint_best.pth", "checkpoint_latest.pth"])
def test_without_a_final_checkpoint_another_is_taken(results, tmp_path, name):
    fold = results / "fold_0"
    (fold / "checkpoint_final.pth").rename(fold / name)
    package = import_nnunet(results, "closing", "theirs", tmp_path / "out")
    assert package.card["parent"].endswith(name)


def test_of_five_folds_the_first_finished_one_is_taken_and_named(results, tmp_path):
    for number in range(1, 5):
        shutil.copytree(results / "fold_0", results / f"fold_{number}")
    first = results / "fold_0"
    (first / "checkpoint_final.pth").rename(first / "checkpoint_best.pth")
    package = import_nnunet(results, "closing", "theirs", tmp_path / "out")
    assert package.card["fold"] == "fold_1 of 5"
    package = import_nnunet(results, "closing", "theirs", tmp_path / "other", fold=0)
    assert package.card["parent"].endswith("fold_0/checkpoint_best.pth")
