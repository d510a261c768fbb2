"""The loop in a real window: slices that are done are measured and learnt, the next comes drawn."""

import shutil

import numpy as np
import pytest
from hand import press
from panels import dock_panel

from made_networks import teachable_model
from napari_copnet.gui.commands import open_stage
from napari_copnet.gui.stages.first_tour import remember_use
from napari_copnet.gui.widgets.dock_section import Mark
from napari_copnet.networks.package import adopt, find_model, load_package
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching import loop, loop_models
from napari_copnet.teaching.loop_state import Point, write_points
from napari_copnet.teaching.project import DONE, UNTOUCHED
from napari_copnet.types import Stack, VoxelSize

SIDE, STEP, DEPTH, GIVEN = 64, 16, 25, 3


def lines():
    drawn = np.zeros((SIDE, SIDE), bool)
    drawn[::STEP] = drawn[:, ::STEP] = True
    drawn[-1] = drawn[:, -1] = True
    return drawn


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
def gappy(tmp_path, monkeypatch, tiny_models):
    """Tiny models are the defaults; contour models leave a wall out, the other changes nothing."""
    home = tmp_path / "models"
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(home))
    adopt(teachable_model(tiny_models["contours"], home / "tiny"))
    shutil.copytree(tiny_models["closing"], home / "tiny-closing")
    adopt(load_package(home / "tiny-closing"))
    contour = lines()
    contour[1:STEP, STEP] = False
    monkeypatch.setattr(
        loop,
        "load_network",
        lambda model, device: Drawn(model, contour if model.kind == "contours" else None),
    )
    return contour


@pytest.fixture
def folder(tmp_path):
    """A session in which one slice is drawn."""
    noise = np.random.default_rng(0).normal(0, 6, (DEPTH, SIDE, SIDE))
    contour = np.zeros(noise.shape, np.uint8)
    contour[GIVEN] = lines()
    start = Start(
        contour,
        contour * np.float32(0.9),
        Stack((160 - 100.0 * lines() + noise).clip(0, 255).astype(np.uint8), VoxelSize(), name="d"),
        cells=CellParams(min_size=0),
        record={"settings": {"preprocess": {"size": 0}}},
    )
    return finish(session_files.make(tmp_path / "drawn", start))


@pytest.fixture
def dock(make_napari_viewer, qtbot, folder, gappy):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net training")
    proofread = panel.link.open_dock()
    proofread.open(folder)
    qtbot.waitUntil(lambda: panel.link.project is not None, timeout=20000)
    qtbot.waitUntil(lambda: proofread.tasks.job is None, timeout=20000)
    yield panel
    panel.shut_down()


def test_a_slice_that_is_done_is_learnt_and_the_next_comes_drawn(dock, qtbot, gappy):
    project, section = dock.link.project, dock.loop
    section.form.rows["minutes"].value = 0.02
    section.form.rows["carry"].value = False
    project.finish(GIVEN, despite=True)
    qtbot.wait(500)
    # switched off, nothing happens
    assert loop.curve(project) == [] and not section.run.is_running
    section.switch.click()
    qtbot.waitUntil(lambda: section.run.is_running, timeout=20000)
    # no second training beside it
    dock.train.train()
    assert "Learning slice by slice is training already" in dock.message.text
    qtbot.waitUntil(lambda: loop_models.newest_model(project) is not None, timeout=120000)
    first = loop_models.newest_model(project)

    def drawn_by_the_newest():
        z = section.next_slice
        come = None if z is None else project.prefilled(z)
        return come is not None and come.model == first.sha256

    qtbot.waitUntil(drawn_by_the_newest, timeout=60000)
    (point,) = loop.curve(project)
    assert (point.z, point.slices) == (GIVEN, 0) and 0 < point.labelled < 1
    assert section.plot.series[0].values == {1: point.labelled}
    z = section.next_slice
    assert z != GIVEN and project.state(z) == UNTOUCHED
    assert np.array_equal(project.session.contour[z] > 0, gappy)
    assert section.next_button.text() == f"Next: slice {z + 1}"
    press(section.next_button)
    assert dock.link.z == z
    # undone, it stays undone
    project.session.undo()
    dock.loop.renew()
    qtbot.wait(300)
    assert not project.session.contour[z].any()

    project.draw(z, lines())
    project.finish(z, despite=True)
    qtbot.waitUntil(lambda: len(loop.curve(project)) == 2, timeout=60000)
    assert loop.curve(project)[1].slices == 1
    section.switch.click()
    qtbot.waitUntil(lambda: not section.is_at_work, timeout=60000)
    press(section.adopt_button)
    assert find_model("default", "contours").sha256 == loop_models.newest_model(project).sha256
    assert "was adopted" in dock.message.text


def test_the_dock_says_when_slices_bring_nothing(dock):
    values = (0.3, 0.5, 0.5, 0.49)
    write_points(
        dock.link.project.folder / "annotation",
        [Point(n, n, "m", "0", value, value) for n, value in enumerate(values)],
    )
    dock.loop.renew()
    assert dock.loop.mark == Mark.CHANGED and "brought no gain" in dock.loop.text


def test_the_dock_says_when_teaching_did_harm(dock):
    folder = dock.link.project.folder / "annotation"
    worse = [Point(0, 0, "m", "0", 0.5, 0.5), Point(1, 1, "n", "1", 0.3, 0.5, None, 0.6)]
    write_points(folder, worse)
    dock.loop.renew()
    assert dock.loop.mark == Mark.CHANGED
    assert "the default model 60 %" in dock.loop.text and "do not adopt" in dock.loop.text
    names = [series.name for series in dock.loop.plot.series]
    assert dict(zip(names, (series.values for series in dock.loop.plot.series), strict=True)) == {
        "cells right": {1: 0.5, 2: 0.3},
        "by default": {2: 0.6},
        "NSD": {1: 0.5, 2: 0.5},
    }
    write_points(folder, [*worse, Point(2, 2, "o", "2", 0.7, 0.5, None, 0.6)])
    dock.loop.renew()
    assert dock.loop.mark == Mark.READY and "do not adopt" not in dock.loop.text


def test_the_green_button_leads_from_turn_to_turn(make_napari_viewer, qtbot, folder, gappy):
    remember_use()
    window = make_napari_viewer(show=True)
    whole = open_stage("teach", window)
    panel = whole.stages["teach"].training
    panel.link.open_dock().open(folder)
    qtbot.waitUntil(lambda: panel.link.project is not None, timeout=20000)
    qtbot.waitUntil(lambda: panel.link.open_dock().tasks.job is None, timeout=20000)
    whole.unfold("teach")
    project, section, green = panel.link.project, panel.loop, whole.next_button
    section.form.rows["minutes"].value = 0.02
    section.form.rows["carry"].value = False
    assert "slice" not in green.text()
    section.switch.click()
    qtbot.waitUntil(
        lambda: section.next_slice is not None and not section.is_at_work, timeout=60000
    )
    z = section.next_slice
    window.dims.set_current_step(0, (z + 2) % DEPTH)
    qtbot.waitUntil(lambda: green.text() == f"Next: slice {z + 1}", timeout=20000)
    press(green)
    qtbot.waitUntil(lambda: green.text() == f"Done with slice {z + 1}", timeout=20000)
    assert panel.link.z == z
    project.draw(z, lines())
    press(green)
    qtbot.waitUntil(lambda: project.state(z) == DONE, timeout=20000)
    # switched off, it says what it says elsewhere
    section.switch.click()
    qtbot.waitUntil(lambda: "slice" not in green.text(), timeout=20000)
    whole.shut_down()
