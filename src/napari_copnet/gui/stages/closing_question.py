"""Closing the window while something is at work asks first, and says what becomes of it."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_copnet.gui.background.jobs import hurried
from napari_copnet.gui.stages.panels import Panels


class ClosingQuestion(QObject):
    """Watches a window.

    Parameters
    ----------
    window : QWidget
    panels : Panels
    """

    def __init__(self, window: QWidget, panels: Panels) -> None:
        super().__init__()
        self._window: QWidget | None = window
        self._panels = panels
        window.installEventFilter(self)

    def stop(self) -> None:
        """Let the window go."""
        window, self._window = self._window, None
        if window is not None:
            with contextlib.suppress(RuntimeError):  # Qt has deleted it
                window.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask when the user, and not a program, closes the window."""
        window = self._window
        if window is None or watched is not window or event is None:
            return False
        if event.type() != QEvent.Type.Close:
            return False
        at_work = work_at_hand(self._panels)
        if not event.spontaneous() or not at_work:
            return False
        event.ignore()
        if self._is_sure(at_work):
            # As a program does it: napari asks nothing more.
            QTimer.singleShot(0, lambda: _close(window))
        return True

    def _is_sure(self, at_work: str) -> bool:
        box = QMessageBox(self._window)
        box.setObjectName("closing_question")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Close while work is in progress?")
        box.setText(at_work)
        close: Any = box.addButton("Close now", QMessageBox.ButtonRole.AcceptRole)
        stay: Any = box.addButton("Keep working", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.exec()
        return box.clickedButton() is close


def _close(window: QWidget) -> None:
    with contextlib.suppress(RuntimeError), hurried():  # closed meanwhile
        window.close()


def work_at_hand(panels: Panels) -> str:
    """Return what is at work and what closing would do to it; empty when nothing is."""
    said = []
    if panels.is_running and panels.workflow.stack.layer is not None:
        source = panels.workflow.source
        on_disk = source is not None and source.folder is not None
        then = (
            "What is done is kept on disk, and the next Run continues from there."
            if on_disk
            else "You would have to run it again."
        )
        said.append(f"The cells are still being segmented. {then}")
    # To import the panel of trainings takes long, and it may be none was opened.
    trainings = [panel for panel in panels.every if hasattr(panel, "train")]
    if any(panel.train.run.is_running for panel in trainings):
        said.append(
            "A network is still being trained. The training will be paused, and you can "
            "continue it next time."
        )
    return "\n".join(said)
