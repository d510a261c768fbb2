"""Which model and which device, and why the default is what it is."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import sys
from functools import cache
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.sections.base import quiet_label
from napari_copnet.networks.package import SHIPPED, find_model, list_models

_FOLDER = "Choose a model folder …"


class ModelPicker(QWidget):
    """Choose a model of one kind.

    Parameters
    ----------
    kind : str
        ``"contours"`` or ``"closing"``.
    """

    changed = Signal()

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
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
            at = self.combo.count() - 1
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
        self.set(chosen)
        self._before = chosen

    def _on_activated(self) -> None:
        if self.value == _FOLDER:
            folder = QFileDialog.getExistingDirectory(self, "Choose a model folder")
            self.set(folder or self._before)
        self._before = self.value
        self._explain()
        self.changed.emit()

    def _explain(self) -> None:
        try:
            model = find_model(self.value, self.kind)
        except CopnetError as error:
            self._note.setText(f"Not there yet: {error.hint}" if error.hint else error.message)
            self._note.show()
            return
        data = ", ".join(model.data)
        self._note.setToolTip(f"Trained on {data}." if data else "")
        self.combo.setToolTip(self._note.toolTip())
        is_default = self.value == "default"
        ships = model.folder.resolve().parent == SHIPPED.resolve()
        why = "comes with napari-copnet" if ships else "which you adopted"
        self._note.setText(f"{model.name}, {why}." if is_default else "")
        self._note.setVisible(is_default)


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
        return "mps", "Takes the Apple GPU, because this Mac has one."
    built = _torch_cuda()
    there = _cuda_devices()
    if there and built:
        return "cuda", "Takes the CUDA GPU, because one was found."
    if there:
        return "cpu", "Takes the CPU: there is a CUDA GPU, but this PyTorch is built for the CPU."
    return "cpu", "Takes the CPU, because no CUDA GPU was found."


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
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    row = QFormLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    row.addRow(label, combo)
    column.addLayout(row)
    column.addWidget(note)
