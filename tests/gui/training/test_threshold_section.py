"""The button that fits the threshold to finished slices, in a real window."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hand import press
from panels import dock_panel

from napari_copnet.networks.package import adopt, load_package, save_package
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching import threshold_choice
from napari_copnet.types import Stack, VoxelSize

SIDE, STEP, DEPTH, GIVEN = 64, 16, 5, 3


def lines():
    drawn = np.zeros((SIDE, SIDE), bool)
    drawn[::STEP] = drawn[:, ::STEP] = True
    drawn[-1] = drawn[:, -1] = True
    return drawn


class Unsure:
    """Step 1 has a line too many, of which it is unsure; closing changes nothing."""

    def __init__(self, model):
        self.plan, self.kind = model.plan, model.kind

    def predict(self, images, order=None, **_):
        yield Progress("predict", 1, 1)
        images = np.asarray(images)[:, 0]
        if self.kind == "closing":
            return images
        probability = np.where(lines(), np.float32(0.999), np.float32(0.02))
        probability[STEP + STEP // 2] = 0.55
        probability[lines()] = 0.999
        return np.repeat(probability[None], len(images), axis=0)


@pytest.fixture
def window(make_napari_viewer, qtbot, tmp_path, monkeypatch, tiny_models):
    home = tmp_path / "models"
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(home))
    for kind in ("contours", "closing"):
        shutil.copytree(tiny_models[kind], home / f"tiny-{kind}")
        adopt(load_package(home / f"tiny-{kind}"))
    monkeypatch.setattr(threshold_choice, "load_network", lambda model, device: Unsure(model))
    contour = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    contour[GIVEN] = lines()
    image = (160 - 100 * np.stack([lines()] * DEPTH)).astype(np.uint8)
    start = Start(
        contour,
        contour * np.float32(0.9),
        Stack(image, VoxelSize(), name="drawn"),
        cells=CellParams(min_size=0),
        record={"settings": {"preprocess": {"size": 0}}},
    )
    folder = finish(session_files.make(tmp_path / "drawn", start))
    viewer = make_napari_viewer(show=True)
    made = [dock_panel(viewer, f"COp-Net {name}")[1] for name in ("workflow", "training")]
    proofread = made[1].link.open_dock()
    proofread.open(folder)
    qtbot.waitUntil(lambda: made[1].link.project is not None, timeout=20000)
    qtbot.waitUntil(lambda: proofread.tasks.job is None, timeout=20000)
    yield made
    for panel in made:
        panel.shut_down()


def test_the_threshold_of_the_next_run_is_set_and_void_for_a_taught_model(
    window, qtbot, tiny_models
):
    workflow, training = window
    section, row = training.threshold, workflow.sections["contours"].form.rows["threshold"]
    assert not section.button.isEnabled() and float(row.value) == 0.5
    training.link.project.finish(GIVEN, despite=True)
    qtbot.waitUntil(lambda: section.button.isEnabled(), timeout=10000)
    press(section.button)
    assert not section.button.isEnabled()
    qtbot.waitUntil(lambda: "finished slice" in section.status.text(), timeout=60000)
    assert section.status.text().startswith("Contours above 0.8 get 100 % of the cells of 1")
    assert float(row.value) == 0.8 == workflow.sections["contours"].get().threshold
    assert "Run the stack to use it" in training.message.text
    assert section.button.isEnabled()

    # the same model, listed again, keeps it
    training._on_models()
    assert float(row.value) == 0.8

    ran = []
    row.value = 0.3  # by hand
    workflow.run = lambda: ran.append(workflow.sections["contours"].get().threshold)
    training._on_adopted(another(tiny_models))
    assert ran == [0.5] and float(row.value) == 0.5


def another(tiny_models):
    """Adopt another contour model."""
    home = Path(os.environ["NAPARI_COPNET_MODELS"]) / "taught"
    old = load_package(tiny_models["contours"])
    weights = {name: values * np.float32(0.9) for name, values in old.weights().items()}
    made = save_package(
        home, name="taught", kind="contours", plan=old.plan, weights=weights, card={}
    )
    adopt(made)
    return made


def test_another_model_for_the_run_makes_it_void_and_a_layer_has_none(window, qtbot, tiny_models):
    workflow, training = window
    contours, section = workflow.sections["contours"], training.threshold
    training.link.project.finish(GIVEN, despite=True)
    qtbot.waitUntil(lambda: section.button.isEnabled(), timeout=10000)
    press(section.button)
    qtbot.waitUntil(lambda: "finished slice" in section.status.text(), timeout=60000)
    assert float(contours.form.rows["threshold"].value) == 0.8
    another(tiny_models)
    contours.model.refresh()
    contours.model.set("taught")
    contours.model.changed.emit()
    assert float(contours.form.rows["threshold"].value) == 0.5
    # with a layer in place of Step 1 there is no network to fit it for
    viewer = workflow.viewer
    viewer.add_image(np.zeros((DEPTH, SIDE, SIDE), np.float32), name="walls")
    contours.origin = SimpleNamespace(layer=viewer.layers["walls"])
    section.renew()
    assert not section.button.isEnabled()
    section.fit()
    assert "Contours come from a layer" in training.message.text
