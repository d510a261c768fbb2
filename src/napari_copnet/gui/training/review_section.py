"""Section 2: correct a slice, have it checked, and let it count as done."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QLabel

from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.training.outline_key import OutlineKey
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.training.project_section import (
    SIGNS,
    ProjectSection,
    doubts_left,
)
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.gui.widgets.controls import canvas_button, row
from napari_copnet.gui.widgets.dock_section import Mark, quiet_label
from napari_copnet.gui.widgets.lazy_rows import Rows, RowsView
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching.project import DONE, Project
from napari_copnet.teaching.slice_check import Finding, check_slice

_PURPOSE = "Correct the contours of a slice; it is checked before it counts as done."
_TOOLS = (("draw", "Draw"), ("erase", "Erase"), ("gap", "Close gap"))


class ReviewSection(ProjectSection):
    """The slice in view: its tools, its state, and what seems wrong with it.

    Takes what a `ProjectSection` takes but number, title and purpose.

    Attributes
    ----------
    findings : list of Finding
        Of the slice that was checked last.
    outline : OutlineKey
    """

    def __init__(self, link: ProjectLink, compute: Compute) -> None:
        super().__init__(2, "Correct and check", _PURPOSE, link, compute)
        self.findings: list[Finding] = []
        self._checked: int | None = None
        self.state = QLabel()
        self.add(self.state)
        self.tools = {
            name: canvas_button(text, f"annotate_{name.replace(' ', '_')}", "A proofreading tool.")
            for name, text in _TOOLS
        }
        for name, button in self.tools.items():
            button.clicked.connect(lambda _=False, name=name: self.pick(name))
        self.outline_button = canvas_button(
            "Outline from beside (O)",
            "annotate_outline",
            "Draw the outline that this cell has in the slice before (or after), moved here: press "
            "O with the mouse over it, or this button and click.",
        )
        self.outline = OutlineKey(link, compute)
        self.outline_button.clicked.connect(lambda: self.outline.ask())
        self.outline.failed.connect(self.failed.emit)
        self.add(row(*self.tools.values()))
        self.add(row(self.outline_button))
        self.part_button = canvas_button(
            "Only the part in view",
            "part",
            "Zoom in on what you corrected; pixels outside the view are left out of training.",
        )
        self.whole_button = canvas_button(
            "Whole slice", "whole", "Mark the whole slice as reviewed."
        )
        self.part_row = row(QLabel("Reviewed:"), self.whole_button, self.part_button)
        self.add(self.part_row)
        self.done_button = canvas_button(
            "Done", "slice_done", "Check this slice and mark it as done."
        )
        self.despite_button = canvas_button(
            "Done anyway", "slice_despite", "Mark it as done although the checks found something."
        )
        self.reopen_button = canvas_button(
            "Work on it again", "slice_reopen", "Put the slice back in work."
        )
        self.add(row(self.done_button, self.despite_button, self.reopen_button))
        self.table = RowsView("findings", stretched=1)
        self.table.setMinimumHeight(90)
        self.rows = Rows(
            ("Kind", "Findings"),
            lambda: len(self.findings),
            lambda at, column: (self.findings[at].kind, self.findings[at].text)[column],
        )
        self.table.show_rows(self.rows)
        self.table.setColumnWidth(0, 100)
        self.table.clicked.connect(lambda index: self.fly_to(index.row()))
        self.add(self.table)
        self.hint = quiet_label("Click a row to go there.")
        self.add(self.hint)
        self.whole_button.clicked.connect(lambda: self.set_part(False))
        self.part_button.clicked.connect(lambda: self.set_part(True))
        self.done_button.clicked.connect(lambda: self.finish())
        self.despite_button.clicked.connect(lambda: self.finish(despite=True))
        self.reopen_button.clicked.connect(lambda: self.reopen())
        self.renew()

    # What the user can do ----------------------------------------------------

    def pick(self, tool: str) -> None:
        """Take a tool of proofreading in hand."""
        controller, project, z = self._link.controller, self._link.project, self._link.z
        if controller is not None and project is not None and z is not None:
            self._do(lambda: project.begin(z))
            controller.pick(tool)

    def finish(self, despite: bool = False) -> None:
        """Check the slice in view, and mark it as done if there are no findings."""
        project, z = self._link.project, self._link.z
        if project is None or z is None:
            return
        self._link.controller.layers.take_strokes()
        contour, out = project.to_check(z)

        def take(found: list[Finding]) -> None:
            if self._link.project is not project:
                return
            if not np.array_equal(contour, project.session.contour[z]):
                # Painted on meanwhile.
                if self._link.z == z:
                    self.finish(despite)
                return
            found = [*project.doubts(z), *found]
            self.findings, self._checked = [] if despite else found, z
            self._do(lambda: project.finish(z, despite=despite, findings=found))

        # In a thread: a slice of 4096 × 4096 px takes seconds.
        self._compute("check", lambda: _checked(contour, out)).finished.connect(take)

    def reopen(self) -> None:
        """Put the slice in view back in work."""
        project, z = self._link.project, self._link.z
        if project is not None and z is not None:
            self._do(lambda: project.reopen(z))

    def set_part(self, part: bool) -> None:
        """Say that all of the slice, or only the part in view, was reviewed."""
        project, z = self._link.project, self._link.z
        if project is not None and z is not None:
            shown = self._in_view(project) if part else None
            self._do(lambda: project.set_reviewed(z, shown))

    def fly_to(self, at: int) -> None:
        """Show a finding."""
        finding = self.findings[at]
        if self._checked is not None:
            self._link.fly(self._checked, (finding.y, finding.x), 30.0)

    # Keeping it true ---------------------------------------------------------

    def renew(self) -> None:
        """Show the state of the slice in view."""
        project, z = self._link.project, self._link.z
        writable = project is not None and z is not None and not project.session.read_only
        if z != self._checked:
            self.findings = []
        is_done = False
        if project is None or z is None:
            self.state.setText("")
            self.tell(Mark.WAITING, _PURPOSE, "Needs a session.")
        else:
            state = project.state(z)
            entry = project.slice(z)
            is_done = state == DONE
            part = ", a part of it" if entry.part else ""
            self.state.setText(f"<b>Slice {z}</b>&nbsp; {SIGNS[state]} {state}{part}")
            if self.findings:
                count = len(self.findings)
                doubts = "1 place seems" if count == 1 else f"{count} places seem"
                self.tell(Mark.CHANGED, f"{doubts} wrong:", "correct them, or let them be.")
            elif is_done:
                left = f", {doubts_left(entry.left)}" if entry.left else ""
                self.tell(Mark.DONE, f"Slice {z} is done{left}.", "Next: another slice, or train.")
            else:
                self.tell(Mark.READY, _PURPOSE)
        for button in (
            *self.tools.values(),
            self.outline_button,
            self.part_button,
            self.whole_button,
        ):
            button.setEnabled(writable)
        self.done_button.setEnabled(writable and not is_done)
        self.despite_button.setVisible(bool(self.findings))
        self.reopen_button.setVisible(is_done)
        self.reopen_button.setEnabled(writable)
        self.table.setVisible(bool(self.findings))
        self.hint.setVisible(bool(self.findings))
        self.rows.renew()

    def _in_view(self, project: Project) -> np.ndarray:
        """Return the pixels of the slice that the canvas shows, shape (Y, X), bool."""
        layer, camera = self._link.controller.layers.contour, camera_of(self._link.viewer)
        canvas = canvas_of(self.window())
        size = (canvas.height(), canvas.width()) if canvas is not None else (600, 600)
        mask = np.zeros(project.shape[1:], bool)
        ranges = []
        for axis in (0, 1):
            half = size[axis] / 2 / camera.zoom
            middle = camera.center[axis + 1]
            ends = []
            for at in (middle - half, middle + half):
                world = [0.0, 0.0, 0.0]
                world[axis + 1] = at
                ends.append(float(to_data(self._link.viewer, layer, world)[axis + 1]))
            low, high = sorted(ends)
            ranges.append(slice(max(0, int(np.ceil(low))), max(0, int(np.floor(high)) + 1)))
        mask[ranges[0], ranges[1]] = True
        return mask


def _checked(contour: np.ndarray, out: np.ndarray | None) -> Steps[list[Finding]]:
    """Check a slice as a step."""
    yield Progress("check", 0, 1, "slices")
    found = check_slice(contour, excluded=out)
    yield Progress("check", 1, 1, "slices")
    return found
