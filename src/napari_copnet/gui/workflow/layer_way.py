"""A line with one button: makes the layers in the viewer a stack that can be segmented."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_copnet.gui.viewer.made_usable import Way, loose_slices, take, way_of
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.gui.widgets.controls import column_in, named
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.gui.widgets.dock_section import quiet_label


class LayerWay(QWidget):
    """Says why layers can't be segmented as they are, and what to press; else it is hidden.

    Parameters
    ----------
    viewer : napari.Viewer

    Signals
    -------
    changed
        It says something else.
    taken (layer)
        The layer that was made.
    """

    changed = Signal()
    taken = Signal(object)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.setObjectName("layer_way")
        self.viewer = viewer
        self.way: Way | None = None
        self.why = quiet_label()
        self.button = named(QPushButton(), "make_usable", "Your layers are kept, hidden.")
        self.button.clicked.connect(lambda: self.press())
        column = column_in(self, 4)
        column.addWidget(self.why)
        column.addWidget(self.button)
        self._later = delayed(self.look, 0, self)
        self._emitters = (
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
            viewer.layers.selection.events.active,
            viewer.dims.events.current_step,
        )
        for emitter in self._emitters:
            emitter.connect(self._on_change)
        self.look()

    def look(self) -> None:
        """Find out what the layers need."""
        before, self.way = self.way, self._found()
        self.setVisible(self.way is not None)
        if self.way is None:
            if before is not None:
                self.changed.emit()
            return
        self.why.setText(self.way.why)
        self.button.setText(self.way.button)
        if before is None or (before.why, before.button) != (self.way.why, self.way.button):
            self.changed.emit()

    def press(self) -> None:
        """Make the stack."""
        way = self.way
        if way is None:
            return
        layer = take(self.viewer, way)
        self.look()
        self.taken.emit(layer)

    def stop(self) -> None:
        """Let the viewer go."""
        self._later.stop()
        for emitter in self._emitters:
            emitter.disconnect(self._on_change)

    def _on_change(self, _: Any = None) -> None:
        self._later.start()

    def _position(self, layer: Any) -> list[int]:
        """Return what is in view of a layer along its own axes: others may have other steps."""
        point = self.viewer.dims.point
        if len(point) < layer.ndim:
            return [0] * layer.ndim
        return [round(float(at)) for at in to_data(self.viewer, layer, point)]

    def _found(self) -> Way | None:
        """Of the layer that is selected; else of the newest in view, or of loose slices."""
        layers = list(self.viewer.layers)
        active = self.viewer.layers.selection.active
        for layer in [active] if active is not None else reversed(layers):
            way = way_of(layer, self._position(layer))
            if way is not None:
                return way
        return loose_slices([layer for layer in layers if layer.visible])
