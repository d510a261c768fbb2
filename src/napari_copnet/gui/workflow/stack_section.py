"""Which image, how large its voxels are, whether its first axis is time."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_copnet.errors import InputError
from napari_copnet.gui.viewer.camera import held_view
from napari_copnet.gui.viewer.layer_source import (
    first_is_time,
    is_usable,
    set_voxel_size,
    voxel_size_of,
)
from napari_copnet.gui.widgets.colours import set_tone
from napari_copnet.gui.widgets.controls import offer_layers
from napari_copnet.gui.widgets.dock_section import DockSection, Mark, quiet_label
from napari_copnet.gui.widgets.params_form import Fold, ParamsForm
from napari_copnet.gui.workflow.layer_way import LayerWay
from napari_copnet.params import ReadParams
from napari_copnet.types import VoxelSize

_LARGEST_VOXEL = 1e6


class StackSection(DockSection):
    """Choose an image layer, or a file to open as one.

    Signals
    -------
    source_changed
        Another layer was chosen, or none is left.
    moved
        The voxel size of the chosen layer was set.
    open_asked (Path)
        The user chose a file or folder.
    asked
        An option is to be set before a file can be opened; `asks` until one is.
    """

    source_changed = Signal()
    moved = Signal()
    open_asked = Signal(object)
    asked = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__(0, "Stack", "Needs an image layer: open a file, or drop one on napari.")
        self.viewer = viewer
        self._layers: list[Any] = []
        self._voxels_of: Any = None
        self.asks = False

        self.layers = QComboBox()
        self.layers.setObjectName("layers")
        self.layers.setToolTip("The image to segment.")
        self.layers.currentIndexChanged.connect(self._on_chosen)
        self.open_file = QPushButton("Open file …")
        self.open_folder = QPushButton("Open folder …")
        self.open_file.clicked.connect(lambda: self.ask_file())
        self.open_folder.clicked.connect(lambda: self.ask_folder())
        self.open_file.setToolTip("TIFF, NIfTI or MRC stack.")
        self.open_folder.setToolTip("OME-Zarr, a folder of slices, or a Cell Tracking sequence.")
        self.add(self.layers)
        self.add(_side_by_side(self.open_file, self.open_folder))
        self.way = LayerWay(viewer)
        self.way.changed.connect(self._on_way)
        self.way.taken.connect(self.choose)
        self.add(self.way)

        self.voxels = {axis: QLineEdit() for axis in "zyx"}
        row: list[QWidget] = [QLabel("Voxel size (µm)")]
        for axis, field in self.voxels.items():
            field.setObjectName(f"voxel_{axis}")
            field.setPlaceholderText("?")
            field.setToolTip(f"Voxel size along {axis} in µm; leave empty if unknown.")
            field.editingFinished.connect(self._on_voxel_size)
            row += [QLabel(axis), field]
        self.add(_side_by_side(*row))
        self._voxel_note = quiet_label()
        self.add(self._voxel_note)

        self.axis = QComboBox()
        self.axis.setObjectName("axis")
        self.axis.addItems(["Depth (z)", "Time"])
        self.axis.setToolTip("Time stacks are not aligned, because cells move.")
        self._axis_row = _side_by_side(QLabel("First axis"), self.axis)
        self.add(self._axis_row)

        self.reading = ParamsForm(ReadParams, hidden=("voxel_size",))
        self.reading_fold = Fold("How to read files", self.reading.widget)
        if self.reading.advanced is not None:
            self.reading.advanced.unfold()
            self.reading.advanced.button.hide()
        self.add(self.reading_fold)

        events = viewer.layers.events
        events.inserted.connect(self._on_layers)
        events.removed.connect(self._on_layers)
        events.reordered.connect(self._on_layers)
        self._on_layers()

    @property
    def layer(self) -> Any:
        """The image layer chosen, or None."""
        at = self.layers.currentIndex()
        return self._layers[at] if 0 <= at < len(self._layers) else None

    @property
    def is_time(self) -> bool:
        """Whether the first axis is time."""
        return self.axis.currentIndex() == 1

    @property
    def is_settled(self) -> bool:
        """Whether there is an image, and nothing is asked about it."""
        return self.layer is not None and voxel_size_of(self.layer).in_plane_known

    def choose(self, layer: Any) -> None:
        """Choose an image layer."""
        self.layers.setCurrentIndex(self._layers.index(layer))

    def nothing_to_run(self) -> InputError:
        """Return why there is no layer to run on, and what to do."""
        self.way.look()
        way = self.way.way
        if way is not None:
            return InputError(way.why, way.hint())
        return InputError("There is no image to segment.", "Open a file, or drop one on napari.")

    def ask(self, option: str) -> None:
        """Show the reading option that settles how a file is meant."""
        self.asks = True
        self.asked.emit()
        self.reading_fold.unfold()
        row = self.reading.rows.get(option)
        if row is not None:
            row.native.setFocus()

    def _on_layers(self) -> None:
        chosen = self.layer
        self._layers = [layer for layer in self.viewer.layers if is_usable(layer)]
        self.asks = self.asks and not self._layers
        for layer in self._layers:
            layer.events.name.connect(self._on_names)
        offer_layers(self.layers, self._layers, chosen, otherwise=len(self._layers) - 1)
        self.layers.setEnabled(bool(self._layers))
        if chosen is None or self.layer != chosen:
            self._on_chosen()

    def _on_way(self) -> None:
        if self.layer is None:
            self.show_voxel_size()

    def _on_names(self) -> None:
        for at, layer in enumerate(self._layers):
            self.layers.setItemText(at, layer.name)

    def _on_chosen(self) -> None:
        layer = self.layer
        self._axis_row.setVisible(layer is not None and layer.ndim == 3)
        if layer is not None:
            self.axis.setCurrentIndex(int(first_is_time(layer)))
        self.show_voxel_size()
        self.source_changed.emit()

    def show_voxel_size(self) -> None:
        """Show what the chosen layer says, and what is to be done about it."""
        layer = self.layer
        size = voxel_size_of(layer) if layer is not None else VoxelSize()
        for axis, field in self.voxels.items():
            value = getattr(size, axis)
            field.setText("" if value is None else f"{value:.6g}")
            field.setEnabled(layer is not None and (axis != "z" or layer.ndim == 3))
        self._voxel_note.setVisible(layer is not None and not size.in_plane_known)
        if layer is None:
            # Why is said here already.
            self.way.why.hide()
            way = self.way.way
            needed = "Needs an image: open a file, or drop one on napari."
            self.tell(Mark.WAITING, needed if way is None else f"{way.why} {way.hint()}")
            return
        self.way.why.show()
        self._voxel_note.setText(
            "The voxel size is unknown. Enter it if you know it, or continue without it."
        )
        set_tone(self._voxel_note, "ask")
        shape = layer.data.shape if not layer.multiscale else layer.data[0].shape
        text = " × ".join(str(n) for n in shape) + " px, " + str(layer.dtype)
        self.tell(Mark.DONE, f"{text}.", "Next: run.")

    def _on_voxel_size(self) -> None:
        layer = self.layer
        if layer is None:
            return
        sizes: dict[str, float | None] = {}
        for axis, field in self.voxels.items():
            text = field.text().strip().replace(",", ".")
            try:
                value = float(text) if text else None
                if value is not None and not 0 < value < _LARGEST_VOXEL:
                    raise ValueError
            except ValueError:
                self._voxel_note.setText(
                    f"{text!r} is not a size in µm. Enter a number such as 0.015."
                )
                self._voxel_note.setVisible(True)
                return
            sizes[axis] = value
        size, before = VoxelSize(**sizes), voxel_size_of(layer)
        typed = [a for a in "zyx" if _differs(getattr(size, a), getattr(before, a))]
        if typed:
            with held_view(self.viewer, layer):
                set_voxel_size(layer, size)
                self.moved.emit()
        self.show_voxel_size()

    def ask_file(self) -> None:
        """Ask for a file to open."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a stack")
        if path:
            self.open_asked.emit(Path(path))

    def ask_folder(self) -> None:
        """Ask for a folder to open."""
        path = QFileDialog.getExistingDirectory(self, "Open a folder of slices or an OME-Zarr")
        if path:
            self.open_asked.emit(Path(path))

    def read_params(self) -> ReadParams:
        """Return how files are to be read.

        Raises
        ------
        CopnetError
            A value that can't be.
        """
        return self.reading.get()

    def stop(self) -> None:
        """Let the viewer go."""
        self.way.stop()
        events = self.viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered):
            with contextlib.suppress(ValueError):
                emitter.disconnect(self._on_layers)


def _differs(new: float | None, old: float | None) -> bool:
    if new is None or old is None:
        return new is not None
    return abs(new - old) > 1e-5 * old


def _side_by_side(*widgets: QWidget) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus) if isinstance(widget, QComboBox) else None
    return box
