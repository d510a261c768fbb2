"""The widget of a window that shows the image, and its OpenGL context."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from qtpy.QtWidgets import QWidget

_canvases: weakref.WeakKeyDictionary[QWidget, weakref.ref[QWidget]] = weakref.WeakKeyDictionary()


def canvas_of(window: QWidget | None) -> QWidget | None:
    """Return the widget in a window that shows the image, or None.

    napari 0.9.2 hands out its canvas by a private name alone; vispy's class for Qt is looked for.
    """
    if window is None:
        return None
    known = _canvases.get(window, lambda: None)()
    if known is not None:
        with contextlib.suppress(RuntimeError):  # deleted
            if known.window() is window:
                return known
    # A window has thousands of widgets: looking through them takes a hundredth of a second.
    found = window.findChildren(QWidget)
    canvas = next((w for w in found if type(w).__name__.startswith("CanvasBackend")), None)
    if canvas is not None:
        _canvases[window] = weakref.ref(canvas)
    return canvas


def is_shown(window: QWidget | None) -> bool:
    """Whether a window is there and in sight."""
    with contextlib.suppress(RuntimeError):
        return window is not None and bool(window.isVisible())
    return False


def repaint(window: QWidget | None) -> None:
    """Draw the canvas of a window at once, if it is in sight."""
    with contextlib.suppress(RuntimeError):
        canvas = canvas_of(window)
        if canvas is not None and canvas.isVisible():
            canvas.repaint()


def make_current(window: QWidget | None) -> None:
    """Make the OpenGL context of a window's canvas the current one.

    When layers go, napari 0.9 has vispy delete their OpenGL programs at once, in whatever context
    is current: often that of the window's frame, and the next drawing of what is left then ends
    the process.
    """
    with contextlib.suppress(RuntimeError):  # deleted
        # vispy's class, which has the methods of a QOpenGLWidget.
        canvas: Any = canvas_of(window)
        if canvas is not None and canvas.isVisible():
            canvas.makeCurrent()
