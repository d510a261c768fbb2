"""Models from elsewhere, whatever they come as."""

import shutil

import numpy as np
import pytest

from made_networks import made_network, made_plan, nnunet_plans, weights_of, write_nnunet_folder
from napari_copnet.errors import ModelError
from napari_copnet.networks.import_model import import_model, suggested_name
from napari_copnet.networks.model_zip import export_zip
from napari_copnet.networks.package import list_models, load_package, save_package

TRAINER = "nnUNetTrainer__nnUNetPlans__2d"


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "Dataset012_Mouse skin" / TRAINER
    return write_nnunet_folder(folder, *nnunet_plans(), made_network(made_plan(2)))


def test_networks_of_nnunet_are_called_as_their_data_sets(models, results, tmp_path):
    zipped = shutil.make_archive(str(tmp_path / "theirs"), "zip", tmp_path / "results")
    made = [
        import_model(source, "closing")
        for source in (results, results.parent, results.parent.parent, zipped)
    ]
    assert [model.name for model in made] == [f"Mouse-skin{end}" for end in ("", "-2", "-3", "-4")]
    assert {model.folder.parent for model in made} == {models}
    assert {model.kind for model in made} == {"closing"}
    expected = weights_of(made_network(made_plan(2)))
    for model in made:
        for name, values in load_package(model.folder).weights().items():
            np.testing.assert_array_equal(values, expected[name])


def test_a_name_that_is_given_is_taken(models, results):
    assert import_model(results, "contours", "mine").folder == models / "mine"
    with pytest.raises(ModelError, match="can't be called"):
        import_model(results, "contours", "not/mine")


def test_without_a_data_set_the_folder_gives_the_name(models, tmp_path):
    assert suggested_name(tmp_path / "from a colleague.zip") == "from-a-colleague"
    with pytest.raises(ModelError, match="can't be called"):
        suggested_name(tmp_path / "…")


def test_our_zip_keeps_name_and_kind(models, tmp_path):
    module = made_network(made_plan(2))
    weights = weights_of(module)
    made = save_package(
        tmp_path / "m", name="small", kind="closing", plan=made_plan(2), weights=weights, card={}
    )
    path = export_zip(made, tmp_path / "small.zip")
    found = import_model(path, "contours", "another")
    assert (found.name, found.kind, found.sha256) == ("another", "closing", made.sha256)
    assert import_model(path, "contours").name == "small"
    with pytest.raises(ModelError, match="already"):
        import_model(path, "contours")
    assert import_model(path, "contours", replace=True).sha256 == made.sha256


def test_what_is_no_model_leaves_nothing(models, tmp_path):
    (tmp_path / "Dataset003_Empty").mkdir()
    (tmp_path / "note.zip").write_text("no zip")
    for source in ("Dataset003_Empty", "note.zip", "absent"):
        with pytest.raises(ModelError):
            import_model(tmp_path / source, "contours")
    assert not models.exists()
    assert all(model.name != "Empty" for model in list_models())
