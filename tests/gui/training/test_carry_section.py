"""The button that carries contours to other slices, in a real window."""

import numpy as np
import pytest
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from scipy.ndimage import label

from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session_start import Start
from napari_copnet.types import Stack, VoxelSize

SIDE, STEP, DEPTH, GIVEN = 64, 16, 7, 3


@pytest.fixture
def folder(tmp_path):
    """A session in which only the middle slice has contours; all slices show the same cells."""
    lines = np.zeros((SIDE, SIDE), bool)
    lines[::STEP] = lines[:, ::STEP] = True
    lines[1::STEP] = lines[:, 1::STEP] = True
    noise = np.random.default_rng(0).normal(0, 6, (DEPTH, SIDE, SIDE))
    contour = np.zeros(noise.shape, np.uint8)
    contour[GIVEN] = lines
    start = Start(
        contour,
        contour * np.float32(0.9),
        Stack(
            (160 - 100.0 * lines + noise).clip(0, 255).astype(np.uint8), VoxelSize(), name="drawn"
        ),
        cells=CellParams(min_size=0),
        record={"settings": {"preprocess": {"size": 0}}},
    )
    return finish(session_files.make(tmp_path / "drawn", start))


@pytest.fixture
def dock(make_napari_viewer, folder, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(tmp_path / "models"))
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net training")
    proofread = panel.link.open_dock()
    proofread.open(folder)
    qtbot.waitUntil(lambda: panel.link.project is not None, timeout=20000)
    qtbot.waitUntil(lambda: proofread.tasks.job is None, timeout=20000)
    yield panel
    panel.shut_down()


def test_the_button_names_its_slices_and_draws_them(dock, qtbot):
    project, section = dock.link.project, dock.carry
    assert not section.button.isEnabled()
    project.finish(GIVEN, despite=True)
    qtbot.waitUntil(lambda: section.button.isEnabled(), timeout=10000)
    assert section.button.text() == "Carry to slices 1-3, 5-7"
    press(section.button)
    assert not section.button.isEnabled()
    qtbot.waitUntil(lambda: "Carried to" in section.status.text(), timeout=60000)
    assert project.carried_slices == [0, 1, 2, 4, 5, 6]
    assert "Carried to 1-3, 5-7." in section.status.text()
    drawn = project.session.contour
    assert (drawn[5] != drawn[GIVEN]).mean() < 0.08
    # each slice is one edit
    project.session.undo()
    assert len(project.carried_slices) == 5


def test_a_key_brings_the_outline_of_the_cell_under_the_mouse_as_one_edit(dock, qtbot):
    project, controller = dock.link.project, dock.link.controller
    cell = (slice(STEP + 2, 2 * STEP), slice(STEP + 2, 2 * STEP))
    inside = (STEP + 9, STEP + 9)
    dock.link.fly(GIVEN + 1, inside, 20.0)
    hand = Hand(dock.viewer, controller.layers.contour, dock.link.dock)
    qtbot.waitUntil(lambda: dock.link.z == GIVEN + 1, timeout=5000)
    drawn = project.session.contour
    assert not drawn[GIVEN + 1].any()

    def over():
        # A move that came before the view was drawn is not heard; nor is one to the same pixel.
        for step in (QPoint(1, 0), QPoint(0, 0)):
            QTest.mouseMove(hand.canvas, hand.at(inside) + step)
        place = controller.layers.place(dock.viewer.cursor.position)
        return place is not None and place[0] == GIVEN + 1 and np.allclose(place[1], inside, atol=2)

    qtbot.waitUntil(over, timeout=20000)
    hand.key(Qt.Key.Key_O)
    qtbot.waitUntil(lambda: drawn[GIVEN + 1].any(), timeout=20000)
    came = drawn[GIVEN + 1] > 0
    assert not came[cell][2:-2, 2:-2].any()
    # a closed ring around this cell, and nothing elsewhere
    assert label(~came)[1] == 2 and not came[2 * STEP + 4 :].any()
    assert len(project.session.history) == 1
    project.session.undo()
    assert not drawn[GIVEN + 1].any()
    # the button takes the next click as the place
    press(dock.review.outline_button)
    hand.click(inside)
    qtbot.waitUntil(lambda: drawn[GIVEN + 1].any(), timeout=20000)
    assert np.array_equal(came, drawn[GIVEN + 1] > 0)
    hand.click(inside)
    qtbot.wait(200)
    assert len(project.session.history) == 1
    dock.review.outline.take((GIVEN + 3, 24, 24))
    qtbot.waitUntil(lambda: "No slice beside" in dock.message.text, timeout=20000)
