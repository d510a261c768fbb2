"""Where a run works: in memory, or in a folder when the stack is too large for that."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton, QWidget

from napari_copnet.errors import OutputError
from napari_copnet.files import check_writable
from napari_copnet.gui.viewer.layer_source import source_of
from napari_copnet.gui.widgets.controls import column_in, named, row
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.workflow.memory_estimate import Estimate, estimate, result_bytes, size_text
from napari_copnet.gui.workflow.run_on_disk import STORE
from napari_copnet.io.formats import format_of
from napari_copnet.io.raw import is_lazy
from napari_copnet.params import Settings

ENDING = "-copnet"
_ON_DISK = "The run works on disk and writes its results to the folder below."
_AGAIN = "If it is stopped, the next Run continues from there."


class RunPlace(QWidget):
    """Says how much memory a run needs; for a run on disk shows its folder, which can be changed.

    Signals
    -------
    changed
        Another folder was chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        # What runs in memory were expected to take: it is there for the next one of the same layer.
        self._held: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._chosen: weakref.WeakKeyDictionary[Any, Path] = weakref.WeakKeyDictionary()
        self._layer: Any = None
        self.text = quiet_label()
        self.text.setObjectName("memory")
        # A label would make the dock as wide as a long path.
        self.path = QLineEdit()
        self.path.setObjectName("run_folder")
        self.path.setReadOnly(True)
        self.change_button = named(
            QPushButton("Change …"), "change_folder", "Choose another folder for the results."
        )
        self.change_button.clicked.connect(lambda: self.ask())
        self._row = row(self.path, self.change_button, wide=self.path)
        column = column_in(self, 2)
        column.addWidget(self.text)
        column.addWidget(self._row)

    def look(self, layer: Any, settings: Settings | None) -> None:
        """Say where a run of an image layer with these settings would work."""
        self._layer = layer
        self.setVisible(layer is not None)
        if layer is None or settings is None:
            return
        why = self._why_on_disk(layer, settings)
        self._row.setVisible(bool(why))
        if not why:
            self.text.setText(str(_estimate(layer, settings)))
            return
        folder = self._folder(layer)
        if folder is None:
            self.text.setText(f"{why} Choose the folder when you press Run.")
            self.path.setText("No folder chosen")
            return
        then = "Run continues with what is there." if is_begun(folder) else _AGAIN
        self.text.setText(f"{why} {then}")
        self.path.setText(str(folder))
        self.path.setToolTip(f"Results are written to {folder}.")

    def folder(self, layer: Any, settings: Settings) -> Path | None:
        """Return the folder of a run on disk, and ask where there is none; None for memory.

        Raises
        ------
        OutputError
            None was chosen, other files lie there, it can't be written to, or there is too little
            room.
        """
        if not self._why_on_disk(layer, settings):
            held = self._held.get(layer, 0)
            self._held[layer] = max(held, _estimate(layer, settings).needed)
            return None
        self._layer = layer
        folder = self._folder(layer) or self.ask()
        if folder is None:
            raise OutputError("There is no folder for the results.", "Choose one with Change.")
        if not _is_free(folder):
            raise OutputError(
                f"The folder {folder} holds other files.",
                "Choose another one with Change; nothing in this one was changed.",
            )
        return check_writable(folder, result_bytes(_shape(layer)))

    def ask(self) -> Path | None:
        """Ask for another folder; return it, or None."""
        layer = self._layer
        known = self._folder(layer)
        start = known.parent if known is not None else Path.home()
        answer = QFileDialog.getExistingDirectory(self, "A folder for the results", str(start))
        if not answer or layer is None:
            return None
        chosen = Path(answer)
        # Results do not go among files of others.
        folder = chosen if _is_free(chosen) else chosen / _name(layer)
        self._chosen[layer] = folder
        self.changed.emit()
        return folder

    def _why_on_disk(self, layer: Any, settings: Settings) -> str:
        """Return a sentence; empty for a run in memory."""
        needs = _estimate(layer, settings)
        if not needs.fits and needs.needed > self._held.get(layer, 0):
            return (
                f"Too large for memory (about {size_text(needs.needed)} needed, "
                f"{size_text(needs.free)} free). {_ON_DISK}"
            )
        if _stays_on_disk(layer):
            return f"This stack is too large for memory. {_ON_DISK}"
        folder = self._folder(layer)
        if folder is not None and is_begun(folder):
            return "A run of this stack was begun on disk, in the folder below."
        return ""

    def _folder(self, layer: Any) -> Path | None:
        """Return the folder chosen, else one beside the stack, else None."""
        if layer is None or layer in self._chosen:
            return self._chosen.get(layer)
        source = source_of(layer)
        if source is None or not os.access(source.parent, os.W_OK):
            return None
        return source.absolute().parent / _name(layer)


def is_begun(folder: Path) -> bool:
    """Return whether a run works in a folder, or has."""
    return (folder / STORE).is_dir()


def _is_free(folder: Path) -> bool:
    """Return whether a folder is missing or empty, or holds a run."""
    if not os.path.lexists(folder) or is_begun(folder) or (folder / "run.json").is_file():
        return True
    return folder.is_dir() and not any(folder.iterdir())


def _name(layer: Any) -> str:
    return plain_name(layer) + ENDING


def plain_name(layer: Any) -> str:
    """Return the name of a layer's stack as folders may have it, without that of its format."""
    source = source_of(layer)
    if source is None:
        return "".join(c if c.isalnum() or c in " ._-" else "_" for c in layer.name)
    suffix = format_of(source.name)[1] or (source.suffix if source.is_file() else "")
    return source.name[: len(source.name) - len(suffix)] or source.name


def _shape(layer: Any) -> tuple[int, int, int]:
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    found: Any = (1,) * (3 - len(shape)) + tuple(shape)
    return found


def _estimate(layer: Any, settings: Settings) -> Estimate:
    return estimate(_shape(layer), settings)


def _stays_on_disk(layer: Any) -> bool:
    """Return whether a layer's stack is larger than what is read into memory."""
    data = layer.data[0] if layer.multiscale else layer.data
    in_memory = isinstance(data, np.ndarray) and not isinstance(data, np.memmap)
    return not in_memory and is_lazy(data.shape, data.dtype)
