"""A line that is being drawn by clicks and by dragging, until it is closed or ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.gui.proofreading.overlays import Overlays
from napari_copnet.proofreading import outlines
from napari_copnet.proofreading.edits import Edit
from napari_copnet.proofreading.paths import Point
from napari_copnet.proofreading.session import Session

# A click so near to a point of the line means that point, in pixels of the screen.
NEAR_PX = 8.0


class LineInHand:
    """The pieces of a line in one slice, each what one click or one drag added.

    Parameters
    ----------
    session : Session
    marks : Overlays
        Where the line is shown.
    """

    def __init__(self, session: Session, marks: Overlays) -> None:
        self.session, self.marks = session, marks
        self.z = 0
        self._pieces: list[np.ndarray] = []

    @property
    def is_begun(self) -> bool:
        """Whether there is a line."""
        return bool(self._pieces)

    def click(self, z: int, point: Point) -> bool:
        """Lead the line on to a point; return whether that closes it: where it begins, it does.

        Raises
        ------
        CopnetError
            The line was begun in another slice.
        """
        self._begin(z)
        if not self._pieces:
            self._add(np.array([point]))
            return False
        near = self.marks.of_screen(NEAR_PX)
        first, last = self._pieces[0][0], self._pieces[-1][-1]
        was_away = np.hypot(*(self.points - first).T).max() > near
        if was_away and np.hypot(*(first - point)) <= near:
            # However near to it the corner before is.
            return True
        if np.hypot(*(last - point)) <= near:
            # The second of two quick clicks.
            return False
        self._add(outlines.span(self.session.probability(z), tuple(last), point))
        return False

    def drag(self, z: int, points: Sequence[Point]) -> bool:
        """Add a free-hand stroke; return whether it comes back to the beginning of the line.

        Raises
        ------
        CopnetError
            The line was begun in another slice.
        """
        self._begin(z)
        drawn = np.array(points, float)
        if self._pieces:
            last = self._pieces[-1][-1]
            drawn = np.concatenate(
                [outlines.span(self.session.probability(z), tuple(last), points[0]), drawn]
            )
        self._add(drawn)
        away = np.hypot(*(self.points - self._pieces[0][0]).T)
        near = self.marks.of_screen(NEAR_PX)
        return bool(away[-1] <= near < away.max())

    def show(self, z: int, points: Sequence[Point] = ()) -> None:
        """Show the line, and a stroke that is not part of it yet."""
        more = [np.array(points, float)] if len(points) else []
        pieces = [*self._pieces, *more]
        self.marks.line(z, np.concatenate(pieces) if pieces else np.zeros((0, 2)))

    def back(self) -> bool:
        """Take the last piece away; return whether there was one."""
        if not self._pieces:
            return False
        self._pieces.pop()
        self.show(self.z)
        return True

    def drop(self) -> bool:
        """Take all of the line away; return whether there was any."""
        begun = self.is_begun
        self._pieces = []
        if begun:
            self.show(self.z)
        return begun

    @property
    def points(self) -> np.ndarray:
        """All of the line, shape (N, 2)."""
        return np.concatenate(self._pieces) if self._pieces else np.zeros((0, 2))

    def edit(self, slices: Sequence[int], came_back: bool = False) -> Edit:
        """Return what the line draws: a wall where both its ends meet contour, else a cell.

        Parameters
        ----------
        slices : sequence of int
            To draw it in, the one in which it was drawn first.
        came_back : bool
            It was led back to its beginning, and so makes a cell, whatever its ends meet.

        Raises
        ------
        CopnetError
            It encloses nothing, or is there already.
        """
        points = self.points
        contour = self.session.contour[self.z]
        ends = [outlines.joined(contour, tuple(points[at])) for at in (0, -1)]
        near = self.marks.of_screen(NEAR_PX)
        closed = came_back or np.hypot(*(points[0] - points[-1])) <= near
        if None not in ends and not closed:
            return outlines.wall(self.session, slices, [tuple(point) for point in points])
        last, first = tuple(points[-1]), tuple(points[0])
        whole = np.concatenate(
            [points, outlines.span(self.session.probability(self.z), last, first)]
        )
        return outlines.outline(self.session, slices, [tuple(point) for point in whole])

    def _begin(self, z: int) -> None:
        if self._pieces and z != self.z:
            raise CopnetError(
                f"The line was begun in slice {self.z + 1}.", "Finish it there, or press Escape."
            )
        self.z = z

    def _add(self, piece: np.ndarray) -> None:
        self._pieces.append(piece.astype(float))
        self.show(self.z)
