"""Closing the window while something is at work."""

import time

from hand import press
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_copnet.gui.background.jobs import threads_alive


def answer(text, said):
    """Press a button of the question, once it is asked."""

    def look():
        boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        box = next((w for w in boxes if w.objectName() == "closing_question"), None)
        if box is None or not box.isVisible():
            QTimer.singleShot(50, look)
            return
        said.append(box.text())
        press(next(b for b in box.findChildren(QPushButton) if b.text() == text))

    QTimer.singleShot(50, look)


def test_closing_in_a_run_asks_and_the_window_is_gone_at_once(dock, stack, models, qtbot):
    for network in models.networks.values():
        network.pause = 0.4
    dock.panels.workflow.open(stack)
    qtbot.waitUntil(lambda: dock.next_button.text() == "Run", timeout=30000)
    press(dock.next_button)
    qtbot.waitUntil(lambda: models.passes["contours"] > 0, timeout=30000)
    window, said = dock.window(), []
    answer("Keep working", said)
    # As the button in the frame of the window does it.
    window.windowHandle().close()
    assert window.isVisible() and dock.panels.is_running
    answer("Close now", said)
    window.windowHandle().close()
    start = time.monotonic()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=5000)
    assert time.monotonic() - start < 2
    assert len(said) == 2 and "still being segmented" in said[0]
    qtbot.waitUntil(lambda: not threads_alive(), timeout=10000)


def test_with_nothing_at_work_the_question_is_not_asked(dock, qtbot):
    window = dock.window()
    window.windowHandle().close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=5000)
