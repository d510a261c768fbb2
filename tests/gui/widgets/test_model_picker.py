"""Choosing a model, and taking one in from elsewhere, in the workflow dock."""

import pytest
from qtpy.QtWidgets import QFileDialog

from made_networks import made_network, made_plan, nnunet_plans, weights_of, write_nnunet_folder
from napari_copnet.networks.model_zip import export_zip
from napari_copnet.networks.package import save_package

FOLDER, ZIP = "Choose a model folder …", "Import a model zip …"


@pytest.fixture
def models(monkeypatch, tmp_path, models):
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    return models


@pytest.fixture
def chosen(monkeypatch):
    """What the user chooses in dialogs of files."""
    given = [""]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: given[0])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (given[0], ""))

    def choose(picker, entry, path):
        given[0] = str(path)
        picker.combo.setCurrentIndex(picker.combo.findText(entry))
        picker.combo.activated.emit(picker.combo.currentIndex())

    return choose


def pickers(panel):
    return panel.sections["contours"].model, panel.sections["closing"].model


def note(picker):
    return picker._note.text()


def small(folder, kind):
    plan = made_plan(2)
    weights = weights_of(made_network(plan))
    return save_package(folder, name="small", kind=kind, plan=plan, weights=weights, card={})


def test_a_network_of_nnunet_is_imported_and_chosen(make_panel, chosen, qtbot, tmp_path):
    folder = tmp_path / "Dataset007_Liver" / "nnUNetTrainer__nnUNetPlans__2d"
    write_nnunet_folder(folder, *nnunet_plans(), made_network(made_plan(2)))
    _, panel = make_panel()
    picker, other = pickers(panel)
    told = []
    picker.changed.connect(lambda: told.append(picker.value))
    chosen(picker, FOLDER, folder)
    assert not picker.combo.isEnabled()
    assert "Importing" in note(picker)
    qtbot.waitUntil(picker.combo.isEnabled)
    assert picker.value == "Liver"
    assert note(picker) == "Imported as Liver."
    assert told == ["Liver"]
    assert panel.sections["contours"].get().contour_model == "Liver"
    assert (tmp_path / "models" / "Liver" / "model.json").is_file()
    assert other.combo.findText("Liver") < 0


def test_a_zip_of_the_other_kind_is_listed_there(make_panel, chosen, qtbot, tmp_path):
    path = export_zip(small(tmp_path / "m", "closing"), tmp_path / "small.zip")
    _, panel = make_panel()
    picker, other = pickers(panel)
    chosen(picker, ZIP, path)
    qtbot.waitUntil(picker.combo.isEnabled)
    assert picker.value == "default"
    assert note(picker) == "small is a closing model: it is listed under Closing now."
    assert other.combo.findText("small") > 0
    assert other.value == "default"


def test_what_is_no_model_is_said_and_the_choice_stays(make_panel, chosen, qtbot, tmp_path):
    (tmp_path / "photos").mkdir()
    _, panel = make_panel()
    picker, _ = pickers(panel)
    chosen(picker, FOLDER, tmp_path / "photos")
    qtbot.waitUntil(picker.combo.isEnabled)
    assert picker.value == "default"
    assert "no trained nnU-Net network" in note(picker)
    chosen(picker, ZIP, "")
    assert picker.value == "default"


def test_a_model_folder_of_ours_is_chosen_where_it_lies(make_panel, chosen, tmp_path):
    made = small(tmp_path / "small", "contours")
    _, panel = make_panel()
    picker, _ = pickers(panel)
    chosen(picker, FOLDER, made.folder)
    assert picker.combo.isEnabled()
    assert picker.value == str(made.folder)
    assert not (tmp_path / "models").exists()
