"""A ruler for the width of a membrane: a line drawn across it in the image."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Shapes

from napari_copnet.gui.viewer.layer_source import placed, voxel_size_of
from napari_copnet.gui.viewer.world import units_per_world
from napari_copnet.gui.widgets.run_controls import Message
from napari_copnet.gui.workflow.stage_sections import PreprocessSection

ROLE = "ruler"
# A shorter line is a click.
_SHORTEST_PX = 1.0
_NO_SIZE = "The voxel size is unknown. Enter it under Open, then measure."


class MembraneRuler:
    """Puts the length of a line into the field for the membrane width.

    Parameters
    ----------
    viewer : napari.Viewer
    section : PreprocessSection
        With the button and the field.
    layer : callable
        Returns the image layer that is chosen, or None.
    message : Message
        For what the user has to know.
    """

    def __init__(
        self,
        viewer: Any,
        section: PreprocessSection,
        layer: Callable[[], Any],
        message: Message,
    ) -> None:
        self.viewer, self._section, self._layer, self._message = viewer, section, layer, message
        self._line: Any = None
        self._held: Any = None
        section.ruler_button.toggled.connect(self._on_toggled)

    def stop(self) -> None:
        """Put the ruler away."""
        self._section.ruler_button.setChecked(False)

    def _on_toggled(self, on: bool) -> None:
        if not on:
            self._put_away()
            return
        layer = self._layer()
        if layer is None or not voxel_size_of(layer).in_plane_known:
            self._message.note(_NO_SIZE)
            self._section.ruler_button.setChecked(False)
            return
        self._message.note("Draw a line across one membrane, from one side to the other.")
        self.viewer.layers.selection.active = layer
        self._held = layer
        # A drag means the ruler, not the camera.
        layer.mouse_pan = False
        self.viewer.mouse_drag_callbacks.append(self._drag)

    def _put_away(self) -> None:
        with contextlib.suppress(ValueError):
            self.viewer.mouse_drag_callbacks.remove(self._drag)
        held, self._held = self._held, None
        if held is not None:
            held.mouse_pan = True
        line, self._line = self._line, None
        if line is not None and line in self.viewer.layers:
            self.viewer.layers.remove(line)
        if held is not None and held in self.viewer.layers:
            self.viewer.layers.selection.active = held

    def _drag(self, _viewer: Any, event: Any) -> Iterator[None]:
        start = self._place(event)
        yield
        end = start
        while event.type == "mouse_move":
            end = self._place(event)
            self._draw(start, end)
            yield
        self._take(start, end)

    def _place(self, event: Any) -> np.ndarray:
        """Return where the mouse is, along y and x in units of the image."""
        units = units_per_world(self.viewer, self._held)[-2:]
        return np.asarray(event.position, float)[-2:] * units

    def _draw(self, start: np.ndarray, end: np.ndarray) -> None:
        path = np.stack([start, end])
        if self._line is None:
            layer, pixel = self._held, abs(float(placed(self._held)[0][-1]))
            self._line = Shapes(
                [path],
                shape_type="line",
                edge_width=2 * pixel,
                edge_color="#ffeb3b",
                name="Ruler",
                units=tuple(str(unit) for unit in layer.units[-2:]),
                metadata={"copnet": {"role": ROLE}},
            )
            self.viewer.add_layer(self._line)
            self.viewer.layers.selection.active = layer
        elif self._line in self.viewer.layers:
            self._line.data = [path]

    def _take(self, start: np.ndarray, end: np.ndarray) -> None:
        layer = self._held
        if layer is None:
            return
        pixels = (end - start) / placed(layer)[0][-2:]
        size = voxel_size_of(layer)
        if np.hypot(*pixels) < _SHORTEST_PX or size.y is None or size.x is None:
            return
        width = 1000 * float(np.hypot(pixels[0] * size.y, pixels[1] * size.x))
        self._section.form.rows["membrane_width"].value = f"{width:.3g}"
        self._message.note(f"Membrane width {width:.3g} nm. Press Run, or measure again.")
        self._section.ruler_button.setChecked(False)
