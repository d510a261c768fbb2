"""Open: which stack, and how to begin when there is none."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.stages.recent_sessions import recent_sessions
from napari_copnet.gui.stages.sample import open_sample
from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.viewer.layer_roles import shape_text
from napari_copnet.gui.widgets.controls import column_in, named
from napari_copnet.gui.widgets.dock import scrolled
from napari_copnet.gui.widgets.dock_section import Mark, quiet_label

_WELCOME = "Segment individual cells in electron microscopy stacks."


class OpenStage(Stage):
    """Choose a stack; while there is none, offer to open one, to try the sample, to continue."""

    name, title, page = "open", "Open", "napari.md"
    purpose = "The stack to work on, and its voxel size."
    invitation = "Open a stack"

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels)
        self.section = panels.workflow.stack

    def state(self) -> tuple[Mark, str]:
        """Return the stack."""
        layer = self.section.layer
        if layer is None:
            session = self.panels.session
            if session is not None:
                return Mark.DONE, f"session {session.folder.name}"
            return Mark.READY, "no stack yet"
        data = layer.data[0] if layer.multiscale else layer.data
        return Mark.DONE, f"{layer.name} · {shape_text(data.shape)}"

    def step(self) -> Step | None:
        """Return that a stack is to be opened."""
        if self.section.layer is not None or self.panels.session is not None:
            return None
        if self.panels.is_running:
            return Step("Opening …")
        return Step(self.invitation, self.section.ask_file)

    def renew(self) -> None:
        """Show the welcome while there is nothing to work on."""
        super().renew()
        if self._content is None:
            return
        has_work = self.section.layer is not None or self.panels.session is not None
        # Among what belongs to a stack is how to read files, which may be asked for before.
        has_section = has_work or self.section.asks
        self._welcome.setVisible(not has_section)
        self.section.setVisible(has_section)

    def _make(self) -> QWidget:
        inside = QWidget()
        column = column_in(inside, 6)
        self._welcome = Welcome()
        self._welcome.open_button.clicked.connect(lambda: self.section.ask_file())
        self._welcome.folder_button.clicked.connect(lambda: self.section.ask_folder())
        self._welcome.sample_button.clicked.connect(lambda: open_sample(self.panels.workflow))
        self._welcome.session_button.clicked.connect(lambda: self.panels.proofreading.ask_open())
        self._welcome.chosen.connect(self.panels.open_session)
        column.addWidget(self._welcome)
        column.addWidget(self.section)
        self.section.asked.connect(self.renew)
        column.addStretch()
        self.renew()
        return scrolled(inside)


class Welcome(QWidget):
    """How to begin.

    Attributes
    ----------
    open_button, folder_button, sample_button, session_button : QPushButton
    recent : list of QPushButton
    chosen : Signal
        The folder of a session to go on with.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setSpacing(6)
        column.addWidget(quiet_label(_WELCOME))
        self.open_button = _large(
            "Open a stack …", "welcome_open", "TIFF, NIfTI or MRC. You can also drop a file here."
        )
        self.folder_button = _large(
            "Open a folder of slices …", "welcome_folder", "A folder of images, or an OME-Zarr."
        )
        self.sample_button = _large(
            "Try the sample",
            "welcome_sample",
            "12 slices of synthetic tissue, segmented already, to look around in.",
        )
        for button in (self.open_button, self.folder_button, self.sample_button):
            column.addWidget(button)
        self.recent: list[QPushButton] = []
        folders = recent_sessions()
        if folders:
            column.addWidget(quiet_label("Continue where you left off:"))
        for folder in folders:
            button = _large(f"Continue: {folder.name}", "welcome_recent", str(folder))
            button.clicked.connect(lambda _=False, folder=folder: self.chosen.emit(Path(folder)))
            self.recent.append(button)
            column.addWidget(button)
        self.session_button = _large(
            "Open a session …", "welcome_session", "A folder with a run and its corrections."
        )
        column.addWidget(self.session_button)


def _large(text: str, name: str, tip: str) -> QPushButton:
    button = named(QPushButton(text), name, tip)
    button.setStyleSheet("QPushButton { padding: 7px; text-align: left; }")
    return button
