"""The part of the tour that proofreads: every tool by real mouse and key events, a picture of each.

Usage: python scripts/tour_proofread.py [--data FOLDER] [--out FOLDER]

It begins with the run of the workflow dock. By itself it makes that run first.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tour_window import Tour, clear_photos, options, stack_file

PREFIX = "proofread"
Point = tuple[int, int]


class Reviewer:
    """A hand at the proofreading dock: tools at pixels (y, x) of the session."""

    def __init__(self, tour: Tour, dock: Any) -> None:
        self.tour, self.dock = tour, dock

    @property
    def session(self) -> Any:
        """The open session."""
        return self.dock.session

    @property
    def z(self) -> int:
        """The slice in view."""
        return self.dock.controller.layers.z

    def key(self, key: Qt.Key) -> None:
        """Press a key over the canvas."""
        QTest.keyClick(self.tour.canvas, key)
        self.tour.wait(0.2)

    def look(self, z: int, point: Point, size: float = 45) -> None:
        """Bring a place into view."""
        layer = self.dock.controller.layers.contour
        self.tour.look_at(layer, z, point, max(140.0, 3 * size))
        self.tour.wait(0.3)

    def world(self, point: Point) -> tuple[float, float]:
        """Return where a pixel lies."""
        return tuple(self.dock.controller.layers.contour.data_to_world((self.z, *point))[-2:])

    def click(self, point: Point) -> None:
        """Click a pixel."""
        place = self.tour.on_canvas(self.world(point)).toPoint()
        QTest.mouseMove(self.tour.canvas, place)
        self.tour.wait(0.1)
        QTest.mouseClick(self.tour.canvas, Qt.MouseButton.LeftButton, pos=place)
        self.tour.wait(0.3)

    def drag(self, start: Point, end: Point) -> None:
        """Draw from one pixel to another."""
        self.tour.drag(self.world(start), self.world(end), steps=30)

    def done(self, name: str, edits: int) -> None:
        """Take a picture and check that so many edits were made."""
        self.tour.photo(name)
        made = self.session.history.position
        assert made == edits, f"{name}: {made} edits instead of {edits}; {self.dock.message.text}"


def walk(tour: Tour, folder: Path) -> None:
    """Proofread what the workflow dock has made."""
    tour.prefix, tour.number = PREFIX, 0
    tour.command("COp-Net proofreading")
    dock = tour.docked("COp-Net proofreading")
    tour.photo("begin")
    tour.press_next("Correct the cells")
    tour.until(lambda: dock.session is not None, "the session opens")
    session = dock.session.folder
    tour.until(lambda: dock.tasks.job is None, "the queue is there")
    reviewer = Reviewer(tour, dock)
    tour.photo("session")
    use_queue(reviewer)
    use_tools(reviewer)
    use_history(reviewer, folder)
    position = dock.session.history.position
    # It is the run that the session has, which the dock does not offer again.
    dock.take_run()
    tour.until(lambda: dock.session is None, "the session is let go")
    tour.until(lambda: dock.session is not None, "it opens with the new run")
    assert len(dock.session.facts.runs) == 2
    assert dock.session.history.position >= position
    tour.photo("new-run")
    tour.until(lambda: dock.session.is_saved, "all is saved", 10)
    position = dock.session.history.position
    tour.press(dock.close_button)
    tour.answer_dialog(session)
    tour.press(dock.open_button)
    tour.until(lambda: dock.session is not None, "it opens again")
    assert dock.session.history.position == position
    tour.until(lambda: dock.tasks.job is None, "the queue is there again")
    tour.photo("reopened")


def use_queue(reviewer: Reviewer) -> None:
    """Walk the queue with keys: accept one item, reject the next, take that back."""
    dock, session = reviewer.dock, reviewer.session
    assert len(dock.controller.queue.state.shown) >= 2, "the queue is too short for the tour"
    reviewer.key(Qt.Key.Key_N)
    assert dock.question.text()
    reviewer.tour.photo("queue-item")
    reviewer.key(Qt.Key.Key_Return)
    reviewer.tour.until(lambda: not dock.controller.queue.is_showing, "the next item is asked")
    reviewer.key(Qt.Key.Key_Backspace)
    # A wall is decided on in all slices that it goes through.
    assert {v.verdict for v in session.verdicts.values()} == {"accepted", "rejected"}
    reviewer.done("queue-decided", 2)
    reviewer.key(Qt.Key.Key_U)
    assert {v.verdict for v in session.verdicts.values()} == {"accepted"}
    reviewer.key(Qt.Key.Key_U)


def use_tools(reviewer: Reviewer) -> None:
    """Use every tool once."""
    dock, session, tour = reviewer.dock, reviewer.session, reviewer.tour
    z = session.shape[0] // 2
    left, right = neighbours(session, z)
    wall = (left[0], (left[1] + right[1]) // 2)
    reviewer.look(z, wall)

    def apart() -> bool:
        return session.id_at(z, *left) != session.id_at(z, *right)

    reviewer.key(Qt.Key.Key_E)
    reviewer.drag(left, right)
    assert not apart()
    reviewer.done("erase", 1)
    reviewer.key(Qt.Key.Key_G)
    reviewer.click(wall)
    reviewer.done("close-gap-preview", 1)
    reviewer.key(Qt.Key.Key_Return)
    assert apart()
    reviewer.done("close-gap", 2)
    reviewer.key(Qt.Key.Key_M)
    reviewer.click(left)
    reviewer.click(right)
    assert not apart()
    reviewer.done("merge", 3)
    for _ in range(3):
        reviewer.key(Qt.Key.Key_U)
    assert apart()
    assert session.history.position == 0

    top, bottom = cut(session, z, left)
    reviewer.key(Qt.Key.Key_S)
    reviewer.drag(top, bottom)
    reviewer.done("split", 1)
    reviewer.key(Qt.Key.Key_D)
    middle = inner(session, z, right)
    reviewer.look(z, middle)
    reviewer.click(middle)
    reviewer.done("draw", 2)
    reviewer.key(Qt.Key.Key_F)
    reviewer.click((middle[0] + 5, middle[1]))
    assert not session.contour[(z, *middle)], dock.message.text
    reviewer.done("fill", 3)
    reviewer.look(z, wall)
    reviewer.key(Qt.Key.Key_X)
    reviewer.click(right)
    assert session.contour[(z, *right)]
    reviewer.done("delete", 4)
    reviewer.key(Qt.Key.Key_U)
    for name in ("vessel", "haemorrhage", "background"):
        tour.press(dock.tool_buttons[name])
        reviewer.click(right)
        assert session.id_at(z, *right) == 0
        reviewer.done(f"mark-{name}", 4)
        reviewer.key(Qt.Key.Key_U)
    use_neighbours(reviewer, z, right)
    tour.press(dock.ranged)
    tour.press(dock.tool_buttons["erase"])
    reviewer.drag(left, right)
    reviewer.done("erase-in-a-range", 4)
    tour.press(dock.ranged)
    if dock.tool_buttons["freeze"].isEnabled():
        reviewer.key(Qt.Key.Key_I)
        (height, width), at = session.shape[1:], reviewer
        at.look(z, (height // 2, width // 2), max(height, width) / 3)
        at.drag((height // 8, width // 8), (height - height // 8, width - width // 8))
        reviewer.done("freeze", 5)
        reviewer.key(Qt.Key.Key_U)
    reviewer.look(z, wall)
    across(reviewer, z, left)
    see_in_3d(reviewer, z, left)
    look_back(reviewer, z, wall)


def use_neighbours(reviewer: Reviewer, z: int, point: Point) -> None:
    """Mark a cell and take the same mark for one of the next slices; leave the others out."""
    dock, session, tour = reviewer.dock, reviewer.session, reviewer.tour
    made = session.history.position
    reviewer.key(Qt.Key.Key_V)
    reviewer.click(point)
    tour.until(dock.same_fix.isVisible, "the same fix is offered", 60)
    reviewer.done("same-fix-offered", made + 1)
    reviewer.key(Qt.Key.Key_T)
    other = reviewer.z
    assert other != z
    assert not session.marks[other].any()
    reviewer.done("same-fix-looked-at", made + 1)
    reviewer.key(Qt.Key.Key_Return)
    while dock.same_fix.isVisible():
        reviewer.key(Qt.Key.Key_Backspace)
    assert reviewer.z == z
    assert session.marks[other].any()
    assert {at for at in range(session.shape[0]) if session.marks[at].any()} == {z, other}
    reviewer.done("same-fix-taken", made + 2)
    reviewer.key(Qt.Key.Key_U)
    assert not session.marks[other].any()
    reviewer.key(Qt.Key.Key_U)


def see_in_3d(reviewer: Reviewer, z: int, point: Point) -> None:
    """Show a cell in 3D and go back."""
    tour = reviewer.tour
    reviewer.look(z, point)
    reviewer.key(Qt.Key.Key_C)
    reviewer.click(point)
    tour.until(lambda: tour.viewer.dims.ndisplay == 3, "the cell is shown in 3D", 60)
    tour.wait(1.0)
    tour.photo("in-3d")
    reviewer.key(Qt.Key.Key_Escape)
    assert tour.viewer.dims.ndisplay == 2
    assert reviewer.z == z


def _was_closed(session: Any, item: Any) -> bool:
    """Whether closing made the wall of an item: open in Step 1, and closed at the end."""
    patch = item.patch
    first, last = (
        np.asarray(session.iterations[at, patch.z], np.float32)[patch.box][patch.mask].mean()
        for at in (0, -1)
    )
    return first <= 0.5 < last


def look_back(reviewer: Reviewer, z: int, wall: Point) -> None:
    """Click a contour: when was it closed; look at that iteration, and at all slices."""
    dock, session, tour = reviewer.dock, reviewer.session, reviewer.tour
    if session.iterations is None:
        return
    drawn = np.argwhere(session.contour[z])
    closed = []
    for item in dock.controller.queue.state.items:
        if item.kind == "closure" and _was_closed(session, item):
            closed.append(item)
    if closed:
        item = closed[0]
        corner = np.array([item.patch.top, item.patch.left])
        z, drawn = item.z, np.argwhere(item.patch.mask) + corner
        wall = tuple(int(v) for v in item.centre)
    nearest = drawn[((drawn - wall) ** 2).sum(axis=1).argmin()]
    at = (int(nearest[0]), int(nearest[1]))
    reviewer.look(z, at)
    reviewer.click(at)
    assert dock.birth.text(), dock.question.text()
    tour.photo("closed-when")
    if dock.see_button.isVisible():
        tour.press(dock.see_button)
        assert dock.tabs.currentWidget() is dock.iteration_tab
        assert dock.controller.iteration_review.layer.visible
        tour.photo("iteration")
        tour.press(dock.iteration_tab.show_iteration)
    dock.tabs.setCurrentIndex(0)


def across(reviewer: Reviewer, z: int, point: Point) -> None:
    """Part a cell between two slices, and link the parts again."""
    session, made = reviewer.session, reviewer.session.history.position
    below = z + 1
    linked = session.cells(z)[point] == session.cells(below)[point] > 0
    for key in (Qt.Key.Key_K, Qt.Key.Key_L) if linked else (Qt.Key.Key_L, Qt.Key.Key_K):
        reviewer.look(z, point)
        reviewer.key(key)
        reviewer.click(point)
        reviewer.look(below, point)
        reviewer.click(point)
        made += 1
        reviewer.done("link" if key == Qt.Key.Key_L else "unlink", made)


def use_history(reviewer: Reviewer, folder: Path) -> None:
    """Jump in the list of edits and export it."""
    dock, tour = reviewer.dock, reviewer.tour
    dock.tabs.setCurrentIndex(1)
    tour.wait(0.3)
    view = dock.history_view
    last = view.model().rowCount() - 1
    for row in (1, last):
        view.scrollTo(view.model().index(row, 0))
        tour.wait(0.2)
        place = view.visualRect(view.model().index(row, 1)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        tour.wait(0.3)
        assert reviewer.session.history.position == row
        tour.photo("history" if row == last else "history-jump")
    table = folder / "edits.csv"
    tour.answer_dialog(table)
    tour.press(dock.export_button)
    tour.until(table.exists, "the list is exported", 20)
    dock.tabs.setCurrentIndex(0)


# Places -----------------------------------------------------------------------


def neighbours(session: Any, z: int) -> tuple[Point, Point]:
    """Return a pixel in each of two large cells, in one row, with a thin wall between them."""
    names = session.ids(z)
    areas = np.bincount(names.ravel())
    height, width = names.shape
    best: tuple[int, Point, Point] | None = None
    for y in range(height // 5, height - height // 5, 3):
        row = names[y]
        for x in range(width // 5, width - width // 5):
            for thick in range(4, 11):
                a, b = int(row[x]), int(row[x + thick])
                # Two pixels of cell on either side of the wall.
                if not a or not b or a == b or row[x - 4] != a or row[x + thick + 4] != b:
                    continue
                size = int(min(areas[a], areas[b]))
                if best is None or size > best[0]:
                    best = size, (y, x - 3), (y, x + thick + 3)
                break
    assert best is not None, "no two neighbours in this slice"
    return best[1], best[2]


def cut(session: Any, z: int, point: Point) -> tuple[Point, Point]:
    """Return the ends, inside the cell, of a vertical line through its middle."""
    cell = session.ids(z) == session.id_at(z, *point)
    columns = np.flatnonzero(cell.any(axis=0))
    x = int(columns[len(columns) // 2])
    rows = np.flatnonzero(cell[:, x])
    return (int(rows[0]), x), (int(rows[-1]), x)


def inner(session: Any, z: int, point: Point) -> Point:
    """Return the pixel of a cell that is farthest from its border."""
    from scipy import ndimage

    cell = session.ids(z) == session.id_at(z, *point)
    depth = ndimage.distance_transform_edt(np.pad(cell, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y), int(x)


def main() -> None:
    """Make a run and proofread it."""
    given = options(__doc__).parse_args()
    clear_photos(given.out, PREFIX)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tour = Tour(given.out)
        panel = tour.open_stack(stack_file(given.data, folder))
        tour.type_into(panel.sections["preprocess"].form.rows["size"].native, "256")
        tour.press_next("Run")
        tour.until(lambda: panel.job is None, "the run ends", 500)
        walk(tour, folder)
        tour.dock.shut_down()
        tour.viewer.close()


if __name__ == "__main__":
    main()
