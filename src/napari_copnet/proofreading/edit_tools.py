"""The proofreading tools: each turns a gesture into an edit, in one slice or a range.

Each function looks at a session and returns an `Edit` for `Session.apply`; nothing is changed
here. `slices` names the slices to work on, the one that was clicked first. A tool that means a
cell finds it in the other slices by its links; slices where a tool finds nothing to do are left
out, and when that are all, it raises `CopnetError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from napari_copnet.boundaries.components import connected8
from napari_copnet.errors import CopnetError
from napari_copnet.proofreading import paths
from napari_copnet.proofreading.edits import CONTOUR, MARKS, Change, Edit, Flip, Patch, Relink
from napari_copnet.proofreading.paths import Point
from napari_copnet.proofreading.session_view import SessionView
from napari_copnet.proofreading.slice_names import named
from napari_copnet.steps.iteration_history import contour_after


def close_gap(session: SessionView, slices: Sequence[int], points: Sequence[Point]) -> Edit:
    """Close a gap along the least-cost path over the contour probability.

    Parameters
    ----------
    session : SessionView
    slices : sequence of int
    points : sequence of (y, x)
        One click into the gap, or clicks along it from contour to contour.
    """

    def path(z: int) -> np.ndarray:
        contour, probability = session.contour[z], session.probability(z)
        if len(points) == 1:
            found = paths.across(contour, probability, points[0])
        else:
            found = paths.through(contour, probability, points)
        return _pixels(session, found) & (contour == 0)

    return contour_edit("close gap", session, slices, path, "There is no gap here.")


def parts_cells(session: SessionView, edit: Edit) -> bool:
    """Return whether contour that an edit draws divides a cell in one of its slices."""
    for flip in edit.flips:
        contour, patch = session.contour[flip.patch.z], flip.patch
        points = np.argwhere(patch.mask) + np.array([patch.top, patch.left])
        if paths.parts(contour, points):
            return True
    return False


def draw(
    session: SessionView, slices: Sequence[int], points: Sequence[Point], width: int = 1
) -> Edit:
    """Draw contour along a line."""
    line = paths.stroke(session.shape[1:], points, width)
    return contour_edit(
        "draw",
        session,
        slices,
        lambda z: line & (session.contour[z] == 0),
        "This is already contour.",
    )


def erase(
    session: SessionView, slices: Sequence[int], points: Sequence[Point], width: int = 1
) -> Edit:
    """Erase contour along a line."""
    line = paths.stroke(session.shape[1:], points, width)
    return contour_edit(
        "erase",
        session,
        slices,
        lambda z: line & (session.contour[z] > 0),
        "There is no contour here.",
    )


def painted(session: SessionView, z: int, contour: np.ndarray, tool: str = "draw") -> Edit:
    """Return the edit that turns a slice's contour into a painted one, shape (Y, X)."""
    change = (contour > 0) != session.contour[z].view(bool)
    return Edit(tool, _flips(CONTOUR, z, change))


def split(session: SessionView, slices: Sequence[int], points: Sequence[Point]) -> Edit:
    """Split a cell along a line; ends inside the cell are extended to the contour ahead."""
    line = paths.stroke(session.shape[1:], points)
    inside = session.ids(slices[0])[line]
    if not inside.any():
        raise CopnetError("There is no cell under the line.", "Draw the line through a cell.")
    cell_id = int(np.bincount(inside[inside > 0]).argmax())

    def cut(z: int) -> np.ndarray:
        contour, probability = session.contour[z], session.probability(z)
        cell = np.isin(session.ids(z), same_cell(session, cell_id, z))
        mask = line.copy()
        for end, before in ((points[0], points[1]), (points[-1], points[-2])):
            ahead = (end[0] - before[0], end[1] - before[1])
            row, column = (int(np.rint(value)) for value in end)
            if 0 <= row < cell.shape[0] and 0 <= column < cell.shape[1] and cell[row, column]:
                mask |= _pixels(session, paths.to_contour(contour, probability, end, ahead))
        mask &= cell & (contour == 0)
        return mask if paths.parts(contour, np.argwhere(mask)) else np.zeros_like(mask)

    if len(points) < 2:
        raise CopnetError(
            "A line needs two points.", "Draw it from one side of the cell to the other."
        )
    return contour_edit("split", session, slices, cut, "The line does not split the cell.")


def merge(session: SessionView, slices: Sequence[int], first: Point, second: Point) -> Edit:
    """Merge two cells: erase the contour between them."""
    z = slices[0]
    one, other = clicked(session, z, first), clicked(session, z, second)
    if one == other:
        raise CopnetError("Both clicks are in the same cell.", "Click two cells.")

    def wall(at: int) -> np.ndarray:
        ones, others = same_cell(session, one, at), same_cell(session, other, at)
        mask = np.zeros(session.shape[1:], bool)
        for a in ones:
            for b in others:
                if a != b:
                    mask |= paths.wall_between(
                        session.contour[at], session.ids(at), a, b, session.excluded(at)
                    )
        return mask

    return contour_edit("merge", session, slices, wall, "The two cells are not neighbours.")


def delete_cell(session: SessionView, slices: Sequence[int], point: Point) -> Edit:
    """Delete a cell: its pixels become contour."""
    return _cell_edit("delete cell", session, slices, point, lambda _, cell: cell)


def fill(session: SessionView, slices: Sequence[int], point: Point) -> Edit:
    """Fill the holes of a cell: contour inside it that encloses no other cell is erased."""

    def holes(z: int, cell: np.ndarray) -> np.ndarray:
        return holes_of(cell, session.contour[z] > 0, session.ids(z))

    return _cell_edit("fill", session, slices, point, holes, "The cell has no holes.")


def holes_of(cell: np.ndarray, contour: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return the contour inside a cell that encloses no other cell.

    Parameters
    ----------
    cell, contour : ndarray, shape (Y, X), bool
    cells : ndarray, shape (Y, X), unsigned int

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    enclosed = ndimage.binary_fill_holes(cell) & ~cell
    islands = connected8(enclosed)
    nested = np.unique(islands[cells > 0])
    return enclosed & ~np.isin(islands, nested[nested > 0]) & contour


def mark(session: SessionView, slices: Sequence[int], region: np.ndarray, kind: str | None) -> Edit:
    """Mark an area as one without cells, or clear its marks.

    Parameters
    ----------
    session : SessionView
    slices : sequence of int
    region : ndarray, shape (Y, X), bool
        For instance from `inside`.
    kind : str or None
        One of `edits.MARKS`; an area has one mark at a time. None clears.
    """
    if kind is not None and kind not in MARKS:
        raise CopnetError(f"There is no mark {kind!r}.", f"Choose one of {', '.join(MARKS)}.")
    return _mark_edit(session, {z: region for z in slices}, kind)


def mark_cell(session: SessionView, slices: Sequence[int], point: Point, kind: str) -> Edit:
    """Mark a cell, such as the lumen of a vessel, as an area without cells."""
    cell_id = clicked(session, slices[0], point)
    return _mark_edit(
        session,
        {z: np.isin(session.ids(z), same_cell(session, cell_id, z)) for z in slices},
        kind,
    )


def freeze(session: SessionView, slices: Sequence[int], region: np.ndarray, iteration: int) -> Edit:
    """Restore the contour of a region as it was after an earlier iteration.

    Parameters
    ----------
    session : SessionView
    slices : sequence of int
    region : ndarray, shape (Y, X), bool
    iteration : int
        0 for Step 1.

    Raises
    ------
    CopnetError
        The run did not keep its iterations, or had fewer; or nothing would change.
    """
    iterations = session.iterations
    if iterations is None:
        raise CopnetError(
            "The run did not keep its iterations.", "Run the stack again with Keep iterations."
        )
    if not 0 <= iteration < len(iterations):
        raise CopnetError(
            f"There is no iteration {iteration}.", f"Choose one from 0 to {len(iterations) - 1}."
        )
    unite = session.unite
    return contour_edit(
        "freeze",
        session,
        slices,
        lambda z: (
            region
            & (contour_after(iterations, iteration, z, unite) != session.contour[z].view(bool))
        ),
        "The contour is already that of this iteration.",
    )


def link(session: SessionView, first: tuple[int, Point], second: tuple[int, Point]) -> Edit:
    """Link two slice cells, each given by (slice, (y, x)): they are one cell from now on."""
    one, other = clicked(session, *first), clicked(session, *second)
    if other in session.links.together(one):
        raise CopnetError("These are already one cell.", "Click two different cells.")
    change = Relink(added=((min(one, other), max(one, other)),))
    return Edit(f"link{_between(first[0], second[0])}", (change,))


def unlink(session: SessionView, first: tuple[int, Point], second: tuple[int, Point]) -> Edit:
    """Separate a cell into two between two of its slice cells, each given by (slice, (y, x)).

    All links of the cell that lead across the middle between the two slices go; of two slice
    cells in one slice, the second loses its links.
    """
    one, other = clicked(session, *first), clicked(session, *second)
    cell = session.links.together(one)
    if one == other or other not in cell:
        raise CopnetError("These are not the same cell.", "Click the same cell in two slices.")
    low, high = sorted((session.slice_of(one), session.slice_of(other)))
    if low == high:
        removed = {(min(other, near), max(other, near)) for near in session.links.near(other)}
    else:
        middle = (low + high) / 2
        removed = {
            (cell_id, near)
            for cell_id in cell
            for near in session.links.near(cell_id)
            if cell_id < near
            and (session.slice_of(cell_id) <= middle) != (session.slice_of(near) <= middle)
        }
    return Edit(f"unlink{_between(first[0], second[0])}", (Relink(removed=tuple(sorted(removed))),))


def _between(first: int, second: int) -> str:
    return f", {named((first, second), 'and')}"


def inside(shape: tuple[int, ...], corners: Sequence[Point]) -> np.ndarray:
    """Return the pixels inside a polygon, shape (Y, X), bool."""
    return polygon2mask(shape[-2:], np.asarray(corners))


# Helpers ---------------------------------------------------------------------


def contour_edit(
    tool: str,
    session: SessionView,
    slices: Sequence[int],
    change: Callable[[int], np.ndarray],
    nothing: str,
) -> Edit:
    """Make an edit of the pixels to flip in each slice; of several slices, where it can be done."""
    changes: list[Change] = []
    problem: CopnetError | None = None
    for z in slices:
        if not 0 <= z < session.shape[0]:
            raise CopnetError(
                f"There is no slice {z + 1}.", f"Choose from 1 to {session.shape[0]}."
            )
        try:
            changes += _flips(CONTOUR, z, change(z))
        except CopnetError as error:
            problem = problem or error
    if not changes:
        raise problem or CopnetError(nothing, "Check the closed contour there.")
    return Edit(tool, tuple(changes))


def _cell_edit(
    tool: str,
    session: SessionView,
    slices: Sequence[int],
    point: Point,
    change: Callable[[int, np.ndarray], np.ndarray],
    nothing: str = "There is no such cell.",
) -> Edit:
    cell_id = clicked(session, slices[0], point)

    def of_slice(z: int) -> np.ndarray:
        cell = np.isin(session.ids(z), same_cell(session, cell_id, z))
        return change(z, cell)

    return contour_edit(tool, session, slices, of_slice, nothing)


def _mark_edit(session: SessionView, regions: dict[int, np.ndarray], kind: str | None) -> Edit:
    changes: list[Change] = []
    for z, region in regions.items():
        for plane, bit in MARKS.items():
            marked = session.marks[z] & bit > 0
            changes += _flips(plane, z, region & (marked != (plane == kind)))
    if not changes:
        raise CopnetError("The area already has this mark.", "Choose another area or mark.")
    return Edit(f"mark {kind}" if kind else "clear marks", tuple(changes))


def _flips(plane: str, z: int, change: np.ndarray) -> tuple[Flip, ...]:
    return (Flip(plane, Patch.of(z, change)),) if change.any() else ()


def _pixels(session: SessionView, path: np.ndarray) -> np.ndarray:
    mask = np.zeros(session.shape[1:], bool)
    mask[tuple(path.T)] = True
    return mask


def clicked(session: SessionView, z: int, point: Point) -> int:
    """Return the id of the slice cell at a point (y, x).

    Raises
    ------
    CopnetError
        There is none.
    """
    y, x = (int(np.rint(value)) for value in point)
    depth, height, width = session.shape
    if 0 <= z < depth and 0 <= y < height and 0 <= x < width:
        cell_id = session.id_at(z, y, x)
        if cell_id:
            return cell_id
    raise CopnetError("There is no cell where you clicked.", "Click inside a cell.")


def same_cell(session: SessionView, cell_id: int, z: int) -> list[int]:
    """Return the ids in slice z of the cell that `cell_id` belongs to."""
    if session.slice_of(cell_id) == z:
        return [cell_id]
    return sorted(session.links.together(cell_id) & session.present(z))
