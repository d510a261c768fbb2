"""What docks share: viewer events until they are closed, scrolling, and delayed calls."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget

from napari_copnet.gui.napari_compat.canvas_widget import make_current
from napari_copnet.gui.napari_compat.layer_list_repaint import spare_repaints
from napari_copnet.gui.widgets.colours import follow_theme, sheet

_made: weakref.WeakSet[Dock] = weakref.WeakSet()


class Dock(QWidget):
    """A widget in a dock of napari.

    It shuts down when it is taken out of the window or deleted, and when the whole window goes;
    a dock that is only hidden goes on. Subclasses stop their work in `_shut_down`.
    """

    # Whether another dock holds it: that one shuts it down.
    is_part = False
    # Qt may ask before a subclass has been built.
    _is_closed = False
    _heard: tuple[tuple[Any, Callable[..., None]], ...] = ()
    _holds_canvas = False

    def __init__(self) -> None:
        super().__init__()
        _made.add(self)

    def shut_down(self) -> None:
        """Stop all work and let the viewer go; the dock is of no use afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._shut_down()
        finally:
            for emitter, slot in self._heard:
                # It may have been disconnected with its layer.
                with contextlib.suppress(ValueError):
                    emitter.disconnect(slot)
            self._heard = ()

    def _hear(self, slot: Callable[..., None], *emitters: Any) -> None:
        """Call a method of this dock on events of the viewer until it shuts down."""
        for emitter in emitters:
            emitter.connect(slot)
            self._heard += ((emitter, slot),)

    def _hear_layers(self, slot: Callable[..., None], viewer: Any) -> None:
        """Call a method of this dock when layers come, go or change places."""
        events = viewer.layers.events
        self._hear(slot, events.inserted, events.removed, events.reordered)

    def showEvent(self, event: Any) -> None:
        """From now on layers can go without harm, and come and change without needless painting."""
        super().showEvent(event)
        viewer = getattr(self, "viewer", None)
        if self.is_part or viewer is None or self._is_closed:
            return
        if not self._holds_canvas:
            self._holds_canvas = True
            self._use_tones()
            self._hear(self._use_tones, viewer.events.theme)
            spare_repaints(self.window())
            events = viewer.layers.events
            for emitter in (events.removed, events.end_batch):
                # Before napari, which then lets the layer's OpenGL objects go.
                emitter.connect(self._as_a_layer_goes, position="first")
                self._heard += ((emitter, self._as_a_layer_goes),)

    def _use_tones(self, _: Any = None) -> None:
        """Colour words so that they can be read on the theme of the window."""
        viewer = getattr(self, "viewer", None)
        if viewer is not None:
            follow_theme(viewer.theme)
            self.setStyleSheet(sheet())

    def _as_a_layer_goes(self, _: Any = None) -> None:
        make_current(self.window())

    def _shut_down(self) -> None:
        raise NotImplementedError

    def event(self, event: QEvent | None) -> bool:
        """Shut down when the dock is taken out of the window, or deleted."""
        kind = event.type() if event is not None and not self.is_part else None
        if kind == QEvent.Type.DeferredDelete or (
            kind == QEvent.Type.ParentChange and self.parent() is None
        ):
            self.shut_down()
        return bool(super().event(event))

    def hideEvent(self, event: Any) -> None:
        """Shut down when the whole window goes."""
        super().hideEvent(event)
        window = self.window()
        if (
            not self.is_part
            and not event.spontaneous()
            and (window is None or not window.isVisible())
        ):
            # Qt may have deleted parts of it already.
            with contextlib.suppress(RuntimeError):
                self.shut_down()


@atexit.register
def _shut_down_all() -> None:
    """Shut down the docks of a window that was not closed when the program ends.

    Qt would destroy them one after the other, and one that is left would call one that is gone.
    """
    for dock in list(_made):
        with contextlib.suppress(RuntimeError):  # Qt has deleted it
            dock.shut_down()


def scrolled(inside: QWidget, sideways: bool = False) -> QScrollArea:
    """Return a frameless area in which a widget scrolls, up and down unless also `sideways`."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    return area


def delayed(slot: Callable[[], Any], milliseconds: int, parent: QObject) -> QTimer:
    """Return a timer that calls a slot once nothing has started it for a while."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
