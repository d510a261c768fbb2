"""The panel that writes cells and contours into a folder."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QPushButton, QWidget

from napari_copnet.export.formats import FORMATS as OTHERS
from napari_copnet.export.formats import NEED_PACKAGE, NEED_SIZE
from napari_copnet.gui.background.task_queue import TaskQueue
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.viewer.layer_source import source_of, ways_read
from napari_copnet.gui.widgets.controls import column_in, named, row
from napari_copnet.gui.widgets.dock import Dock
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.widgets.params_form import Fold
from napari_copnet.gui.widgets.run_controls import Message, ProgressLine
from napari_copnet.progress import Steps
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_export import export
from napari_copnet.restored import restored_lazily
from napari_copnet.runs.run_record import OUTPUTS
from napari_copnet.runs.saving import saving

FORMATS = {"tiff": "TIFF", "ome-zarr": "OME-Zarr", "nifti": "NIfTI"}
_CORRECTED = "The corrected cells and closed contours, and the list of edits."
_UNCORRECTED = "The cells, closed contours and contour probability of the run, uncorrected."
_ON_DISK = "This run wrote its results to {folder}. Correct the cells to export them corrected."


class ExportPanel(Dock):
    """Write what is there: the corrected cells of the session, else those of the run.

    Parameters
    ----------
    panels : Panels

    Attributes
    ----------
    others : dict of str to QCheckBox
        Formats of other programs to write as well, by name.
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
        column.addWidget(row(QLabel("Format"), self.format))
        self.others: dict[str, QCheckBox] = {}
        boxes = column_in(inside := QWidget(), 2)
        for name, (text, file) in OTHERS.items():
            self.others[name] = named(QCheckBox(text[0].upper() + text[1:]), f"to_{name}", file)
            boxes.addWidget(self.others[name])
        self.fold = Fold("For other programs", inside)
        column.addWidget(self.fold)
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
        if self._panels.session is not None:
            self.what.setText(_CORRECTED)
        elif source is not None and source.folder is not None:
            self.what.setText(_ON_DISK.format(folder=source.folder))
        else:
            self.what.setText(_UNCORRECTED)
        for name, box in self.others.items():
            missing = self._missing(name)
            box.setEnabled(not missing)
            box.setToolTip(missing or OTHERS[name][1])

    def _missing(self, name: str) -> str:
        """Return what a format of another program needs and is not there; else nothing."""
        package = NEED_PACKAGE.get(name, "")
        if package and importlib.util.find_spec(package) is None:
            return f"Needs the package {package}: pip install napari-copnet[{name}]"
        session, source = self._panels.session, self._panels.finished
        if name in NEED_SIZE and (session is not None or source is not None):
            facts = session.facts if session is not None else source.result.stack
            if not facts.voxel_size.known:
                return "Needs a known voxel size: enter it at Open, and run again."
        return ""

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
        self.renew()
        to = [name for name, box in self.others.items() if box.isEnabled() and box.isChecked()]
        writing: Callable[[], Steps[dict[str, Any]]]
        if session is not None:
            writing = partial(_export_session, session, out, chosen)
        else:
            result = source.result
            ways: dict[str, Any] = ways_read(source.layer, result.stack, source.given, result.given)
            given = result, restored_lazily(result), source.settings, out, chosen, OUTPUTS
            writing = partial(saving, *given, **ways)
        task = self.tasks.add("export", lambda: _with_others(writing, out, to))
        self.message.clear()
        self.progress.start()
        task.progressed.connect(self.progress.show_progress)
        for end in (task.finished, task.failed):
            end.connect(lambda _: self.progress.rest())
        task.finished.connect(lambda record: self._on_written(out, record))
        task.failed.connect(self.message.error)

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


def _with_others(
    writing: Callable[[], Steps[dict[str, Any]]], out: Path, to: list[str]
) -> Steps[dict[str, Any]]:
    """Write results, and then their cells in formats of other programs beside them."""
    from napari_copnet.export.export import export_files

    record = yield from writing()
    if not to:
        return record
    more = yield from export_files(out, out, to)
    return {**record, "files": {**record["files"], **more["files"]}}


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
