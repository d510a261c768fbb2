"""The mouse over the canvas: clicks and drags, passed to the current tool."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.garbage import note_press
from napari_copnet.gui.proofreading.session_layers import SessionLayers
from napari_copnet.gui.proofreading.tool_controller import Place, ToolController
from napari_copnet.gui.proofreading.tool_list import BRUSH, DRAGGED, TRACE

# A press and release closer than this, in pixels of the screen, is a click.
CLICK_PX = 4


class Mouse:
    """Listens to a viewer's mouse.

    Parameters
    ----------
    viewer : napari.Viewer
    layers : SessionLayers
    tool_controller : ToolController
    explained : callable
        A context that says what went wrong inside.
    inspect : callable
        Told of a click without a tool.
    """

    def __init__(
        self,
        viewer: Any,
        layers: SessionLayers,
        tool_controller: ToolController,
        explained: Callable[[], contextlib.AbstractContextManager[None]],
        inspect: Callable[[Place], None],
    ) -> None:
        self.viewer, self.layers, self.tool_controller = viewer, layers, tool_controller
        self._explained, self._inspect = explained, inspect
        viewer.mouse_drag_callbacks.append(self._on_press)

    def release(self) -> None:
        """Listen no more."""
        with contextlib.suppress(ValueError):
            self.viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        note_press()
        tool = self.tool_controller.tool
        if event.button != 1 or (tool is not None and tool.gesture == BRUSH):
            return
        active = self.viewer.layers.selection.active
        if active is self.layers.contour and str(active.mode) != "pan_zoom":
            # napari's own tools are at work.
            return
        start, pressed = self.layers.place(event.position), event.pos
        more = "Shift" in [str(key.name) for key in event.modifiers]
        is_traced = tool is not None and tool.gesture == TRACE and start is not None
        way = [start] if start is not None else []
        moved = False
        yield
        while event.type == "mouse_move":
            # A stroke may end where it began.
            moved = is_traced and (moved or _is_apart(event.pos, pressed))
            if is_traced and self.viewer.dims.ndisplay == 2:
                here = self.layers.place(event.position)
                # Beyond the image the stroke goes straight to where it comes back.
                if here is not None and here[0] == way[0][0]:
                    way.append(here)
                    self.tool_controller.show_stroke(way)
            yield
        moved = moved or _is_apart(event.pos, pressed)
        if moved and (tool is None or tool.gesture not in DRAGGED):
            # The camera was moved.
            return
        if tool is None:
            if start is not None and self.viewer.dims.ndisplay == 2:
                self._inspect(start)
            return
        end = self.layers.place(event.position)
        with self._explained():
            if self.viewer.dims.ndisplay == 3:
                raise CopnetError(
                    "Tools work on slices in the 2D view only.", "Go back to the 2D view."
                )
            if is_traced and moved:
                # Moves that come too fast are left out by Qt.
                last = [end] if end is not None and end[0] == way[0][0] else []
                self.tool_controller.trace([*way, *last])
                return
            if start is None or end is None:
                raise CopnetError("That is outside the stack.", "Stay inside the image.")
            if moved:
                self.tool_controller.drag(start, end)
            else:
                self.tool_controller.click(start, more)


def _is_apart(here: Any, pressed: Any) -> bool:
    """Whether a place on the screen is so far from where the button was pressed that it moved."""
    return max(abs(a - b) for a, b in zip(here, pressed, strict=True)) > CLICK_PX
