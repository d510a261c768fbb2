"""Correct: the session of the stack, with its queue and tools."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.widgets.controls import column_in
from napari_copnet.gui.widgets.dock import scrolled
from napari_copnet.gui.widgets.dock_section import Mark


class CorrectStage(Stage):
    """Correct the cells; every correction is kept beside the stack as it is made."""

    name, title, page = "correct", "Correct", "proofreading.md"
    purpose = "Likely errors one by one, and tools for the rest. Every edit is saved as you work."
    invitation = "Correct the cells"

    def state(self) -> tuple[Mark, str]:
        """Return how much was corrected."""
        session = self.panels.session
        if self.panels.is_opening:
            return Mark.RUNNING, "opening …"
        if session is None and self.panels.looks_wrong:
            return Mark.WAITING, "not yet: the run looks wrong"
        if session is None:
            return (Mark.READY if self.panels.finished is not None else Mark.WAITING), ""
        edits, answers = session.history.position, self._answered()
        said = f"{edits} edit{'' if edits == 1 else 's'}"
        if answers:
            said += f" · {answers} item{'' if answers == 1 else 's'} decided"
        if self.panels.has_newer_run:
            newer = "the newer run looks wrong" if self.panels.looks_wrong else "a newer run"
            return Mark.CHANGED, f"{said} · {newer}"
        return Mark.DONE if edits else Mark.READY, said

    def renew(self) -> None:
        """Offer to take a run into the session only where there is one that it has not."""
        super().renew()
        self.panels.proofreading.take_run_button.setVisible(self.panels.may_take_run)

    def step(self) -> Step | None:
        """Return that a session is to be begun, or given a newer run."""
        if self.panels.is_opening:
            return Step("Opening …")
        if self.panels.has_newer_run and not self.panels.looks_wrong:
            return Step("Use the new run", self.panels.take_new_run)
        if self.panels.session is None and self.panels.finished is not None:
            return self.way_on() or Step(self.invitation, self.panels.begin_session)
        return self._review()

    def _answered(self) -> int:
        """Return how many questions of the queue are answered; one may stand for many slices."""
        controller = self.panels.proofreading.controller
        return 0 if controller is None else controller.queue.state.answered

    def _review(self) -> Step | None:
        """Return that likely errors wait, until the first was answered or anything corrected."""
        session, controller = self.panels.session, self.panels.proofreading.controller
        if controller is None or session.verdicts or session.history.position:
            return None
        queue = controller.queue
        return Step(f"Review {queue.state.what}", queue.next) if queue.state.open else None

    def waits(self) -> bool:
        """Whether there is something to correct."""
        if self.panels.looks_wrong:
            return self.panels.session is not None
        return self.panels.session is not None or self.panels.finished is not None

    def begin(self) -> None:
        """Begin a session, where none is open."""
        self.panels.begin_session()

    def _make(self) -> QWidget:
        whole = QWidget()
        column = column_in(whole, 0)
        column.addWidget(scrolled(self.panels.proofreading), 1)
        # In reach however low the screen is.
        column.addWidget(self.panels.proofreading.leave_foot())
        return whole
