"""Whole cells drawn by hand and taken away: a closed line makes one, its outline gone makes none.

A line goes as it is drawn. Between two clicks it is straight too, unless the contour probability
shows a contour from one to the other: on faint membranes a line that follows the image takes more
clicks than a straight one.
"""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np
from scipy import ndimage
from skimage.draw import line, polygon
from skimage.graph import MCP_Geometric

from napari_copnet.errors import CopnetError
from napari_copnet.proofreading import paths
from napari_copnet.proofreading.edit_tools import clicked, contour_edit, same_cell
from napari_copnet.proofreading.edits import Edit, bounding_box
from napari_copnet.proofreading.paths import Point
from napari_copnet.proofreading.session_view import SessionView

# Width of a line as `paths.stroke` takes it: three pixels.
WIDTH = 2
# An end of a line so near to contour, or to the side of the slice, is led there, px.
JOIN = 5
# What a line cuts off beside itself and is smaller becomes contour, px: it is no cell.
SLIVER = 30
# A path is sure when so large a share of it, its ends aside, has at least this probability of
# contour, and it is at most so many times as long as the straight line.
_SURE, _SHARE, _DETOUR, _ENDS = 0.5, 0.9, 1.5, 4
# Longer stretches are straight: the search would take longer than a hand waits, px.
_LONGEST = 250


def span(probability: np.ndarray, first: Point, second: Point) -> np.ndarray:
    """Return the line between two clicks: along a sure contour, or else straight.

    Parameters
    ----------
    probability : ndarray, shape (Y, X)
        Of contour, 0 to 1.
    first, second : (y, x)
        May lie beyond the slice.

    Returns
    -------
    ndarray, shape (N, 2), int
        Pixels from the first to the second; those of a straight line may lie beyond the slice.
    """
    ends = np.rint([first, second]).astype(int)
    straight = np.column_stack(line(*ends[0], *ends[1]))
    shape = np.array(probability.shape)
    if not 2 * _ENDS < len(straight) <= _LONGEST or (ends < 0).any() or (ends >= shape).any():
        return straight
    margin = max(10, len(straight) // 4)
    corner = np.maximum(ends.min(axis=0) - margin, 0)
    stop = np.minimum(ends.max(axis=0) + margin + 1, shape)
    near = np.asarray(probability[corner[0] : stop[0], corner[1] : stop[1]])
    if not (near >= _SURE).any():
        return straight
    start, end = (tuple(int(at) for at in one - corner) for one in ends)
    work = MCP_Geometric(paths.price(np.zeros(near.shape, np.uint8), near))
    work.find_costs([start], [end])
    path = np.array(work.traceback(end))
    middle = path[_ENDS:-_ENDS]
    sure = len(middle) > 0 and (near[tuple(middle.T)] >= _SURE).mean() >= _SHARE
    return path + corner if sure and len(path) <= _DETOUR * len(straight) else straight


def outline(session: SessionView, slices: Sequence[int], points: Sequence[Point]) -> Edit:
    """Draw a closed line; all it encloses becomes one cell, and contour within it goes.

    What the line cuts off between itself and contour beside it becomes contour where it is too
    small for a cell.

    Parameters
    ----------
    session : SessionView
    slices : sequence of int
    points : sequence of (y, x)
        Along the line; from the last one it goes straight to the first.

    Raises
    ------
    CopnetError
        The line encloses nothing, or all is so already.
    """
    shape = session.shape[1:]
    drawn = paths.stroke(shape, [*points, points[0]], WIDTH)
    within = np.zeros(shape, bool)
    if len(points) > 2:
        corners = np.asarray(points, float)
        within[polygon(corners[:, 0], corners[:, 1], shape)] = True
    within &= ~drawn
    if not within.any():
        raise CopnetError("The line encloses nothing.", "Lead it around a cell.")

    def change(z: int) -> np.ndarray:
        before = session.contour[z] > 0
        after = (before & ~within) | drawn
        after |= _slivers(before, after, drawn, within)
        return after != before

    return contour_edit("outline", session, slices, change, "This cell is outlined so already.")


def wall(session: SessionView, slices: Sequence[int], points: Sequence[Point]) -> Edit:
    """Draw an open line, its ends led to contour near them, or to the side of the slice.

    Parameters
    ----------
    session : SessionView
    slices : sequence of int
    points : sequence of (y, x)

    Raises
    ------
    CopnetError
        All of it is contour already.
    """

    def change(z: int) -> np.ndarray:
        contour = session.contour[z]
        ends = [joined(contour, points[0]), joined(contour, points[-1])]
        first, last = (
            end if end is not None else point
            for end, point in zip(ends, (points[0], points[-1]), strict=True)
        )
        return paths.stroke(session.shape[1:], [first, *points, last], WIDTH) & (contour == 0)

    return contour_edit("draw", session, slices, change, "This is contour already.")


def joined(contour: np.ndarray, point: Point) -> tuple[int, int] | None:
    """Return where a line that ends at a point meets contour, or the side of the slice.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
    point : (y, x)

    Returns
    -------
    tuple of int or None
        None where there is neither within `JOIN` px.
    """
    y, x = paths.snapped(contour, point, JOIN)
    if contour[y, x]:
        return y, x
    height, width = contour.shape
    ways = {y: (0, x), x: (y, 0), height - 1 - y: (height - 1, x), width - 1 - x: (y, width - 1)}
    return ways[min(ways)] if min(ways) <= JOIN else None


def erase_cell(session: SessionView, slices: Sequence[int], point: Point) -> Edit:
    """Erase a cell: it becomes a part of the neighbour with which it shares most of its outline.

    Raises
    ------
    CopnetError
        There is no cell, or it has no neighbour.
    """
    cell = clicked(session, slices[0], point)

    def gone(z: int) -> np.ndarray:
        erased = np.zeros(session.shape[1:], bool)
        for one in same_cell(session, cell, z):
            contour, ids = session.contour[z], session.ids(z)
            other = _closest(contour > 0, ids, one)
            erased |= paths.wall_between(contour, ids, one, other, session.excluded(z))
        return erased

    return contour_edit("erase cell", session, slices, gone, "There is no such cell.")


def _closest(contour: np.ndarray, ids: np.ndarray, cell: int) -> int:
    """Return the neighbour with which a cell shares most of its outline."""
    box = tuple(
        slice(max(side.start - paths.REACH // 2, 0), side.stop + paths.REACH // 2)
        for side in bounding_box(ids == cell)
    )
    near = ids[box]
    at = ndimage.distance_transform_edt(near == 0, return_distances=False, return_indices=True)
    # Contour belongs to the nearest cell; what is neither contour nor cell lies between nothing.
    owner = np.where((near > 0) | contour[box], near[tuple(at)], 0)
    met = [
        np.where(one == cell, other, one)[(one != other) & ((one == cell) | (other == cell))]
        for one, other in ((owner[1:], owner[:-1]), (owner[:, 1:], owner[:, :-1]))
    ]
    names, counts = np.unique(np.concatenate(met), return_counts=True)
    names, counts = names[names > 0], counts[names > 0]
    if not names.size:
        raise CopnetError("This cell has no neighbour.", "Use Erase on its outline.")
    return int(names[counts.argmax()])


def _slivers(
    before: np.ndarray, after: np.ndarray, drawn: np.ndarray, within: np.ndarray
) -> np.ndarray:
    """Return what a line cut off beside itself that is too small for a cell, shape (Y, X), bool."""
    box = tuple(
        slice(max(side.start - SLIVER, 0), side.stop + SLIVER) for side in bounding_box(drawn)
    )
    pieces = cc3d.connected_components(~after[box], connectivity=4)
    sizes = np.bincount(pieces.ravel())
    was = cc3d.connected_components(~before[box], connectivity=4)
    was_sizes = np.bincount(was.ravel())
    beside = np.unique(pieces[ndimage.binary_dilation(drawn[box])])
    found = np.zeros(before.shape, bool)
    for piece in beside[beside > 0]:
        if sizes[piece] >= SLIVER:
            continue
        here = pieces == piece
        was_here = was[here]
        whole = was_here.min() > 0 and was_sizes[was_here].max() == sizes[piece]
        if not whole and not within[box][here].any():
            found[box] |= here
    return found
