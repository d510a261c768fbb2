"""Choose a model and a device, with the reason for the default."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import sys
from functools import cache
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLabel, QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.widgets.colours import set_tone
from napari_copnet.gui.widgets.controls import column_in
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.networks.import_model import import_model
from napari_copnet.networks.package import JSON, SHIPPED, ModelPackage, find_model, list_models
from napari_copnet.progress import Progress, Steps

_FOLDER, _ZIP = "Choose a model folder …", "Import a model zip …"


class ModelPicker(QWidget):
    """Choose a model of one kind, or import one: our zip, or nnU-Net's result folder or zip.

    Parameters
    ----------
    kind : str
        ``"contours"`` or ``"closing"``.
    """

    changed = Signal()

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._job: Job | None = None
        self.combo = QComboBox()
        self.combo.setObjectName(f"model_{kind}")
        self.combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._note = quiet_label()
        _rows(self, QLabel("Model"), self.combo, self._note)
        self.refresh()
        self.combo.activated.connect(self._on_activated)

    @property
    def value(self) -> str:
        """Name or folder of the model, as in `params`."""
        return str(self.combo.currentData())

    def set(self, value: str) -> None:
        """Choose a model by name or folder."""
        at = self.combo.findData(value)
        if at < 0:
            at = self.combo.findData(_FOLDER)
            self.combo.insertItem(at, Path(value).name, value)
        self.combo.setCurrentIndex(at)
        self._explain()

    def refresh(self) -> None:
        """List the models there are."""
        chosen = self.combo.currentData() or "default"
        self.combo.clear()
        self.combo.addItem("default", "default")
        for model in list_models():
            if model.kind == self.kind and self.combo.findData(model.name) < 0:
                self.combo.addItem(model.name, model.name)
        self.combo.addItem(_FOLDER, _FOLDER)
        self.combo.addItem(_ZIP, _ZIP)
        self.set(chosen)
        self._before = chosen

    def _on_activated(self) -> None:
        asked = self.value
        if asked in (_FOLDER, _ZIP):
            self.set(self._before)
        if asked == _FOLDER:
            title = "Choose a model folder of napari-copnet or nnU-Net"
            chosen = QFileDialog.getExistingDirectory(self, title)
            if chosen and not (Path(chosen) / JSON).is_file():
                self._bring(Path(chosen))
                return
            self.set(chosen or self._before)
        elif asked == _ZIP:
            title = "Import a model zip of napari-copnet or nnU-Net"
            chosen, _ = QFileDialog.getOpenFileName(self, title, "", "Zip files (*.zip)")
            if chosen:
                self._bring(Path(chosen))
            return
        self._before = self.value
        self._explain()
        self.changed.emit()

    def stop(self) -> None:
        """Take in no model any more."""
        if self._job is not None:
            self._job.give_up(wait=True)
            self._job = None

    def _bring(self, source: Path) -> None:
        """Import a model beside the window: its weights take a while to read and to check."""
        kind = self.kind

        def work() -> Steps[ModelPackage]:
            yield Progress("import", 0, 1, "models")
            return import_model(source, kind)

        self.combo.setEnabled(False)
        self._say(f"Importing {source.name} …")
        self._job = Job(work, "copnet-import")
        self._job.finished.connect(self._on_brought)
        self._job.failed.connect(self._on_refused)
        self._job.start()

    def _on_brought(self, model: ModelPackage) -> None:
        self._job = None
        self.combo.setEnabled(True)
        window = self.window()
        for picker in window.findChildren(ModelPicker) if window is not None else [self]:
            picker.refresh()
        if model.kind != self.kind:
            step = "Closing" if model.kind == "closing" else "Contours"
            self._say(f"{model.name} is a {model.kind} model: it is listed under {step} now.")
            return
        self.set(model.name)
        self._before = self.value
        chosen = [f"{key}: {model.card[key]}" for key in ("fold", "contour") if key in model.card]
        self._say("; ".join([f"Imported as {model.name}", *chosen]) + ".")
        self.changed.emit()

    def _on_refused(self, error: CopnetError) -> None:
        self._job = None
        self.combo.setEnabled(True)
        self._say(f"{error.message} {error.hint}".strip(), is_wrong=True)

    def _say(self, text: str, is_wrong: bool = False) -> None:
        set_tone(self._note, "wrong" if is_wrong else "quiet")
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _explain(self) -> None:
        try:
            model = find_model(self.value, self.kind)
        except CopnetError as error:
            self._say(f"Not available: {error.hint}" if error.hint else error.message)
            return
        data = ", ".join(model.data)
        self._note.setToolTip(f"Trained on {data}." if data else "")
        self.combo.setToolTip(self._note.toolTip())
        is_default = self.value == "default"
        ships = model.folder.resolve().parent == SHIPPED.resolve()
        why = "comes with napari-copnet" if ships else "which you adopted"
        self._say(f"{model.name}, {why}." if is_default else "")


class DevicePicker(QWidget):
    """Choose where networks run."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.combo = QComboBox()
        self.combo.setObjectName("device")
        self.combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for value, text in (
            ("auto", "automatic"),
            ("cpu", "CPU"),
            ("cuda", "CUDA GPU"),
            ("mps", "Apple GPU"),
        ):
            self.combo.addItem(text, value)
        self._note = quiet_label()
        _rows(self, QLabel("Device"), self.combo, self._note)
        self.combo.currentIndexChanged.connect(self._explain)
        self._explain()

    @property
    def value(self) -> str:
        """The device, as in `params`."""
        return str(self.combo.currentData())

    def set(self, value: str) -> None:
        """Choose a device."""
        self.combo.setCurrentIndex(max(0, self.combo.findData(value)))

    def _explain(self) -> None:
        _, reason = likely_device()
        self._note.setText(reason if self.value == "auto" else "")
        self._note.setVisible(self.value == "auto")
        self.changed.emit()


@cache
def likely_device() -> tuple[str, str]:
    """Return the device that auto will take, and why, without importing PyTorch.

    Importing it takes seconds; what it was built for stands in its version file, and the driver
    says whether there is a GPU.
    """
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps", "Uses the Apple GPU of this Mac."
    built = _torch_cuda()
    there = _cuda_devices()
    if there and built:
        return "cuda", "Uses the CUDA GPU that was found."
    if there:
        return "cpu", "Uses the CPU: there is a CUDA GPU, but this PyTorch is built for the CPU."
    return "cpu", "Uses the CPU, because no CUDA GPU was found."


def _torch_cuda() -> bool:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py")
    if not version.exists():
        return False
    return re.search(r"^cuda[^=]*=\s*'", version.read_text(), re.MULTILINE) is not None


def _cuda_devices() -> int:
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _rows(widget: QWidget, label: QLabel, combo: QComboBox, note: QLabel) -> None:
    column = column_in(widget, 2)
    row = QFormLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    row.addRow(label, combo)
    column.addLayout(row)
    column.addWidget(note)
