"""Lines along which a gap closes or two cells meet: cheapest paths in one slice.

Everything here works on arrays of one slice; `edit_tools` makes edits of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cc3d
import numpy as np
from scipy import ndimage
from skimage.draw import line
from skimage.graph import MCP, MCP_Geometric

from napari_copnet.boundaries.components import connected8
from napari_copnet.errors import CopnetError
from napari_copnet.proofreading.edits import bounding_box

Point = tuple[float, float]

# How far a click may lie from the contour it means, px.
SNAP = 8
# How far from a click a gap may reach, px.
REACH = 60
# A step along the contour, and the price of leaving all probability behind.
_FREE, _DEAR = 0.02, 1.0
# A step through contour where a path shall end at it.
_THROUGH = 50.0
_TRIES = 6
# Contour so near to a third cell stays when two others merge, px, where it is as near to it.
_KEPT = 4.0
# What a path pays for ending at the side of the slice.
_SIDE = 5.0


def price(contour: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return what a step onto each pixel costs: little on the contour, less where it is likely.

    Parameters
    ----------
    contour, probability : ndarray, shape (Y, X)

    Returns
    -------
    ndarray, shape (Y, X), float64
        0.02 on the contour, else 0.02 + (1 - p).
    """
    paid = _FREE + _DEAR * (1 - np.clip(probability.astype(np.float64), 0, 1))
    paid[contour > 0] = _FREE
    return paid


def through(contour: np.ndarray, probability: np.ndarray, points: Sequence[Point]) -> np.ndarray:
    """Return the cheapest path through points, its ends drawn to the contour near them.

    Parameters
    ----------
    contour, probability : ndarray, shape (Y, X)
    points : sequence of (y, x)
        Two or more.

    Returns
    -------
    ndarray, shape (N, 2), int
        Pixels of the path in order, neighbours by face or corner.
    """
    shape = contour.shape
    stops = [_inside(point, shape) for point in points]
    stops[0], stops[-1] = snapped(contour, stops[0]), snapped(contour, stops[-1])
    corner = np.maximum(np.min(stops, axis=0) - REACH, 0)
    end = np.minimum(np.max(stops, axis=0) + REACH + 1, shape)
    box = (slice(corner[0], end[0]), slice(corner[1], end[1]))
    paid = price(contour[box], probability[box])
    pixels: list[tuple[int, int]] = []
    for first, second in pairwise(stops):
        work = MCP_Geometric(paid)
        work.find_costs([tuple(np.subtract(first, corner))], [tuple(np.subtract(second, corner))])
        pixels += work.traceback(tuple(np.subtract(second, corner)))
    return np.array(pixels) + corner


def across(contour: np.ndarray, probability: np.ndarray, click: Point) -> np.ndarray:
    """Return the cheapest path through a click that parts the cell it lies in.

    The path leads from the nearest contour, in price, through the click to contour on the other
    side of it, or to the side of the slice: the cheapest of those that part the cell.

    Parameters
    ----------
    contour, probability : ndarray, shape (Y, X)
    click : (y, x)

    Returns
    -------
    ndarray, shape (N, 2), int

    Raises
    ------
    CopnetError
        There is no contour on two sides within reach, or no path parts the cell.
    """
    at = np.array(_inside(click, contour.shape))
    corner, box = _around(at, REACH, contour.shape)
    inside = contour[box] > 0
    start = at - corner
    if not inside.any():
        raise CopnetError("There is no contour near the click.", "Click in the gap itself.")
    # Whether it parts the cell is seen in a wider view, in which the two sides may meet again.
    wide_corner, wide = _around(at, 4 * REACH, contour.shape)
    paid = price(inside, probability[box])
    # First straight to the contour on two sides; then over contour between, as of a dotted wall.
    for prices in (np.where(inside, _THROUGH, paid), paid):
        for path in _crossing_paths(inside, prices, start, side(contour.shape)[box]):
            if parts(contour[wide], path + corner - wide_corner):
                return path + corner
    raise CopnetError(
        "There is no gap here: no line through the click divides the cell.",
        "Click in the gap itself, or use Part and click once in each of the two cells.",
    )


def _crossing_paths(
    inside: np.ndarray, paid: np.ndarray, start: np.ndarray, at_side: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield paths from contour through a pixel to contour on its other side, the cheapest first."""
    work = MCP_Geometric(paid)
    costs, _ = work.find_costs([tuple(start)])
    ends = np.argwhere(inside)
    nearest = ends[costs[tuple(ends.T)].argmin()]
    # The side of the slice ends a cell as well, but contour is preferred.
    ends = np.concatenate([ends, np.argwhere(~inside & at_side)])
    prices = costs[tuple(ends.T)] + np.where(inside[tuple(ends.T)], 0, _SIDE)
    # That contour is entered at the end costs nothing.
    prices -= np.where(inside[tuple(ends.T)], paid[tuple(ends.T)] / 2, 0)
    away = ends - start
    opposite = away @ (nearest - start) <= 0 if (nearest != start).any() else away.any(axis=1)
    ends, prices = ends[opposite], prices[opposite]
    for _ in range(_TRIES):
        if not len(ends):
            return
        end = ends[prices.argmin()]
        yield np.array(work.traceback(tuple(nearest))[::-1] + work.traceback(tuple(end))[1:])
        far = np.abs(ends - end).max(axis=1) > 5
        ends, prices = ends[far], prices[far]


def parts(contour: np.ndarray, path: np.ndarray) -> bool:
    """Whether a path, drawn as contour, leaves more parts of the complement on its sides."""
    before = contour > 0
    after = before.copy()
    after[tuple(path.T)] = True
    drawn = after & ~before
    if not drawn.any():
        return False
    was = cc3d.connected_components(~before, connectivity=4)
    now = cc3d.connected_components(~after, connectivity=4)
    # Only around the path: a view is wide, and this is asked while somebody waits.
    y, x = np.nonzero(drawn)
    box = tuple(slice(max(at.min() - 1, 0), at.max() + 2) for at in (y, x))
    beside = ndimage.binary_dilation(drawn[box]) & ~after[box]
    return len(np.unique(now[box][beside])) > len(np.unique(was[drawn]))


def stroke(shape: tuple[int, ...], points: Sequence[Point], width: int = 1) -> np.ndarray:
    """Return the pixels of a line through points.

    Parameters
    ----------
    shape : tuple of int
        Of the slice.
    points : sequence of (y, x)
        One makes a dot.
    width : int
        In px.

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    mask = np.zeros(shape, bool)
    stops = [np.rint(point).astype(int) for point in points]
    for first, second in zip(stops, stops[1:] or stops, strict=False):
        rows, columns = line(*first, *second)
        seen = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        mask[rows[seen], columns[seen]] = True
    if width > 1:
        radius = width / 2
        reach = int(radius)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        rows, columns = bounding_box(mask)
        box = (
            slice(max(rows.start - reach, 0), rows.stop + reach),
            slice(max(columns.start - reach, 0), columns.stop + reach),
        )
        mask[box] = ndimage.binary_dilation(mask[box], y**2 + x**2 <= radius**2)
    return mask


def to_contour(
    contour: np.ndarray, probability: np.ndarray, end: Point, ahead: tuple[float, float]
) -> np.ndarray:
    """Return the cheapest path from a line's end to contour, or the slice's side, that lies ahead.

    Returns
    -------
    ndarray, shape (N, 2), int
    """
    at = np.array(_inside(end, contour.shape))
    corner, box = _around(at, REACH, contour.shape)
    start = at - corner
    work = MCP_Geometric(price(contour[box], probability[box]))
    costs, _ = work.find_costs([tuple(start)])
    ends = np.argwhere((contour[box] > 0) | side(contour.shape)[box])
    ends = ends[(ends - start) @ np.array(ahead) >= 0]
    if not len(ends):
        return at[None]
    end_at = ends[costs[tuple(ends.T)].argmin()]
    return np.array(work.traceback(tuple(end_at))) + corner


def wall_between(
    contour: np.ndarray, ids: np.ndarray, first: int, second: int, barrier: np.ndarray | None
) -> np.ndarray:
    """Return the contour to erase so that two neighbouring cells become one, and no third.

    That is the whole wall between them, of any thickness: pixels nearer to both than to anything
    else that is seen from them in opposite directions, and the shortest crossing.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
    ids : ndarray, shape (Y, X), unsigned int
        Cells.
    first, second : int
        The two.
    barrier : ndarray, shape (Y, X), bool, optional
        Area without cells.

    Returns
    -------
    ndarray, shape (Y, X), bool

    Raises
    ------
    CopnetError
        The cells are no neighbours.
    """
    apart = CopnetError("The two cells are not neighbours.", "Click two cells that share a wall.")
    box = _shared_box(ids == first, ids == second)
    if box is None:
        raise apart
    wall, one, other = contour[box] > 0, ids[box] == first, ids[box] == second
    third = (ids[box] > 0) & ~one & ~other
    blocked = ndimage.binary_dilation(third)
    if barrier is not None:
        blocked |= barrier[box]
    paid = np.where(wall, 1.0, 1e-3)
    paid[blocked & ~one & ~other] = np.inf
    work = MCP(paid, fully_connected=False)
    starts, ends = np.argwhere(one), np.argwhere(other)
    costs, _ = work.find_costs([tuple(point) for point in starts])
    prices = costs[tuple(ends.T)]
    if not np.isfinite(prices.min()):
        raise apart
    path = np.array(work.traceback(tuple(ends[prices.argmin()])))
    crossing = np.zeros(wall.shape, bool)
    crossing[tuple(path.T)] = True
    crossing &= wall
    strange = third if barrier is None else third | barrier[box]
    between = wall & ~blocked & _is_between(one, other, strange)
    whole = between | crossing
    found = np.zeros(contour.shape, bool)
    found[box] = whole | (_islands(wall, whole, one | other) & ~blocked)
    return found & ~_outer_wall(contour > 0, found)


def _is_between(one: np.ndarray, other: np.ndarray, strange: np.ndarray) -> np.ndarray:
    """Return the pixels that have one cell on one side, the other opposite, and are not strange's.

    Where a wall runs into a blob of contour, both cells lie on the same side of what is in the
    blob: the nearest points of the two are seen at less than a right angle.
    """
    near, places = zip(
        *(ndimage.distance_transform_edt(~cell, return_indices=True) for cell in (one, other)),
        strict=True,
    )
    here = np.indices(one.shape)
    (down, right), (away_down, away_right) = (at - here for at in places)
    between = down * away_down + right * away_right <= 0
    if strange.any():
        away = ndimage.distance_transform_edt(~strange)
        between &= np.minimum(np.maximum(*near), _KEPT) <= away
    return np.asarray(between)


def _outer_wall(contour: np.ndarray, erased: np.ndarray) -> np.ndarray:
    """Return contour that runs along the side of the slice, not just up to it."""
    along = contour & side(contour.shape)
    pieces = connected8(along)
    whole, gone = (np.bincount(pieces[at], minlength=2) for at in (along, along & erased))
    gone = np.pad(gone, (0, whole.size - gone.size))
    return along & (whole > 3 * gone)[pieces]


def _islands(wall: np.ndarray, erased: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return what is left of a wall as islands in the cell that two become."""
    left = wall & ~erased
    pieces = connected8(left)
    corners = np.ones((3, 3), bool)
    beside = np.unique(pieces[left & ndimage.binary_dilation(erased, corners)])
    elsewhere = ndimage.binary_dilation(~left & ~erased & ~cells, corners) | side(left.shape)
    held = np.unique(pieces[left & elsewhere])
    return np.isin(pieces, np.setdiff1d(beside, held)) & left


def snapped(contour: np.ndarray, point: Point, radius: int = SNAP) -> tuple[int, int]:
    """Return the contour pixel nearest to a point, or the point where there is none near."""
    y, x = _inside(point, contour.shape)
    top, left = max(y - radius, 0), max(x - radius, 0)
    near = np.argwhere(contour[top : y + radius + 1, left : x + radius + 1] > 0)
    if not len(near):
        return y, x
    distance = ((near - (y - top, x - left)) ** 2).sum(axis=1)
    if distance.min() > radius**2:
        return y, x
    row, column = near[distance.argmin()]
    return int(row + top), int(column + left)


def _shared_box(first: np.ndarray, second: np.ndarray) -> tuple[slice, slice] | None:
    """Return a box around where two cells may meet."""
    sides = []
    for axis, (one, other) in enumerate(
        zip(bounding_box(first), bounding_box(second), strict=True)
    ):
        low = max(one.start, other.start) - REACH // 2
        high = min(one.stop, other.stop) + REACH // 2
        if low >= high or one.stop == one.start or other.stop == other.start:
            return None
        sides.append(slice(max(low, 0), min(high, first.shape[axis])))
    box = (sides[0], sides[1])
    return box if first[box].any() and second[box].any() else None


def side(shape: tuple[int, ...]) -> np.ndarray:
    """Return the outermost pixels of a slice, shape (Y, X), bool."""
    outermost = np.ones(shape, bool)
    outermost[1:-1, 1:-1] = False
    return outermost


def _around(
    at: np.ndarray, reach: int, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Return the corner of a window around a pixel, and the window."""
    corner, end = np.maximum(at - reach, 0), np.minimum(at + reach + 1, shape)
    return corner, (slice(corner[0], end[0]), slice(corner[1], end[1]))


def _inside(point: Point, shape: tuple[int, ...]) -> tuple[int, int]:
    y, x = (int(np.rint(value)) for value in point)
    return min(max(y, 0), shape[0] - 1), min(max(x, 0), shape[1] - 1)
