"""The one dock of a window."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShortcut
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_copnet.gui.background import preload
from napari_copnet.gui.background.garbage import is_calm
from napari_copnet.gui.stages.closing_question import ClosingQuestion
from napari_copnet.gui.stages.first_tour import FirstTour, is_first_use
from napari_copnet.gui.stages.key_card import on_question_mark, show_keys
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.stages.stage_list import STAGES, next_step
from napari_copnet.gui.widgets.controls import column_in, named
from napari_copnet.gui.widgets.dock import Dock

LOOK_MS = 250
TOUR_MS = 800
PRELOAD_MS = 300
NEXT_TURN_MS = 20
# A newcomer's first click is not to compete with what only a run needs, s.
WELCOME_SECONDS = 2.0
# With the canvas and napari's own docks it fits a screen of 1366 pixels.
NARROWEST, LOWEST = 380, 320
# Stage and tab of what menus open that is no stage of its own.
_ENTRIES = {"iterations": ("segment", 1), "settings": ("segment", 0), "simulation": ("teach", 1)}
_GREEN = (
    "QPushButton { background: #2e7d32; color: white; font-weight: bold; padding: 8px; }"
    "QPushButton:hover { background: #1b5e20; }"
    "QPushButton:focus { border: 2px solid #a5d6a7; }"
    "QPushButton:disabled { background: #3a3f47; color: #c4c8ce; }"
)


class CopnetDock(Dock):
    """All stages, of which one is at work, and a button that names the next step.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    panels : Panels
    stages : dict of str to Stage
        By name, in the order of work.
    current : Stage
        The one that is unfolded.
    next_button : QPushButton
    tour : FirstTour or None
        While it is shown.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.setObjectName("copnet")
        self.setMinimumSize(NARROWEST, LOWEST)
        self.panels = Panels(viewer)
        made = [make(self.panels) for make in STAGES]
        self.stages: dict[str, Stage] = {stage.name: stage for stage in made}
        self.current = made[0]
        self._step: Step | None = None
        self._question: ClosingQuestion | None = None
        self._shortcut: QShortcut | None = None
        self.tour: FirstTour | None = None
        self._was_running = self._had_layer = False
        self._made_at = time.monotonic()
        column = column_in(self, 0)
        self._column = QVBoxLayout()
        self._column.setSpacing(2)
        for stage in made:
            stage.unfold_asked.connect(lambda stage=stage: self.unfold(stage.name))
            self._column.addWidget(stage)
        column.addLayout(self._column, 1)
        column.addWidget(self._foot())
        self.panels.unfold_asked.connect(self._on_asked)
        self.panels.workflow.stack.source_changed.connect(self._on_stack)
        self.panels.workflow.ended.connect(lambda *_: self.look())
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        self.unfold(made[0].name)
        self._on_stack()
        # The dock is drawn first.
        QTimer.singleShot(PRELOAD_MS, self._preload)

    def _foot(self) -> QWidget:
        foot = QWidget()
        lines = column_in(foot, 0)
        # What is being opened or run is told whichever stage is at work.
        lines.addWidget(self.panels.workflow.run_controls)
        row = QHBoxLayout()
        row.setContentsMargins(8, 2, 8, 8)
        lines.addLayout(row)
        self.next_button = named(QPushButton(), "next_step", "Do the next step.")
        self.next_button.setStyleSheet(_GREEN)
        self.next_button.clicked.connect(lambda: self.press_next())
        row.addWidget(self.next_button, 1)
        self.keys_button = named(QToolButton(), "keys", "Show all keys (?).")
        self.keys_button.setText("Keys")
        self.keys_button.clicked.connect(lambda: self.show_keys())
        self.tour_button = named(QToolButton(), "tour", "Show where things are.")
        self.tour_button.setText("Tour")
        self.tour_button.clicked.connect(lambda: self.show_tour())
        row.addWidget(self.keys_button)
        row.addWidget(self.tour_button)
        return foot

    def showEvent(self, event: Any) -> None:
        """Watch the window from now on, and show a newcomer around."""
        super().showEvent(event)
        if self._question is None and not self._is_closed:
            # Once the dock is in its window, and that is laid out.
            QTimer.singleShot(0, self._watch_window)
            QTimer.singleShot(TOUR_MS, self._welcome)

    def _watch_window(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            window = self.window()
            if self._question is None and not self._is_closed and window is not None:
                self._question = ClosingQuestion(window, self.panels)
                self._shortcut = on_question_mark(window, self.show_keys)
                self.panels.workflow.groups.watch(window)

    def _preload(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            if not self._is_closed:
                self._hold_preload()
                preload.preload()

    def _hold_preload(self) -> None:
        is_new = time.monotonic() - self._made_at < WELCOME_SECONDS and not self._had_layer
        preload.hold(is_new or self.panels.is_waited_for or not is_calm())

    @property
    def parts(self) -> list[Dock]:
        """The panels that were made so far, for those that look for one in the window."""
        return self.panels.every

    # What the user can do ----------------------------------------------------

    def unfold(self, name: str) -> None:
        """Put a stage to work; the others are one line each."""
        chosen = self.stages[name]
        for at, stage in enumerate(self.stages.values()):
            if stage is not chosen and stage.is_unfolded:
                stage.set_unfolded(False)
            self._column.setStretch(at, 1 if stage is chosen else 0)
        self.current = chosen
        if not chosen.is_unfolded:
            chosen.set_unfolded(True)
        self.look()

    def open_at(self, name: str) -> None:
        """Unfold a stage, or the stage and tab of an entry of the menus."""
        stage, tab = _ENTRIES.get(name, (name, None))
        if stage == "segment" and name == "segment" and self.stages["open"].step() is not None:
            stage = "open"
        self.unfold(stage)
        if tab is not None:
            self.stages[stage].show_tab(tab)

    def show_keys(self) -> None:
        """Show the card with the keys."""
        window = self.window()
        if window is not None:
            show_keys(window)

    def show_tour(self) -> FirstTour:
        """Show the balloons."""
        if self.tour is None:
            self.tour = FirstTour(self)
            self.tour.over.connect(self._on_tour_over)
        return self.tour

    def _on_tour_over(self) -> None:
        self.tour = None

    def _welcome(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            at_start = self.isVisible() and self.current.name == "open"
            if not self._is_closed and at_start and is_first_use():
                self.show_tour()

    def press_next(self) -> None:
        """Do the next step."""
        if self.tour is not None:
            self.tour.finish()
        if self._step is not None and self._step.act is not None:
            self._step.act()
        self.look()

    def _go(self, stage: Stage) -> None:
        self.unfold(stage.name)
        stage.begin()

    # Keeping it true ---------------------------------------------------------

    def look(self) -> None:
        """Show how far each stage is, and the next step."""
        if self._is_closed:
            return
        self._hold_preload()
        running = self.panels.is_running and self.panels.workflow.stack.layer is not None
        if running and not self._was_running and self.current.name == "open":
            self._was_running = True
            self.unfold("segment")
            return
        self._was_running = running
        for stage in self.stages.values():
            stage.renew()
        self._step = next_step(list(self.stages.values()), self.current, self._go)
        if self.next_button.text() != self._step.text:
            self.next_button.setText(self._step.text)
        self.next_button.setEnabled(self._step.act is not None)

    def _on_asked(self, name: str) -> None:
        """Follow what was begun; who annotates to teach stays there."""
        if not self.current.is_beside:
            self.unfold(name)

    def _on_stack(self) -> None:
        """Go on to Segment once there is a stack whose voxel size need not be asked for."""
        has_layer = self.panels.workflow.stack.layer is not None
        came, self._had_layer = has_layer and not self._had_layer, has_layer
        if came and self.current.name == "open" and self.panels.workflow.stack.is_settled:
            # napari has just taken a moment for the layer, which is drawn first.
            QTimer.singleShot(NEXT_TURN_MS, self._go_on_to_segment)
        else:
            self.look()

    def _go_on_to_segment(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            if not self._is_closed and self.current.name == "open":
                self.unfold("segment")

    def _shut_down(self) -> None:
        self._timer.stop()
        preload.hold(False)
        if self.tour is not None:
            self.tour.finish()
        if self._question is not None:
            self._question.stop()
            self._question = None
        if self._shortcut is not None:
            # Not at once: Qt goes through the window's children while it hides them.
            self._shortcut.setEnabled(False)
            self._shortcut.deleteLater()
            self._shortcut = None
        for stage in self.stages.values():
            stage.stop()
        # First those made last: a training takes a moment to save, and looks at the others.
        for panel in reversed(self.panels.every):
            panel.shut_down()
