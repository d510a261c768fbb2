"""The panel that writes cells and contours into a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton

from napari_copnet.errors import InputError
from napari_copnet.export.export import export_cells, export_files
from napari_copnet.gui.background.task_queue import TaskQueue
from napari_copnet.gui.measures.measured_layers import source_of_layer
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.viewer.layer_source import source_of, ways_read
from napari_copnet.gui.widgets.controls import column_in, named, row
from napari_copnet.gui.widgets.dock import Dock
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.widgets.run_controls import Message, ProgressLine
from napari_copnet.measures.session_source import still_source
from napari_copnet.progress import Steps
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_export import export
from napari_copnet.restored import restore
from napari_copnet.runs.run_record import OUTPUTS
from napari_copnet.runs.saving import saving

FORMATS = {"tiff": "TIFF", "ome-zarr": "OME-Zarr", "nifti": "NIfTI"}
# Of the cells alone, for other programs.
CELLS = {
    "rois": "ROIs for ImageJ and Fiji",
    "labels16": "16-bit labels, TIFF",
    "stl": "Meshes, STL",
    "obj": "Meshes, OBJ",
    "ply": "Meshes with colours, PLY",
}
_CORRECTED = "The corrected cells and closed contours, and the list of edits."
_UNCORRECTED = "The cells, closed contours and contour probability of the run, uncorrected."
_CELLS = "The cells{corrected}. Meshes are in µm and need a known voxel size."
_ON_DISK = (
    "This run wrote its results to {folder}. Correct the cells first to export corrected ones."
)


class ExportPanel(Dock):
    """Write what is there: the corrected cells of the session, else those of the run.

    Parameters
    ----------
    panels : Panels

    Attributes
    ----------
    written : str
        What was written last, in a few words.
    """

    def __init__(self, panels: Panels) -> None:
        super().__init__()
        self.setObjectName("copnet_export")
        self.viewer = panels.viewer
        self._panels = panels
        self.tasks = TaskQueue()
        self.written = ""
        self.folder: Path | None = None
        column = column_in(self, 6)
        self.what = quiet_label()
        column.addWidget(self.what)
        self.format = named(QComboBox(), "export_format", "The format of the files.")
        for value, text in FORMATS.items():
            self.format.addItem(text, value)
        self.format.insertSeparator(self.format.count())
        for value, text in CELLS.items():
            self.format.addItem(text, value)
        self.format.currentIndexChanged.connect(lambda _: self.renew())
        column.addWidget(row(QLabel("Format"), self.format))
        self.show_button = named(
            QPushButton("Show the folder"), "show_folder", "Show the folder with the files."
        )
        self.show_button.clicked.connect(lambda: self._show_folder())
        self.show_button.hide()
        column.addWidget(self.show_button)
        self.message = Message()
        self.progress = ProgressLine()
        column.addWidget(self.message)
        column.addWidget(self.progress)
        column.addStretch()

    @property
    def is_busy(self) -> bool:
        """Whether files are being written."""
        return self.tasks.job is not None

    def showEvent(self, event: Any) -> None:
        """Say what will be written."""
        super().showEvent(event)
        self.renew()

    def renew(self) -> None:
        """Say what will be written."""
        source = self._panels.finished
        if self.format.currentData() in CELLS:
            corrected = "" if self._panels.session is None else ", corrected"
            self.what.setText(_CELLS.format(corrected=corrected))
        elif self._panels.session is not None:
            self.what.setText(_CORRECTED)
        elif source is not None and source.folder is not None:
            self.what.setText(_ON_DISK.format(folder=source.folder))
        else:
            self.what.setText(_UNCORRECTED)

    def ask(self) -> None:
        """Ask for a folder and write into it."""
        start = self._start_folder()
        path = QFileDialog.getExistingDirectory(self, "Export to a folder", str(start))
        if path:
            self.export(Path(path))

    def export(self, folder: Path) -> None:
        """Write into a folder; into a new one inside it, where it holds files already."""
        session, source = self._panels.session, self._panels.finished
        if self.is_busy or (session is None and source is None):
            return
        name = session.facts.name if session is not None else source.result.stack.name
        out, chosen = _free(folder, name), str(self.format.currentData())
        if chosen in CELLS:
            work = self._for_others(out, chosen)
            if work is None:
                return
            task = self.tasks.add("export", work)
        elif session is not None:
            task = self.tasks.add("export", lambda: _export_session(session, out, chosen))
        else:
            result, settings = source.result, source.settings
            ways = ways_read(source.layer, result.stack, source.given, result.given)

            def work() -> Steps[dict[str, Any]]:
                restored = yield from restore(result)
                return (yield from saving(result, restored, settings, out, chosen, OUTPUTS, **ways))

            task = self.tasks.add("export", work)
        self.message.clear()
        self.progress.start()
        task.progressed.connect(self.progress.show_progress)
        for end in (task.finished, task.failed):
            end.connect(lambda _: self.progress.rest())
        task.finished.connect(lambda record: self._on_written(out, record))
        task.failed.connect(self.message.error)

    def _for_others(self, out: Path, chosen: str) -> Callable[[], Steps[dict[str, Any]]] | None:
        """Return what writes the cells as they are now; edits that follow do not change them."""
        session, source = self._panels.session, self._panels.finished
        if session is not None:
            still = still_source(session)
            return lambda: export_cells(still, out, [chosen])
        if source.folder is not None:
            folder = source.folder
            return lambda: export_files(folder, out, [chosen])
        layer = source.layers.layer("cells")
        if layer is None:
            self.message.error(InputError("The layer of the cells was deleted.", "Press Run."))
            return None
        cells = source_of_layer(layer)
        return lambda: export_cells(cells, out, [chosen])

    def _on_written(self, out: Path, record: dict[str, Any]) -> None:
        self.folder = out
        files = [str(Path(path).name) for path in record.get("files", {}).values()]
        self.written = f"in {out.name}"
        names = ", ".join(files) if files else "The results"
        self.message.note(f"{names} written to {out}.")
        self.show_button.show()

    def _show_folder(self) -> None:
        if self.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folder)))

    def _start_folder(self) -> Path:
        session, source = self._panels.session, self._panels.finished
        if session is not None:
            return Path(session.folder).parent
        stack = source_of(source.layer) if source is not None else None
        return stack.parent if stack is not None else Path.home()

    def _shut_down(self) -> None:
        self.tasks.shut_down()


def _export_session(shown: Session, out: Path, format: str) -> Steps[dict[str, Any]]:
    """Export in a thread: with a reader of its own, since the one that is shown is the window's."""
    # The last edits are on their way to the disk.
    shown.wait_saved()
    with Session.open(shown.folder, read_only=True) as session:
        return (yield from export(session, out, format))


def _free(folder: Path, name: str) -> Path:
    """Return the folder if it is empty, else a new one inside it."""
    if not folder.exists() or not any(folder.iterdir()):
        return folder
    # The name of a session from elsewhere may lead elsewhere.
    name = re.sub(r"[^\w .-]+", "_", name)[:100]
    out, number = folder / f"{name} export", 1
    while out.exists():
        number += 1
        out = folder / f"{name} export {number}"
    return out
