"""What every dock does when it leaves the window: stop its work, once."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Dock(QWidget):
    """A widget in a dock of napari.

    It shuts down when it is taken out of the window or deleted, and when the whole window goes;
    a dock that is only hidden goes on. Subclasses stop their work in `_shut_down`.
    """

    # Qt may ask before a subclass has been built.
    _is_closed = False

    def shut_down(self) -> None:
        """Stop all work and let the viewer go; the dock is of no use afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        self._shut_down()

    def _shut_down(self) -> None:
        raise NotImplementedError

    def event(self, event: QEvent) -> bool:
        """Shut down when the dock is taken out of the window, or deleted."""
        kind = event.type()
        if kind == QEvent.Type.DeferredDelete or (
            kind == QEvent.Type.ParentChange and self.parent() is None
        ):
            self.shut_down()
        return bool(super().event(event))

    def hideEvent(self, event: Any) -> None:
        """Shut down when the whole window goes."""
        super().hideEvent(event)
        if not event.spontaneous() and not self.window().isVisible():
            # Qt may have deleted parts of it already.
            with contextlib.suppress(RuntimeError):
                self.shut_down()
