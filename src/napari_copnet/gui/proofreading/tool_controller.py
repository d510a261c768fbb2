"""Turn clicks, lines and strokes on the canvas into edits, using the selected tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cc3d
import numpy as np
from psygnal import Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.proofreading.line_in_hand import LineInHand
from napari_copnet.gui.proofreading.overlays import Overlays
from napari_copnet.gui.proofreading.proofreading_form import ProofreadForm
from napari_copnet.gui.proofreading.tool_list import (
    BOX,
    CELL,
    LINE,
    PAIR,
    PART,
    PREVIEW,
    SOLID,
    TRACE,
    Tool,
)
from napari_copnet.proofreading import edit_tools, outlines
from napari_copnet.proofreading.edits import CONTOUR, MARKS, Edit, Flip, Patch
from napari_copnet.proofreading.part_cell import part
from napari_copnet.proofreading.paths import Point
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.slice_names import named

Place = tuple[int, Point]


class ToolController:
    """The tool in hand, and what was begun with it.

    Parameters
    ----------
    session : Session
    marks : Overlays
        Where previews and clicks are shown.
    form : ProofreadForm
        Tells the slices to work on, and the iteration to freeze at.

    Attributes
    ----------
    tool : Tool or None
        In hand.
    pending : Edit or None
        Previewed, not made yet.
    line : LineInHand
        Drawn so far with the tool for outlines.
    made : Signal
        An edit that a tool has made.
    cell_asked : Signal
        A slice cell, by its id, to be shown in 3D.
    previewing : Signal
        Whether Enter takes a preview from now on.
    noted : Signal
        A sentence for the user.
    picked : Signal
        Slice and id of the cell that was clicked first, of two; 0 for none.
    """

    made = Signal(object)
    cell_asked = Signal(int)
    previewing = Signal(bool)
    noted = Signal(str)
    picked = Signal(int, int)

    def __init__(self, session: Session, marks: Overlays, form: ProofreadForm) -> None:
        self.session, self.marks, self.form = session, marks, form
        self.tool: Tool | None = None
        self.pending: Edit | None = None
        self.line = LineInHand(session, marks)
        self._places: list[Place] = []

    def choose(self, tool: Tool | None) -> None:
        """Take a tool in hand, or none; what was begun with the last one is dropped."""
        self.drop()
        self.tool = tool

    def click(self, place: Place, more: bool = False) -> None:
        """Use the tool at a place; `more` leads a preview on through it.

        Raises
        ------
        CopnetError
            The tool has nothing to do there.
        """
        tool = self.tool
        if tool is None:
            return
        z, point = place
        if tool.gesture == PREVIEW:
            self._preview(place, more)
        elif tool.gesture == TRACE:
            if self.line.click(z, point):
                self._close_line()
        elif tool.name == SOLID:
            self.cell_asked.emit(edit_tools.clicked(self.session, z, point))
        elif tool.gesture == CELL:
            self._do(self._cell_edit(tool.name, z, point))
        elif tool.gesture in (PAIR, LINE, BOX):
            self._pend(None)
            self._places.append(place)
            if len(self._places) < 2:
                self.marks.clicks(self._places)
                if tool.gesture == PAIR:
                    y, x = (int(np.rint(value)) for value in point)
                    self.picked.emit(z, self.session.id_at(z, y, x))
                return
            first, second = self._places
            self._forget()
            edit = self._pair_edit(tool, first, second)
            if tool.name == PART:
                self.marks.clicks([first, second])
                self._pend(edit)
            else:
                self._do(edit)

    def drag(self, start: Place, end: Place) -> None:
        """Use the tool from one place to another."""
        tool = self.tool
        self._forget()
        if tool is not None and tool.gesture in (LINE, BOX):
            self._do(self._pair_edit(tool, start, end))

    def show_stroke(self, places: Sequence[Place]) -> None:
        """Show a free-hand stroke that is being drawn."""
        self.line.show(places[0][0], [point for _, point in places])

    def trace(self, places: Sequence[Place]) -> None:
        """Add a free-hand stroke to the line in hand."""
        if self.line.drag(places[0][0], [point for _, point in places]):
            self._close_line()

    def stroke(self, changes: Mapping[int, np.ndarray], drawn: bool) -> None:
        """Make an edit of a stroke of the brush; in a range it is repeated in each slice.

        Parameters
        ----------
        changes : mapping of int to ndarray, shape (Y, X), bool
            By slice, the pixels whose contour the stroke changed. A stroke through several slices
            says itself where it goes.
        drawn : bool
            Whether they are contour now.
        """
        if len(changes) == 1:
            ((z, change),) = changes.items()
            contour = self.session.contour
            changes = {
                at: change if at == z else change & ((contour[at] > 0) != drawn)
                for at in self._slices(z)
            }
        flips = [
            Flip(CONTOUR, Patch.of(z, change)) for z, change in changes.items() if change.any()
        ]
        self._do(Edit("draw" if drawn else "erase", tuple(flips)))

    def take(self) -> bool:
        """Make the edit that is previewed; return whether there was one."""
        if self.line.is_begun:
            self._end_line()
            return True
        edit = self.pending
        if edit is None:
            return False
        self.drop()
        self._do(edit)
        return True

    def drop(self) -> bool:
        """Drop what was begun; return whether there was anything."""
        begun = self.line.drop() or self.pending is not None or bool(self._places)
        self._pend(None)
        self._forget()
        return begun

    def back(self) -> bool:
        """Take back the last step of what was begun; return whether there was anything."""
        return self.line.back() or self.drop()

    # Helpers -----------------------------------------------------------------

    def _end_line(self) -> None:
        """Draw the line in hand; one that can't be drawn stays in hand."""
        edit = self.line.edit(self._slices(self.line.z))
        self.line.drop()
        self._do(edit)

    def _close_line(self) -> None:
        """Make a cell of the line in hand, which came back to its beginning.

        Where that can't be, the line is gone too: the next click begins another.
        """
        slices = self._slices(self.line.z)
        try:
            edit = self.line.edit(slices, came_back=True)
        finally:
            self.line.drop()
        self._do(edit)

    def _do(self, edit: Edit) -> None:
        self.session.apply(edit)
        self.made.emit(edit)

    def _slices(self, z: int) -> list[int]:
        """Return the slices to work on when slice z is clicked, z first.

        Raises
        ------
        CopnetError
            A range is chosen that z is not in.
        """
        form = self.form
        if not form.ranged.isChecked():
            return [z]
        low, high = sorted((form.first.value() - 1, form.last.value() - 1))
        if not low <= z <= high:
            raise CopnetError(
                f"Slice {z + 1} is not in the chosen range of {named((low, high))}.",
                "Go to one of them, or change the range.",
            )
        return [z, *(other for other in range(low, high + 1) if other != z)]

    def _pend(self, edit: Edit | None) -> None:
        self.pending = edit
        self.marks.preview(edit)
        self.previewing.emit(edit is not None)

    def _forget(self) -> None:
        self._places = []
        self.marks.clicks([])
        self.picked.emit(0, 0)

    def _preview(self, place: Place, more: bool) -> None:
        if not (more and self._places and self._places[0][0] == place[0]):
            self._places = []
        self._places.append(place)
        self.marks.clicks(self._places)
        self._pend(None)
        points = [point for _, point in self._places]
        try:
            edit = edit_tools.close_gap(self.session, self._slices(place[0]), points)
        except CopnetError:
            # A point that leads nowhere would be in the way of the next one.
            self._places.pop()
            self.marks.clicks(self._places)
            raise
        self._pend(edit)
        if len(self._places) == 1:
            # It would hide the path.
            self.marks.clicks([])
        elif not edit_tools.parts_cells(self.session, edit):
            self.noted.emit(
                "This line does not divide a cell yet. Shift-click to continue it to contour on "
                "the other side."
            )

    def _cell_edit(self, name: str, z: int, point: Point) -> Edit:
        session, slices = self.session, self._slices(z)
        if name == "delete":
            return edit_tools.delete_cell(session, slices, point)
        if name == "fill":
            return edit_tools.fill(session, slices, point)
        if name == "erase cell":
            return outlines.erase_cell(session, slices, point)
        y, x = (int(np.rint(value)) for value in point)
        if session.marks[z, y, x] & MARKS[name]:
            areas = cc3d.connected_components(session.marks[z] & MARKS[name] > 0, connectivity=4)
            return edit_tools.mark(session, slices, areas == areas[y, x], None)
        return edit_tools.mark_cell(session, slices, point, name)

    def _pair_edit(self, tool: Tool, first: Place, second: Place) -> Edit:
        session = self.session
        if tool.name == "link":
            return edit_tools.link(session, first, second)
        if tool.name == "unlink":
            return edit_tools.unlink(session, first, second)
        if first[0] != second[0]:
            raise CopnetError(
                "The two clicks are in different slices.",
                f"Click twice in one slice to {tool.name}.",
            )
        slices = self._slices(first[0])
        if tool.name == PART:
            return part(session, slices, first[1], second[1])
        if tool.name == "merge":
            return edit_tools.merge(session, slices, first[1], second[1])
        if tool.name == "split":
            return edit_tools.split(session, slices, [first[1], second[1]])
        rows, columns = (
            slice(max(0, round(min(a, b))), round(max(a, b)) + 1)
            for a, b in zip(first[1], second[1], strict=True)
        )
        region = np.zeros(session.shape[1:], bool)
        region[rows, columns] = True
        return edit_tools.freeze(session, slices, region, self.form.iteration.value())
