"""Contours from an image layer or a file in place of Step 1, by the real controls of the dock."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tifffile
from fake_networks import made_image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_copnet.gui.widgets.dock_section import Mark
from napari_copnet.gui.workflow.contour_choice import NETWORK
from napari_copnet.io.read import read_image
from napari_copnet.progress import finish
from napari_copnet.runs.rerun import plan_of, rerun

SHAPE = (4, 48, 48)


def walls(dtype=np.float32):
    """Two walls that cross where the image has none, as soft as networks draw them."""
    across = np.exp(-((np.arange(48) - 12) ** 2) / 2.0)
    soft = np.broadcast_to(np.maximum(across[:, None], across), SHAPE).astype(np.float32)
    if dtype == np.float32:
        return soft.copy()
    return np.round(soft * np.iinfo(dtype).max).astype(dtype)


def choose(panel, name):
    """Choose a layer with the keys of the list."""
    QTest.keyClick(panel.origin.layers, Qt.Key.Key_Home)
    for _ in range(texts(panel).index(name)):
        QTest.keyClick(panel.origin.layers, Qt.Key.Key_Down)


def texts(panel):
    combo = panel.origin.layers
    return [combo.itemText(at) for at in range(combo.count())]


def corners(panel):
    """Return the cells in the four parts that the walls make."""
    cells = panel.source.layers.layer("cells").data
    return cells[0, [3, 3, 40, 40], [3, 40, 3, 40]].tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint16])
def test_a_layer_takes_the_place_of_step_1(make_panel, click, ended, models, dtype):
    viewer, panel = make_panel()
    viewer.add_image(walls(dtype), name="walls", scale=(1, 3, 3))
    panel.stack.choose(viewer.layers[0])
    assert texts(panel) == [NETWORK, "walls"] and panel.origin.layer is None
    choose(panel, "walls")
    panel._refresh()
    section = panel.sections["contours"]
    assert panel.origin.layer.name == "walls" and "that of walls" in section.text
    assert section.model.isHidden() and not section.form.rows["mirror"].enabled
    click(panel.run_controls.run_button)
    ended(panel)
    assert models.passes["contours"] == 0 and models.passes["closing"] >= 1
    made = corners(panel)
    assert len(set(made)) == 4 and 0 not in made
    contours = np.asarray(panel.source.layers.layer("contours").data, np.float32)
    np.testing.assert_allclose(contours, walls(), atol=3e-3)
    assert section.text.startswith("Contours taken from walls in 4 slices")
    result = panel.source.result
    assert result.given.name == "walls" and set(result.models) == {"closing"}
    assert any("walls" in note for note in result.notes) and result.verdict is not None
    assert {one.mark for one in panel.sections.values()} == {Mark.DONE}


def test_a_layer_has_a_threshold_and_another_closes_again_without_reading_it_again(
    make_panel, click, ended, models
):
    """Walls of 0.4: contour where the threshold is lower, and at one half nowhere."""
    viewer, panel = make_panel()
    viewer.add_image(0.4 * walls(), name="faint walls", scale=(1, 3, 3))
    panel.stack.choose(viewer.layers[0])
    choose(panel, "faint walls")
    panel._refresh()
    row = panel.sections["contours"].form.rows["threshold"]
    assert row.enabled and not panel.sections["contours"].form.rows["mirror"].enabled
    click(panel.run_controls.run_button)
    ended(panel)
    assert not (np.asarray(panel.source.layers.layer("contours").data) > 0.5).any()
    row.value = 0.2
    panel._refresh()
    assert "will run again" in panel.sections["contours"].text
    click(panel.run_controls.run_button)
    ended(panel)
    shown = np.asarray(panel.source.layers.layer("contours").data, np.float32)
    np.testing.assert_array_equal(shown > 0.5, 0.4 * walls() > 0.2)
    assert len(set(corners(panel))) == 4


def test_what_is_no_probability_of_the_image_is_refused_in_words(make_panel, click, ended, models):
    viewer, panel = make_panel()
    viewer.add_image((walls() > 0.5).astype(np.uint8), name="mask")
    viewer.add_image(walls()[:, :40], name="other shape")
    viewer.add_image(walls() * 3, name="beyond")
    viewer.add_image(walls(), name="turned", rotate=(0, 0, 30))
    said = {
        "mask": "is a mask, not a contour probability",
        "other shape": "have the shape (4, 40, 48), the stack (4, 48, 48)",
        "beyond": "between 0 and 1",
        "turned": "rotated or sheared",
    }
    panel.stack.choose(viewer.layers[0])
    for name, words in said.items():
        choose(panel, name)
        assert panel.origin.layer.name == name
        click(panel.run_controls.run_button)
        ended(panel)
        assert words in panel.run_controls.message.text
        assert panel.source is None or panel.source.result is None
        choose(panel, NETWORK)
    assert models.passes == {"contours": 0, "closing": 0}


def test_another_origin_makes_the_run_stale(make_panel, click, ended, models):
    viewer, panel = make_panel()
    given = viewer.add_image(walls(), name="walls")
    panel.stack.choose(viewer.layers[0])
    click(panel.run_controls.run_button)
    ended(panel)
    by_network = np.array(panel.source.layers.layer("cells").data)
    choose(panel, "walls")
    panel._refresh()
    assert panel.sections["contours"].mark is Mark.CHANGED
    click(panel.run_controls.run_button)
    ended(panel)
    assert panel.sections["contours"].mark is Mark.DONE
    assert not np.array_equal(panel.source.layers.layer("cells").data, by_network)
    # A layer that is gone can't be used: it says so, and the network makes them again.
    given.name = "my walls"
    assert texts(panel) == [NETWORK, "my walls"]
    viewer.layers.remove(given)
    panel._refresh()
    assert texts(panel) == [NETWORK] and not panel.sections["contours"].model.isHidden()
    assert panel.sections["contours"].mark is Mark.CHANGED
    click(panel.run_controls.run_button)
    ended(panel)
    np.testing.assert_array_equal(panel.source.layers.layer("cells").data, by_network)


def test_each_stack_has_a_choice_of_its_own(make_panel):
    viewer, panel = make_panel()
    first = viewer.layers[0]
    given = viewer.add_image(walls(), name="walls")
    other = viewer.add_image(made_image(), name="other")
    panel.stack.choose(first)
    choose(panel, "walls")
    panel.stack.choose(other)
    assert panel.origin.layer is None and texts(panel) == [NETWORK, first.name, "walls"]
    panel.stack.choose(first)
    assert panel.origin.layer.name == "walls"
    # It is not offered for itself.
    panel.stack.choose(given)
    assert panel.origin.layer is None and "walls" not in texts(panel)
    viewer.layers.clear()
    assert not panel.origin.isEnabled()


def test_sizes_are_tried_on_the_layer(make_panel, click, ended, models, qtbot):
    data = np.tile(made_image(), (1, 3, 3))
    viewer, panel = make_panel(show=True, data=data)
    viewer.add_image(np.tile(walls(), (1, 3, 3)), name="walls")
    panel.stack.choose(viewer.layers[0])
    choose(panel, "walls")
    click(panel.sections["preprocess"].sizes_button)
    ended(panel)
    assert panel.run_controls.message.text == ""
    assert models.passes["contours"] == 0 and models.passes["closing"] >= 2


@pytest.fixture
def ilastik(tmp_path):
    """Return a file as ilastik exports probabilities: a channel for each class."""
    path = tmp_path / "Probabilities.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("exported_data", data=np.stack([1 - walls(), walls()], -1))
        data.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "zyxc"]})
    return path


def test_a_file_is_opened_and_such_a_run_on_disk_is_repeated(
    make_panel, click, ended, models, ilastik, tmp_path, monkeypatch, qtbot
):
    free = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=0))
    monkeypatch.setattr("napari_copnet.gui.workflow.memory_estimate.psutil", free)
    viewer, panel = make_panel()
    viewer.layers.clear()
    tifffile.imwrite(tmp_path / "tissue.tif", made_image(), photometric="minisblack")
    panel.open(tmp_path / "tissue.tif")
    ended(panel)
    image = panel.stack.layer
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(ilastik), ""))
    click(panel.origin.open_button)
    message = panel.run_controls.message
    qtbot.waitUntil(lambda: len(message.findChildren(QPushButton, "answer")) == 2)
    click(message.findChildren(QPushButton, "answer")[1])
    qtbot.waitUntil(lambda: panel.origin.layer is not None, timeout=20000)
    ended(panel)
    assert panel.stack.layer is image and panel.origin.layer.name == "Probabilities.h5"
    # It lies over the image, which stays in view.
    assert panel.origin.layer.blending == "additive"
    panel._refresh()
    click(panel.run_controls.run_button)
    ended(panel)
    folder = tmp_path / "tissue-copnet"
    record = json.loads((folder / "run.json").read_text())
    assert record["inputs"]["contours"]["path"] == str(ilastik)
    assert record["inputs"]["contours"]["sha256"] and record["read_contours"]["channel"] == 1
    assert set(record["models"]) == {"closing"}
    np.testing.assert_allclose(read_image(record["files"]["contours"]).data, walls(), atol=1e-5)
    plan = plan_of(folder)
    report = finish(rerun(plan, tmp_path / "again", load=models))
    assert report["same"] is True and models.passes["contours"] == 0
