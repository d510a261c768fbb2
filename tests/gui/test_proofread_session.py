"""Beginning, opening, closing and reopening sessions in the window."""

import numpy as np
import pytest
from drawn_session import GAP, WALL, rooms, start
from hand import Hand, press
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_copnet.progress import finish
from napari_copnet.review import store
from napari_copnet.review.session import Session

PLUGIN, DOCK = "napari-copnet", "COp-Net proofreading"


def opened(window, folder, qtbot):
    _, panel = window.window.add_plugin_dock_widget(PLUGIN, DOCK)
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(folder)
    return panel


@pytest.fixture
def folder(tmp_path):
    return finish(store.make(tmp_path / "rooms", start()))


def test_a_window_closed_without_saving_loses_nothing(make_napari_viewer, folder, qtbot):
    window = make_napari_viewer(show=True)
    dock = opened(window, folder, qtbot)
    window.dims.set_current_step(0, 1)
    hand = Hand(window, dock.desk.layers.contour, dock)
    hand.key(Qt.Key.Key_G)
    hand.click((19.5, WALL))
    hand.key(Qt.Key.Key_Return)
    assert dock.session.contour[1, GAP, WALL].all()
    window.close()
    with Session.open(folder) as again:
        assert not again.read_only
        assert again.contour[1, GAP, WALL].all() and len(again.history) == 1
        assert again.name_at(1, 10, 12) != again.name_at(1, 10, 50)
        again.undo()
        np.testing.assert_array_equal(again.contour, rooms())


def test_dropping_the_folder_opens_the_dock_and_a_second_window_only_looks(
    make_napari_viewer, folder, qtbot
):
    with Session.open(folder):
        window = make_napari_viewer(show=True)
        assert window.open(str(folder), plugin=PLUGIN) == []
        qtbot.waitUntil(lambda: DOCK in str(list(window.window.dock_widgets)), timeout=20000)
        dock = next(
            w for w in window.window.dock_widgets.values() if w.objectName() == "copnet_proofread"
        )
        qtbot.waitUntil(lambda: dock.session is not None, timeout=20000)
        assert dock.session.read_only and dock.notice.isVisible()
        assert "can be looked at, not changed" in dock.notice.text()
        assert "read-only" in dock.saved.text()
        assert not dock.tool_buttons["draw"].isEnabled() and not dock.undo_button.isEnabled()
        hand = Hand(window, dock.desk.layers.contour, dock)
        qtbot.waitUntil(lambda: dock.next_button.isEnabled(), timeout=20000)
        assert not dock.accept_button.isEnabled()
        hand.key(Qt.Key.Key_N)
        assert dock.question.text() and window.dims.current_step[0] == 1
        hand.key(Qt.Key.Key_Return)
        hand.key(Qt.Key.Key_X)
        hand.click((10, 12))
        assert len(dock.session.history) == 0
        np.testing.assert_array_equal(dock.session.contour, rooms())
        dock.shut_down()


def test_a_folder_that_holds_no_session_is_said_in_a_sentence(make_napari_viewer, tmp_path, qtbot):
    window = make_napari_viewer()
    _, dock = window.window.add_plugin_dock_widget(PLUGIN, DOCK)
    dock.open(tmp_path)
    qtbot.waitUntil(lambda: dock.message.text != "", timeout=20000)
    assert "holds no session" in dock.message.text and dock.session is None
    press(dock.begin_button)
    assert dock.message.text.startswith("There is no finished run.")
    dock.shut_down()


def test_a_session_begins_with_the_run_of_the_workflow(
    make_panel, ended, tmp_path, monkeypatch, qtbot
):
    from napari_copnet.gui.proofread.panel import ProofreadPanel

    viewer, panel = make_panel()
    panel.run()
    ended(panel)
    closed = panel.source.layers.layer("closed")
    before = np.array(closed.data)
    free = tuple(np.argwhere(before == 0)[0])
    closed.brush_size = 1
    closed.paint(free, 1)
    dock = ProofreadPanel(viewer)
    viewer.window.add_dock_widget(dock, name="proofreading")
    folder = tmp_path / "session"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(folder), ""))
    with qtbot.waitSignal(dock.opened, timeout=20000):
        press(dock.begin_button)
    np.testing.assert_array_equal(dock.session.contour, np.array(closed.data))
    assert dock.session.contour[free]
    assert dock.session.facts.runs[0]["settings"]["cells"]["min_size"] == 4
    # The dock keeps iterations also when the run does not: Freeze works.
    kept = panel.source.layers.iterations
    assert dock.session.iterations.shape == (len(kept), *before.shape)
    assert np.allclose(dock.session.iterations[0], dock.session.step1, atol=1e-3)
    assert dock.tool_buttons["freeze"].isEnabled()
    assert dock.session.facts.name == "cells in a cross"
    dock.shut_down()
    assert store.is_session(folder)
