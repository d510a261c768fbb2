"""Correct: the session of the stack, with its queue and tools."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.widgets.dock import scrolled
from napari_copnet.gui.widgets.dock_section import Mark


class CorrectStage(Stage):
    """Correct the cells; every correction is kept beside the stack as it is made."""

    name, title, page = "correct", "Correct", "proofreading.md"
    purpose = "Likely errors one by one, and tools for the rest. Everything is kept as you work."
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
        edits, answers = session.history.position, len(session.verdicts)
        said = f"{edits} correction{'' if edits == 1 else 's'}"
        if answers:
            said += f" · {answers} answer{'' if answers == 1 else 's'}"
        if self.panels.has_newer_run:
            newer = "the newer run looks wrong" if self.panels.looks_wrong else "a newer run"
            return Mark.CHANGED, f"{said} · {newer}"
        return Mark.DONE if edits else Mark.READY, said

    def step(self) -> Step | None:
        """Return that a session is to be begun, or given a newer run."""
        if self.panels.is_opening:
            return Step("Opening …")
        if self.panels.has_newer_run and not self.panels.looks_wrong:
            return Step("Use the new run", self.panels.take_new_run)
        if self.panels.session is None and self.panels.finished is not None:
            return self.way_on() or Step(self.invitation, self.panels.begin_session)
        return None

    def waits(self) -> bool:
        """Whether there is something to correct."""
        if self.panels.looks_wrong:
            return self.panels.session is not None
        return self.panels.session is not None or self.panels.finished is not None

    def begin(self) -> None:
        """Begin a session, where none is open."""
        self.panels.begin_session()

    def _make(self) -> QWidget:
        return scrolled(self.panels.proofreading)
