"""Closing the window while something is at work."""

import ctypes
import threading
import time

import pytest
from hand import press
from napari.settings import get_settings
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_copnet.gui.background.jobs import CLOSE_SECONDS, threads_alive


class ClientMessage(ctypes.Structure):
    """What a window manager sends of X11."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("sent", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 24),
    )


def press_the_cross(window):
    """Close a window as the button in its frame does: napari's own `close` asks nothing."""
    if QApplication.platformName() != "xcb":
        pytest.skip("needs X11")
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    display = x11.XOpenDisplay(None)
    atom = {
        name: x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    }
    event = ClientMessage(33, 0, 1, display, int(window.winId()), atom[b"WM_PROTOCOLS"], 32)
    event.data[0] = atom[b"WM_DELETE_WINDOW"]
    x11.XSendEvent.argtypes = (
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_void_p,
    )
    x11.XSendEvent(display, int(window.winId()), 0, 0, ctypes.byref(event))
    x11.XFlush(ctypes.c_void_p(display))
    x11.XCloseDisplay(ctypes.c_void_p(display))


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
    free = threading.Event()
    transform = models.networks["contours"].transform

    def held(image):
        free.wait()
        return transform(image)

    models.networks["contours"].transform = held
    dock.panels.workflow.open(stack)
    qtbot.waitUntil(lambda: dock.next_button.text() == "Run", timeout=30000)
    press(dock.next_button)
    qtbot.waitUntil(lambda: models.passes["contours"] > 0, timeout=30000)
    window, said = dock.window(), []
    answer("Keep working", said)
    press_the_cross(window)
    qtbot.waitUntil(lambda: len(said) == 1, timeout=10000)
    qtbot.wait(50)
    assert window.isVisible() and dock.panels.is_running
    answer("Close now", said)
    press_the_cross(window)
    qtbot.waitUntil(lambda: len(said) == 2, timeout=10000)
    start = time.monotonic()
    try:
        qtbot.waitUntil(lambda: not main_windows())
        # Without waiting for work that does not come back.
        assert threads_alive() and time.monotonic() - start < CLOSE_SECONDS
    finally:
        free.set()
    qtbot.waitUntil(lambda: not threads_alive())
    assert "still being segmented" in said[0]
    forget(dock)


def forget(dock):
    """Let the fixture of the viewer know that its window is gone."""
    del dock.viewer.window._qt_window


def main_windows():
    shown = (w for w in QApplication.topLevelWidgets() if w.inherits("QMainWindow"))
    return [w for w in shown if w.isVisible()]


def test_with_nothing_at_work_the_question_is_not_asked(dock, qtbot, monkeypatch):
    # napari's own question has a test of its own.
    monkeypatch.setattr(get_settings().application, "confirm_close_window", False)
    press_the_cross(dock.window())
    qtbot.waitUntil(lambda: not main_windows(), timeout=10000)
    forget(dock)
