"""What a user has before the eyes while correcting: three layers and the queue."""

import pytest
from hand import press
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractItemView

from napari_copnet.errors import OutputError
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of


def listed(dock):
    """The names in napari's list of layers, from the bottom."""
    views = dock.window().findChildren(QAbstractItemView)
    view = next(view for view in views if type(view).__name__ == "QtLayerList")
    rows = [row for row in range(view.model().rowCount()) if not view.isRowHidden(row)]
    return [view.model().index(row, 0).data(Qt.ItemDataRole.UserRole).name for row in rows][::-1]


def begun(dock, qtbot):
    press(dock.next_button)
    panel = dock.panels.proofreading
    qtbot.waitUntil(lambda: dock.panels.session is not None, timeout=60000)
    qtbot.waitUntil(lambda: dock.next_button.text().startswith("Review"), timeout=60000)
    return panel


def test_the_list_has_image_contour_and_cells_and_all_come_back(ran, qtbot):
    run = ["cross", "cross: cells", "cross: contour"]
    qtbot.waitUntil(lambda: listed(ran) == run, timeout=20000)
    panel = begun(ran, qtbot)
    wanted = ["Session: image", "Session: cells", "Session: contour"]
    qtbot.waitUntil(lambda: listed(ran) == wanted, timeout=20000)
    # Contour probability is shown from the dock.
    layers = panel.controller.layers
    assert not layers.probability.visible
    QTest.mouseClick(panel.probability, Qt.MouseButton.LeftButton, pos=box_of(panel.probability))
    assert layers.probability.visible and listed(ran) == wanted
    QTest.mouseClick(panel.probability, Qt.MouseButton.LeftButton, pos=box_of(panel.probability))
    assert not layers.probability.visible
    panel.close_session()
    qtbot.waitUntil(lambda: listed(ran) == run, timeout=20000)


def test_in_a_low_window_tools_give_way_to_the_queue_while_there_is_a_question(ran, qtbot):
    ran.window().setGeometry(0, 0, 1366, 768)
    panel = begun(ran, qtbot)
    assert panel.tools.isVisible()
    press(ran.next_button)
    qtbot.waitUntil(lambda: panel.controller.queue.state.current is not None, timeout=20000)
    qtbot.waitUntil(lambda: not panel.tools.isVisible(), timeout=20000)
    assert not panel.tools_button.isChecked()
    # The rows of the queue are in sight.
    seen = panel.queue_view.visibleRegion
    qtbot.waitUntil(lambda: seen().boundingRect().height() >= 100, timeout=20000)
    # A tool that is taken by its key is there with its hint, until it is put away.
    canvas = canvas_of(ran.window())
    QTest.keyClick(canvas, Qt.Key.Key_D)
    assert panel.tools.isVisible() and panel.tool_buttons["draw"].isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert not panel.tools.isVisible()
    # The button shows them for good.
    press(panel.tools_button)
    qtbot.waitUntil(panel.tools.isVisible, timeout=20000)
    QTest.keyClick(canvas, Qt.Key.Key_N)
    assert panel.tools.isVisible()


def test_in_a_high_window_tools_and_queue_are_there_at_once(ran, qtbot):
    ran.window().setGeometry(0, 0, 1600, 1100)
    panel = begun(ran, qtbot)
    press(ran.next_button)
    qtbot.waitUntil(lambda: panel.controller.queue.state.current is not None, timeout=20000)
    assert panel.tools.isVisible()


def box_of(check):
    """A place in the box of a check box."""
    return QPoint(10, check.height() // 2)


@pytest.mark.parametrize("is_error", [False, True])
def test_what_the_run_was_gives_way_to_the_corrections_but_not_an_error(ran, qtbot, is_error):
    message = ran.panels.workflow.run_controls.message
    if is_error:
        message.error(OutputError("It can't be written.", ""))
    else:
        message.note("Size 384 px was chosen.")
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=30000)
    qtbot.waitUntil(lambda: ran.stages["correct"].is_unfolded, timeout=30000)
    assert message.isHidden() == (not is_error)


def test_a_session_that_was_closed_while_errors_were_looked_for_is_not_being_opened(ran, qtbot):
    press(ran.next_button)
    qtbot.waitUntil(lambda: ran.panels.session is not None, timeout=60000)
    panel = ran.panels.proofreading
    panel.progress_text.setText("Finding likely errors …")
    panel.progress_text.show()
    panel.close_session()
    ran.look()
    assert not ran.panels.is_opening and ran.next_button.text() == "Correct the cells"
