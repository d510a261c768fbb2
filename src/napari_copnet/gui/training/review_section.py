"""Section 2: correct a slice, have it checked, and let it count as done."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLabel

from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.training.drawn_file import DrawnFile
from napari_copnet.gui.training.outline_key import OutlineKey
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.training.project_section import (
    SIGNS,
    ProjectSection,
    doubts_left,
)
from napari_copnet.gui.training.reviewed_box import ReviewedBox
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.gui.widgets.controls import canvas_button, named, row
from napari_copnet.gui.widgets.dock_section import Mark, quiet_label
from napari_copnet.gui.widgets.lazy_rows import Rows, RowsView
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching.project import DONE, Project
from napari_copnet.teaching.slice_check import ISLAND, Finding, check_slice, without_islands

_PURPOSE = "Correct the contours of a slice; it is checked before it counts as done."
_TOOLS = (
    ("outline", "Outline"),
    ("erase cell", "Erase cell"),
    ("draw", "Draw"),
    ("erase", "Erase"),
    ("gap", "Close gap"),
)


class ReviewSection(ProjectSection):
    """The slice in view: its tools, its state, and what seems wrong with it.

    Takes what a `ProjectSection` takes but number, title and purpose.

    Attributes
    ----------
    findings : list of Finding
        Of the slice that was checked last.
    outline : OutlineKey
    box : ReviewedBox
    file : DrawnFile
    noted : Signal
        A sentence for the user.
    """

    noted = Signal(str)

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
            "Draw the outline of this cell from the previous (or next) slice here: press O with "
            "the mouse over it, or press this button and click.",
        )
        self.outline = OutlineKey(link, compute)
        self.outline_button.clicked.connect(lambda: self.outline.ask())
        self.outline.failed.connect(self.failed.emit)
        buttons = list(self.tools.values())
        self.add(row(*buttons[:2], self.outline_button))
        self.add(row(*buttons[2:]))
        self.file = DrawnFile(link, compute)
        self.file_button = canvas_button(
            "From a file …",
            "annotate_file",
            "Take the cells or contours of another program (Fiji, Cellpose, webKnossos, ilastik): "
            "of one slice into the slice in view, or all that a whole stack has.",
        )
        self.labelled_only = named(
            QCheckBox("Only what is labelled"),
            "labelled_only",
            "What has no label was not annotated; otherwise it is background.",
        )
        self.file.taken.connect(self.noted.emit)
        self.file.failed.connect(self.failed.emit)
        self.file_button.clicked.connect(
            lambda: self.file.ask(self, self.labelled_only.isChecked())
        )
        self.clear_button = canvas_button(
            "Clear slice",
            "annotate_clear",
            "Remove all contours of the slice in view, where drawing them takes less than "
            "correcting them; Ctrl+Z brings them back.",
        )
        self.clear_button.clicked.connect(lambda: self.clear())
        self.add(row(self.clear_button, self.file_button, self.labelled_only, spare=True))
        self.part_button = canvas_button(
            "Only the part in view",
            "part",
            "Zoom in on the part that you corrected: pixels outside the view are left out of "
            "training.",
        )
        self.whole_button = canvas_button(
            "Whole slice", "whole", "Mark the whole slice as reviewed."
        )
        self.box_button = canvas_button(
            "Only a box",
            "reviewed_box",
            "Drag a box over what you corrected (Shift adds one to those there are); the rest is "
            "darkened and left out of training.",
        )
        self.box = ReviewedBox(link)
        self.box.drawn.connect(self._take_box)
        self.box_button.clicked.connect(lambda: self.box.ask())
        self.part_row = row(
            QLabel("Reviewed:"), self.whole_button, self.part_button, self.box_button
        )
        self.add(self.part_row)
        self.done_button = canvas_button(
            "Done", "slice_done", "Check this slice and mark it as done."
        )
        self.despite_button = canvas_button(
            "Done anyway", "slice_despite", "Mark it as done although the checks found something."
        )
        self.islands_button = canvas_button(
            "Remove tiny islands",
            "slice_islands",
            "Turn tiny pieces of contour into cell, and tiny pieces of cell into contour, and "
            "check again.",
        )
        self.reopen_button = canvas_button(
            "Work on it again", "slice_reopen", "Reopen the slice for editing."
        )
        self.add(
            row(self.done_button, self.islands_button, self.despite_button, self.reopen_button)
        )
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
        self.islands_button.clicked.connect(lambda: self.remove_islands())
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

    def clear(self) -> None:
        """Remove all contours of the slice in view, as one edit."""
        project, z = self._link.project, self._link.z
        if project is not None and z is not None:
            self._link.controller.layers.take_strokes()
            self._do(lambda: project.draw(z, np.zeros(project.shape[1:], bool)))

    def remove_islands(self) -> None:
        """Remove the tiny islands of the slice that was checked, as one edit, and check again."""
        project, z = self._link.project, self._link.z
        if project is None or z is None or z != self._checked:
            return
        self._link.controller.layers.take_strokes()
        contour, out = project.to_check(z)

        def take(cleared: np.ndarray) -> None:
            same = np.array_equal(contour, project.session.contour[z])
            if self._link.project is project and same:
                self._do(lambda: project.draw(z, cleared))
            if self._link.z == z:
                self.finish()

        self._compute("islands", lambda: _cleared(contour, out)).finished.connect(take)

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

    def release(self) -> None:
        """Give back keys, the mouse and the layers."""
        self.outline.release()
        self.box.release()
        controller = self._link.controller
        if controller is not None:
            self._show_reviewed(controller.layers, None)

    def _take_box(self, z: int, box: np.ndarray, more: bool) -> None:
        project = self._link.project
        if project is not None:
            whole = box | project.reviewed(z) if more and project.slice(z).part else box
            self._do(lambda: project.set_reviewed(z, whole))

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
        if project is not None:
            parts = [at for at in project.chosen if project.slice(at).part]
            self._show_reviewed(self._link.controller.layers, project if parts else None)
        is_done = False
        if project is None or z is None:
            self.state.setText("")
            self.tell(Mark.WAITING, _PURPOSE, "Needs a session.")
        else:
            state = project.state(z)
            entry = project.slice(z)
            is_done = state == DONE
            part = ", a part of it" if entry.part else ""
            self.state.setText(f"<b>Slice {z + 1}</b>&nbsp; {SIGNS[state]} {state}{part}")
            if self.findings:
                count = len(self.findings)
                doubts = "1 place seems" if count == 1 else f"{count} places seem"
                self.tell(Mark.CHANGED, f"{doubts} wrong:", "correct them, or press Done anyway.")
            elif is_done:
                left = f", {doubts_left(entry.left)}" if entry.left else ""
                self.tell(
                    Mark.DONE, f"Slice {z + 1} is done{left}.", "Next: another slice, or train."
                )
            else:
                self.tell(Mark.READY, _PURPOSE)
        for button in (
            *self.tools.values(),
            self.outline_button,
            self.clear_button,
            self.part_button,
            self.box_button,
            self.whole_button,
            self.file_button,
        ):
            button.setEnabled(writable)
        self.done_button.setEnabled(writable and not is_done)
        self.despite_button.setVisible(bool(self.findings))
        self.islands_button.setVisible(any(one.kind == ISLAND for one in self.findings))
        self.reopen_button.setVisible(is_done)
        self.reopen_button.setEnabled(writable)
        self.table.setVisible(bool(self.findings))
        self.hint.setVisible(bool(self.findings))
        self.rows.renew()

    @staticmethod
    def _show_reviewed(layers: Any, project: Project | None) -> None:
        """Darken what was not reviewed; nothing without a project."""

        def reviewed(z: int) -> np.ndarray | None:
            return None if project is None or not project.slice(z).part else project.reviewed(z)

        if project is not None or layers.areas.reviewed is not None:
            layers.areas.reviewed = None if project is None else reviewed
            layers.renew_areas()

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


def _cleared(contour: np.ndarray, out: np.ndarray | None) -> Steps[np.ndarray]:
    """Remove the tiny islands of a slice as a step."""
    yield Progress("islands", 0, 1, "slices")
    return without_islands(contour, excluded=out)
