"""Open and close the second canvas, whichever way it is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_copnet.gui.viewer.dock_places import dock_beside_canvas, dock_of, undock
from napari_copnet.gui.viewer.second_canvas import SecondCanvas


class SideBySide:
    """The second canvas of a window, when there is one.

    Parameters
    ----------
    viewer : napari.Viewer
    closed : callable
        Called when the user closes the dock of the second canvas.

    Attributes
    ----------
    second_canvas : SecondCanvas or None
    """

    def __init__(self, viewer: Any, closed: Callable[[], None]) -> None:
        self.viewer = viewer
        self.second_canvas: SecondCanvas | None = None
        self._closed = closed

    def open(self, layer: Any, position: int) -> None:
        """Show the iteration of a layer at a position beside the window's canvas."""
        self.second_canvas = SecondCanvas(self.viewer, layer, position)
        dock = dock_beside_canvas(self.viewer, self.second_canvas, "COp-Net side by side")
        dock.visibilityChanged.connect(self._on_hidden)

    def close(self) -> None:
        """Take the second canvas away, if it is there."""
        second_canvas, self.second_canvas = self.second_canvas, None
        if second_canvas is not None:
            second_canvas.finish()
            undock(self.viewer, second_canvas)

    def shut_down(self) -> None:
        """Stop the second canvas in a window that is going."""
        second_canvas, self.second_canvas = self.second_canvas, None
        if second_canvas is not None:
            second_canvas.finish()

    def _on_hidden(self, visible: bool) -> None:
        if visible or self.second_canvas is None:
            return
        dock = dock_of(self.second_canvas)
        # A tab behind another is hidden too, but not closed.
        if dock is None or dock.isHidden():
            self._closed()
