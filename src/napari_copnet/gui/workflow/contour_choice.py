"""Where contours come from: the network, or the contour probability in another image layer."""

from __future__ import annotations

import contextlib
import weakref
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QWidget

from napari_copnet.gui.viewer.layer_source import is_usable, remember_read
from napari_copnet.gui.widgets.controls import column_in, named, quiet, row
from napari_copnet.params import ReadParams

NETWORK = "The network"


class ContourChoice(QWidget):
    """A list of the network and the image layers that may take the place of Step 1.

    What is chosen belongs to the stack: another stack has a choice of its own.

    Parameters
    ----------
    viewer : napari.Viewer

    Signals
    -------
    changed
        Another one was chosen, or the chosen layer was deleted.
    open_asked (Path)
        The user chose a file of contour probabilities.
    """

    changed = Signal()
    open_asked = Signal(object)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self._stack: Any = None
        self._layers: list[Any] = []
        self._chosen: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self.layers = named(
            QComboBox(),
            "contours_from",
            "The network, or an image layer with the contour probability of each pixel, such as "
            "ilastik's: from 0 to 1, or whole numbers of 8 or 16 bits.",
        )
        # A long name would make the dock as wide.
        self.layers.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        # The wheel scrolls the dock, whatever lies under it.
        self.layers.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        native: Any = self.layers
        native.wheelEvent = lambda event: event.ignore()
        self.layers.currentIndexChanged.connect(self._on_index)
        self.open_button = named(
            QPushButton("File …"), "open_contours", "Open a file of contour probabilities."
        )
        self.open_button.clicked.connect(lambda: self.ask_file())
        column_in(self).addWidget(row(QLabel("Contours from"), self.layers, self.open_button))
        events = viewer.layers.events
        self._heard = (events.inserted, events.removed, events.reordered)
        for emitter in self._heard:
            emitter.connect(self._renew)
        self._renew()

    @property
    def layer(self) -> Any:
        """The layer in place of Step 1; None for the network."""
        at = self.layers.currentIndex()
        return self._layers[at - 1] if at > 0 else None

    def look(self, stack: Any) -> None:
        """List what may be chosen for an image layer, or for none."""
        self.setEnabled(stack is not None)
        if stack is not self._stack:
            self._stack = stack
            self._renew()

    def take(self, read: ReadParams, layer: Any) -> None:
        """Choose a layer that was opened for this, in this way, and lay it over the image."""
        remember_read(layer, read)
        layer.colormap, layer.blending, layer.opacity = "magma", "additive", 0.8
        self.layers.setCurrentIndex(1 + self._layers.index(layer))

    def ask_file(self) -> None:
        """Ask for a file to open."""
        path, _ = QFileDialog.getOpenFileName(self, "Open contour probabilities")
        if path:
            self.open_asked.emit(Path(path))

    def stop(self) -> None:
        """Let the viewer go."""
        for emitter in self._heard:
            with contextlib.suppress(ValueError):
                emitter.disconnect(self._renew)

    def _renew(self, _: Any = None) -> None:
        before = self.layer
        self._layers = [
            layer for layer in self.viewer.layers if is_usable(layer) and layer is not self._stack
        ]
        chosen = self._chosen.get(self._stack) if self._stack is not None else None
        with quiet(self.layers):
            self.layers.clear()
            self.layers.addItem(NETWORK)
            for layer in self._layers:
                self.layers.addItem(layer.name)
                layer.events.name.connect(self._on_names)
            at = 1 + self._layers.index(chosen) if chosen in self._layers else 0
            self.layers.setCurrentIndex(at)
        if self.layer is not before:
            self.changed.emit()

    def _on_names(self) -> None:
        for at, layer in enumerate(self._layers, start=1):
            self.layers.setItemText(at, layer.name)

    def _on_index(self) -> None:
        if self._stack is not None:
            self._chosen[self._stack] = self.layer
        self.changed.emit()
