"""Thumbnails of layers, drawn when the user pauses.

napari scales the slice of each layer down and paints its list of layers anew whenever another
slice comes into view, and after every change: with the layers of a session that is most of the
time a step through the stack takes.
"""

from __future__ import annotations

import weakref
from typing import Any

from qtpy.QtCore import QTimer

PAUSE_MS = 600


class Thumbnails:
    """Draws the thumbnails of some layers late, one in each turn of the event loop."""

    def __init__(self) -> None:
        self._layers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._stale: weakref.WeakSet[Any] = weakref.WeakSet()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw_one)

    def take(self, layer: Any) -> Any:
        """Take over the thumbnail of a layer; return the layer.

        The thumbnail is as before where napari has other names for its own.
        """
        if hasattr(layer, "_update_thumbnail") and layer not in self._layers:
            self._layers.add(layer)
            # A layer that held itself would stay until garbage is collected.
            known = weakref.ref(layer)
            layer._update_thumbnail = lambda *_: self._later(known())
        return layer

    def stop(self) -> None:
        """Draw none of them any more."""
        self._timer.stop()
        self._stale.clear()

    def _later(self, layer: Any) -> None:
        self._stale.add(layer)
        self._timer.start(PAUSE_MS)

    def _draw_one(self) -> None:
        if not self._stale:
            return
        layer = self._stale.pop()
        if layer.visible:
            type(layer)._update_thumbnail(layer)
        if self._stale:
            self._timer.start(0)
