"""The same fix for neighbouring slices: offered after an edit, decided by real keys and buttons."""

import numpy as np
import pytest
from drawn_session import GAP, WALL, rooms, start
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session_start import Start

IN_GAP = (19.5, WALL)


def open_everywhere():
    """The drawn session, with the gap open in all four slices."""
    contour = rooms()
    contour[:, GAP, WALL] = 0
    step1 = contour * np.float32(0.9)
    step1[:, GAP, WALL] = 0.3
    given = start()
    return Start(contour, step1, given.stack, cells=given.cells)


@pytest.fixture
def dock(make_napari_viewer, tmp_path, qtbot):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(finish(session_files.make(tmp_path / "rooms", open_everywhere())))
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=20000)
    window.dims.set_current_step(0, 1)
    window.reset_view()
    yield panel
    panel.shut_down()


@pytest.fixture
def hand(dock):
    return Hand(dock.viewer, dock.controller.layers.contour, dock)


@pytest.fixture
def offered(dock, hand, qtbot):
    """Close the gap of slice 1 by a click and Enter, and wait for the offer."""
    hand.key(Qt.Key.Key_G)
    hand.click(IN_GAP)
    hand.key(Qt.Key.Key_Return)
    qtbot.waitUntil(dock.same_fix.isVisible, timeout=20000)
    assert closed(dock) == [1] and len(dock.session.history) == 1


def closed(dock):
    return [z for z in range(4) if dock.session.contour[z, GAP, WALL].all()]


def shown(dock):
    """Return slices in which a proposal is shown."""
    return sorted(set(dock.controller.marks.points("proposals")[:, 0].astype(int)))


def test_enter_walks_the_slices_and_what_is_taken_is_one_edit(dock, hand, offered):
    window = dock.viewer
    assert "fits 3 slices (1, 3 to 4)" in dock.same_fix.text.text()
    assert shown(dock) == [0, 2, 3] and window.dims.current_step[0] == 1
    hand.key(Qt.Key.Key_Return)
    first = window.dims.current_step[0]
    assert first in (0, 2) and f"Slice {first + 1}: make the same fix?" in dock.same_fix.text.text()
    assert closed(dock) == [1]
    hand.key(Qt.Key.Key_Return)
    second = window.dims.current_step[0]
    assert second == 2 - first and shown(dock) == sorted({0, 2, 3} - {first})
    hand.key(Qt.Key.Key_Backspace)
    assert window.dims.current_step[0] == 3 and len(dock.session.history) == 1
    hand.key(Qt.Key.Key_Return)
    # All are decided: one edit, and back where it began.
    assert closed(dock) == sorted({1, first, 3}) and len(dock.session.history) == 2
    assert window.dims.current_step[0] == 1 and not dock.same_fix.isVisible()
    assert "in 2 slices" in dock.message.text and shown(dock) == []
    names = [dock.session.ids(3)[10, x] for x in (12, 50)]
    assert names[0] != names[1]
    hand.key(Qt.Key.Key_U)
    assert closed(dock) == [1]
    hand.key(Qt.Key.Key_U)
    assert closed(dock) == []


def test_buttons_take_all_or_drop(dock, hand, offered, qtbot):
    press(dock.same_fix.look_button)
    assert dock.viewer.dims.current_step[0] != 1
    press(dock.same_fix.no_button)
    left_out = dock.viewer.dims.current_step[0]
    assert left_out in (0, 2)
    press(dock.same_fix.all_button)
    assert len(dock.session.history) == 2 and len(closed(dock)) == 3
    hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_U)
    assert closed(dock) == []
    QTest.qWait(600)
    assert not dock.same_fix.isVisible()  # undo offers nothing
    hand.click(IN_GAP)
    hand.key(Qt.Key.Key_Return)
    qtbot.waitUntil(dock.same_fix.isVisible, timeout=20000)
    press(dock.same_fix.drop_button)
    assert not dock.same_fix.isVisible() and shown(dock) == [] and closed(dock) == [1]
    assert len(dock.session.history) == 1


def test_escape_stops_looking_and_another_edit_takes_the_offer_away(dock, hand, offered, qtbot):
    hand.key(Qt.Key.Key_T)
    hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_Escape)
    assert closed(dock) == [1] and not dock.same_fix.isVisible()
    assert dock.viewer.dims.current_step[0] == 1
    assert dock.tool_buttons["gap"].isChecked()  # Escape meant the offer
    hand.key(Qt.Key.Key_U)
    hand.click(IN_GAP)
    hand.key(Qt.Key.Key_Return)
    qtbot.waitUntil(dock.same_fix.isVisible, timeout=20000)
    hand.key(Qt.Key.Key_X)
    hand.click((10, 12))
    assert shown(dock) == [] and not dock.same_fix.isVisible()
    qtbot.waitUntil(lambda: dock.controller.neighbours.job is not None, timeout=5000)
    qtbot.waitUntil(lambda: dock.controller.neighbours.job is None, timeout=20000)
    # The other slices have no cell like it: theirs is both rooms.
    assert not dock.same_fix.isVisible()


def test_an_item_decided_in_all_its_slices_needs_no_same_fix(dock, hand, qtbot):
    hand.key(Qt.Key.Key_N)
    hand.key(Qt.Key.Key_Return)
    assert len(dock.session.history) == 1
    assert len(dock.session.verdicts) == dock.session.shape[0]
    qtbot.waitUntil(lambda: dock.controller.neighbours.job is None, timeout=20000)
    assert not dock.same_fix.isVisible()


def test_the_offer_gives_enter_to_a_preview(dock, hand, offered):
    text = dock.same_fix.text.text
    assert "press Enter or T to review" in text()
    hand.key(Qt.Key.Key_G)
    dock.viewer.dims.set_current_step(0, 0)
    hand.click((GAP.start + 0.5, WALL))
    assert dock.controller.tool_controller.pending is not None, dock.message.text
    assert "Enter" not in text() and "press T to review" in text()
    hand.key(Qt.Key.Key_Escape)
    assert "press Enter or T to review" in text()
