"""The panels that stages share: each is there once in a window, however many stages need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from qtpy.QtCore import QObject, Signal

from napari_copnet.gui.proofreading.proofreading_panel import ProofreadPanel
from napari_copnet.gui.stages.recent_sessions import remember
from napari_copnet.gui.stages.session_place import session_place
from napari_copnet.gui.widgets.dock import Dock
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel
from napari_copnet.verdict.types import RED

P = TypeVar("P", bound=Dock)


class Panels(QObject):
    """Workflow and proofreading, and whatever stages add to them.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    workflow : WorkflowPanel
    proofreading : ProofreadPanel
    every : list of Dock
        All panels made so far.
    unfold_asked : Signal
        The name of a stage.
    """

    unfold_asked = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.every: list[Dock] = []
        self.workflow = self.keep(WorkflowPanel(viewer))
        self.workflow.as_part()
        self.proofreading = self.keep(ProofreadPanel(viewer))
        # Here nobody is asked for a folder, and the green button offers a newer run.
        self.proofreading.begin_button.clicked.disconnect()
        self.proofreading.begin_button.clicked.connect(lambda: self.begin_session())
        self.proofreading.begin_button.setToolTip("Correct the cells of the run.")
        self.proofreading.take_run_button.clicked.disconnect()
        self.proofreading.take_run_button.clicked.connect(lambda: self.take_new_run())
        # The result that the open session has; None for a session opened from its folder.
        self._taken: Any = None
        self._taken_before: Any = None
        self._beginning: Any = None
        self.proofreading.opened.connect(self._on_opened)
        self.proofreading.closing.connect(self._on_closing)
        self.proofreading.refused.connect(self._on_refused)

    def keep(self, panel: P) -> P:
        """Add a panel that a stage has made; the dock shuts it down."""
        panel.is_part = True
        self.every.append(panel)
        return panel

    # What several stages look at ---------------------------------------------

    @property
    def session(self) -> Any:
        """The open session, or None."""
        return self.proofreading.session

    @property
    def finished(self) -> Any:
        """The chosen image's run, where it has reached its end; else None."""
        source = self.workflow.source
        if source is None or source.settings is None or source.result is None:
            return None
        return source if source.is_done("cells", source.settings) else None

    @property
    def looks_wrong(self) -> bool:
        """Whether the verdict on the finished run is red."""
        source = self.finished
        return source is not None and source.light == RED

    @property
    def is_running(self) -> bool:
        """Whether the workflow runs."""
        job = self.workflow.job
        return job is not None and job.is_running

    @property
    def is_opening(self) -> bool:
        """Whether a session is on its way."""
        return self.session is None and self.proofreading.is_opening

    @property
    def is_waited_for(self) -> bool:
        """Whether the user waits for something that needs what the processors have to give."""
        source = self.finished
        comes = source is not None and source.layers.is_adding
        return (
            comes or self.is_running or self.is_opening or self.proofreading.tasks.job is not None
        )

    @property
    def has_newer_run(self) -> bool:
        """Whether the run of the open session's image was done anew since."""
        source = self.finished
        return (
            self.session is not None
            and self._taken is not None
            and source is not None
            and source.result is not self._taken[1]
            and source.layer is self._taken[0]
        )

    @property
    def may_take_run(self) -> bool:
        """Whether the open session may be given the finished run: not the one it has."""
        source = self.finished
        if self.session is None or source is None:
            return False
        return self._taken is None or source.result is not self._taken[1]

    # What several stages do --------------------------------------------------

    def begin_session(self) -> None:
        """Keep the corrections of the finished run in a session, beside its stack."""
        source = self.finished
        if source is None:
            # It says so.
            self.proofreading.begin()
        elif self.session is None and not self.is_opening:
            self._beginning = (source.layer, source.result)
            self.proofreading.begin(session_place(source.layer))

    def take_new_run(self) -> None:
        """Take the newer run into the open session."""
        source = self.finished
        if source is not None:
            self._beginning = (source.layer, source.result)
            self._taken_before = self._taken
            self.proofreading.take_run()

    def open_session(self, folder: Path | str) -> None:
        """Open a session where it was left."""
        self._beginning = None
        self.unfold_asked.emit("correct")
        self.proofreading.open(folder)

    def _on_opened(self, folder: str) -> None:
        self._taken, self._beginning = self._beginning, None
        remember(Path(folder))
        # What the run was is known by now, and the list of questions needs the room.
        self.workflow.run_controls.message.clear_note()
        self.unfold_asked.emit("correct")

    def _on_refused(self) -> None:
        self._taken = self._taken_before

    def _on_closing(self) -> None:
        self._taken = None
