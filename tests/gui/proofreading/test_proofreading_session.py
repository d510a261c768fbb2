"""Beginning, opening, closing and reopening sessions in the window."""

import numpy as np
import pytest
from drawn_session import GAP, WALL, rooms, start
from fake_networks import dark_lines
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QSpinBox, QWidget

from napari_copnet.gui.commands import main_dock
from napari_copnet.io.write import write_image
from napari_copnet.progress import finish
from napari_copnet.proofreading import edit_tools, session_files
from napari_copnet.proofreading.session import Session

PLUGIN, DOCK = "napari-copnet", "COp-Net proofreading"


def opened(window, folder, qtbot):
    _, panel = dock_panel(window, DOCK)
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(folder)
    return panel


@pytest.fixture
def folder(tmp_path):
    return finish(session_files.make(tmp_path / "rooms", start()))


def test_a_window_closed_without_saving_loses_nothing(make_napari_viewer, folder, qtbot):
    window = make_napari_viewer(show=True)
    dock = opened(window, folder, qtbot)
    window.dims.set_current_step(0, 1)
    hand = Hand(window, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_G)
    hand.click((19.5, WALL))
    hand.key(Qt.Key.Key_Return)
    assert dock.session.contour[1, GAP, WALL].all()
    window.close()
    with Session.open(folder) as again:
        assert not again.read_only
        assert again.contour[1, GAP, WALL].all() and len(again.history) == 1
        assert again.id_at(1, 10, 12) != again.id_at(1, 10, 50)
        again.undo()
        np.testing.assert_array_equal(again.contour, rooms())


def test_dropping_the_folder_opens_the_dock_and_a_second_window_only_looks(
    make_napari_viewer, folder, qtbot
):
    with Session.open(folder):
        window = make_napari_viewer(show=True)
        assert window.open(str(folder), plugin=PLUGIN) == []
        qtbot.waitUntil(lambda: main_dock(window) is not None, timeout=20000)
        whole = main_dock(window)
        dock = whole.panels.proofreading
        qtbot.waitUntil(lambda: dock.session is not None, timeout=60000)
        assert dock.session.read_only and dock.notice.isVisible()
        assert "read-only here" in dock.notice.text()
        assert "read-only" in dock.saved.text()
        assert not dock.tool_buttons["draw"].isEnabled() and not dock.undo_button.isEnabled()
        hand = Hand(window, dock.controller.layers.contour, dock)
        qtbot.waitUntil(lambda: dock.next_button.isEnabled(), timeout=20000)
        assert not dock.accept_button.isEnabled()
        hand.key(Qt.Key.Key_N)
        assert dock.question.text() and window.dims.current_step[0] == 1
        hand.key(Qt.Key.Key_Return)
        hand.key(Qt.Key.Key_X)
        hand.click((10, 12))
        assert len(dock.session.history) == 0
        np.testing.assert_array_equal(dock.session.contour, rooms())
        assert not dock.take_run_button.isEnabled()
        whole.shut_down()


def test_the_window_that_only_looks_follows_the_other_one(make_napari_viewer, folder, qtbot):
    with Session.open(folder) as writer:
        window = make_napari_viewer(show=True)
        dock = opened(window, folder, qtbot)
        cells = dock.controller.layers.cells
        assert cells.data[1][10, 12] == cells.data[1][10, 50]
        writer.apply(edit_tools.close_gap(writer, [1], [(19.5, WALL)]))
        layer = dock.controller.layers.contour
        qtbot.waitUntil(lambda: layer.data[1, GAP, WALL].all(), timeout=10000)
        assert cells.data[1][10, 12] != cells.data[1][10, 50]
        rows = dock.history_view.model()
        assert rows.rowCount() == 2 and "close gap" in rows.data(rows.index(1, 1))
        writer.undo()
        qtbot.waitUntil(lambda: not layer.data[1, GAP, WALL].any(), timeout=10000)
        assert cells.data[1][10, 12] == cells.data[1][10, 50]
        dock.shut_down()


def test_the_window_that_only_looks_takes_a_new_run_over(make_napari_viewer, folder, qtbot):
    with Session.open(folder) as writer:
        window = make_napari_viewer(show=True)
        dock = opened(window, folder, qtbot)
        qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)
        probability = dock.controller.layers.probability
        probability.visible = True
        window.dims.set_current_step(0, 3)
        assert not dock.iteration_tab.iteration_row.isVisibleTo(dock.iteration_tab)
        assert len(dock.controller.queue.state.items) in (3, 4)
        before = window.screenshot(flash=False)
        # In the new run the network has closed the gap itself, in its second iteration.
        begun = start()
        closed = begun.contour.copy()
        closed[1, GAP, WALL] = 1
        last = np.maximum(begun.step1, closed * np.float32(0.8))
        last[3, 5:30, 5:12] = 0.4
        iterations = np.stack([begun.step1, begun.step1, last])
        writer.add_run(start(contour=closed, iterations=iterations))
        qtbot.waitUntil(lambda: len(dock.session.history) == 1, timeout=10000)
        assert dock.controller.layers.contour.data[1, GAP, WALL].all()
        np.testing.assert_allclose(probability.data[3], last[3], atol=1e-3)
        assert (window.screenshot(flash=False) != before).any(axis=-1).mean() > 0.01
        assert "brought a new run" in dock.message.text
        assert dock.iteration.maximum() == dock.iteration_tab.number.value() == 2
        qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)
        rows = dock.iteration_tab.slices_view.model()
        changed = [rows.data(rows.index(z, 1)) for z in range(4)]
        assert changed == ["0 %", "0.156 %", "0.156 %", "0 %"]
        items = dock.controller.queue.state.items
        assert {i.kind for i in items if 1 in [p.z for p in i.patches]} == {"closure"}
        dock.iteration_tab.show_iteration.setChecked(True)
        layer = dock.controller.iteration_review.layer
        assert np.asarray(layer.data[1])[GAP, WALL].all()
        dock.iteration_tab.number.setValue(1)
        assert not np.asarray(layer.data[1])[GAP, WALL].any()
        # A run that kept no iterations.
        writer.add_run(start(contour=closed))
        qtbot.waitUntil(lambda: dock.session.iterations is None, timeout=10000)
        assert not layer.visible and "did not keep" in dock.iteration_tab.hint.text()
        dock.shut_down()


def test_in_a_narrow_dock_nothing_is_cut_off(make_napari_viewer, tmp_path, qtbot):
    begun = start(iterations=np.repeat(start().step1[None], 3, axis=0))
    window = make_napari_viewer(show=True)
    dock = opened(window, finish(session_files.make(tmp_path / "narrow", begun)), qtbot)
    dock.setFixedWidth(dock.minimumWidth())
    assert not dock.iteration.isVisible()
    press(dock.tool_buttons["freeze"])
    for tab in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(tab)
        QTest.qWait(50)
        for widget in dock.findChildren(QWidget):
            if isinstance(widget, QAbstractButton | QSpinBox | QComboBox) and widget.isVisible():
                right = widget.mapTo(dock, QPoint(widget.width(), 0)).x()
                assert right <= dock.width(), widget.objectName()
                # A list may shorten its texts, and numbers are shorter than a spin box allows for.
                least = 0 if isinstance(widget, QComboBox) else widget.minimumSizeHint().width()
                assert widget.width() >= min(least, 90), widget.objectName()
        assert (
            dock.iteration_tab.widget().width() <= dock.iteration_tab.viewport().width() or tab != 2
        )
    assert dock.iteration.isVisible()
    dock.shut_down()


def test_closing_by_hand_says_where_it_is_and_old_errors_go(
    make_napari_viewer, folder, monkeypatch, qtbot
):
    window = make_napari_viewer(show=True)
    _, dock = dock_panel(window, DOCK)
    press(dock.begin_button)
    assert dock.message.text.startswith("There is no finished run.")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
    with qtbot.waitSignal(dock.opened, timeout=20000):
        press(dock.open_button)
        assert not dock.message.text
    press(dock.close_button)
    assert "saved and closed" in dock.message.text and folder.name in dock.message.text
    dock.shut_down()


def test_a_session_begins_with_the_folder_of_a_run(
    make_napari_viewer, tmp_path, monkeypatch, qtbot
):
    run = tmp_path / "run"
    run.mkdir()
    write_image(run / "closed.tif", rooms())
    write_image(run / "contours.tif", start().step1)
    window = make_napari_viewer(show=True)
    _, dock = dock_panel(window, DOCK)
    folder = tmp_path / "session"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(run))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(folder), ""))
    with qtbot.waitSignal(dock.opened, timeout=20000):
        press(dock.folder_button)
    np.testing.assert_array_equal(dock.session.contour, rooms())
    np.testing.assert_allclose(dock.session.step1, start().step1)
    assert dock.session.folder == folder and not dock.session.read_only
    press(dock.close_button)
    (run / "closed.tif").unlink()
    press(dock.folder_button)
    qtbot.waitUntil(lambda: dock.message.text != "", timeout=20000)
    assert "contains no closed contours" in dock.message.text and dock.session is None
    dock.shut_down()


def test_layers_come_one_in_a_turn_of_the_event_loop(make_napari_viewer, folder, qtbot):
    window = make_napari_viewer(show=True)
    mine = window.add_image(np.zeros((4, 40, 64)), name="mine")
    turns, came = [0], []
    clock = QTimer()
    clock.timeout.connect(lambda: turns.__setitem__(0, turns[0] + 1))
    clock.start(0)
    window.layers.events.inserted.connect(lambda _: came.append(turns[0]))
    dock = opened(window, folder, qtbot)
    clock.stop()
    assert len(came) == 6 and len(set(came)) == 6
    assert not mine.visible and window.layers.selection.active is dock.controller.layers.contour
    assert dock.controller.layers.contour.editable and not dock.controller.layers.cells.editable
    assert dock.progress_text.isHidden()
    dock.shut_down()


@pytest.mark.parametrize("how", ["close", "again", "window"])
def test_a_session_may_be_let_go_before_all_its_layers_are_there(
    make_napari_viewer, folder, qtbot, how
):
    window = make_napari_viewer(show=True)
    mine = window.add_image(np.zeros((4, 40, 64)), name="mine")
    _, dock = dock_panel(window, DOCK)
    dock.open(folder)
    qtbot.waitUntil(lambda: len(window.layers) == 3, timeout=20000)
    assert dock.session is None and dock.progress_text.text() == "Showing the session …"
    if how == "window":
        dock.shut_down()
    elif how == "close":
        dock.close_session()
    else:
        with qtbot.waitSignal(dock.opened, timeout=20000):
            dock.open(folder)
        assert not dock.session.read_only and len(window.layers) == 7
        dock.close_session()
    assert list(window.layers) == [mine] and mine.visible
    assert dock.session is None and dock.progress_text.isHidden()
    with Session.open(folder) as again:
        assert not again.read_only
    dock.shut_down()


def test_a_folder_that_holds_no_session_is_said_in_a_sentence(make_napari_viewer, tmp_path, qtbot):
    window = make_napari_viewer()
    _, dock = dock_panel(window, DOCK)
    dock.open(tmp_path)
    qtbot.waitUntil(lambda: dock.message.text != "", timeout=20000)
    assert "is not a session" in dock.message.text and dock.session is None
    press(dock.begin_button)
    assert dock.message.text.startswith("There is no finished run.")
    dock.shut_down()


def test_a_session_begins_with_the_run_of_the_workflow(
    make_panel, models, ended, tmp_path, monkeypatch, qtbot
):
    from napari_copnet.gui.proofreading.proofreading_panel import ProofreadPanel

    viewer, panel = make_panel(show=True)
    panel.run()
    ended(panel, timeout=60000)
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
    # A second run, with a wall that was not there, taken into the session that is open.
    hand = Hand(viewer, dock.controller.layers.contour, dock)
    middle = before.shape[-1] // 2
    viewer.dims.set_current_step(0, 2)
    viewer.reset_view()
    hand.key(Qt.Key.Key_E)
    hand.drag((30, middle - 4), (30, middle + 4))
    erased = dock.session.contour[2, 30] == 0
    assert erased[middle]
    network = models.networks["contours"]
    network.transform = lambda image: np.maximum(dark_lines(image), wall_in(image, 8))
    panel.sections["contours"].form.rows["overlap"].value = 0.25
    with qtbot.waitSignal(dock.opened, timeout=90000):
        panel.run()
        ended(panel, timeout=60000)
        press(dock.take_run_button)
    session = dock.session
    assert session.facts.name == "cells in a cross" and len(session.facts.runs) == 2
    assert session.contour[:, 8, 5].all() and not before[:, 8, 5].any()
    np.testing.assert_array_equal(session.contour[2, 30] == 0, erased)
    assert session.contour[free]
    assert viewer.dims.current_step[-3] == 2
    assert "are unchanged" in dock.message.text
    hand.key(Qt.Key.Key_U)
    assert not session.contour[:, 8, 5].any() and session.history.position == 2
    tools_used = [session.history[n].tool for n in range(len(session.history))]
    assert tools_used == ["painted in the workflow", "erase", "networks ran again"]
    hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_U)
    np.testing.assert_array_equal(session.contour, before)
    dock.shut_down()
    assert session_files.is_session(folder)


def wall_in(image, row):
    """Contour along one row."""
    wall = np.zeros(image.shape, np.float32)
    wall[row] = 0.9
    return wall
