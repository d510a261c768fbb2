"""Propose the same fix in the slices next to an edit; nothing is changed automatically.

What an edit did is read from the cells on its two sides: a wall that parts them, a wall that is
gone, a cell that went, holes that were filled, an area that was marked. In the next slice the
situation is alike when the same cells are found there, by overlap, in the state from which the
edit began; then the fix is worked out anew from that slice's own contour and probability. From
there it goes on to the slice after, until one is not alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage
from skimage.graph import MCP_Geometric

from napari_copnet.boundaries.components import connected8
from napari_copnet.errors import CopnetError
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading import paths
from napari_copnet.proofreading.edit_tools import holes_of
from napari_copnet.proofreading.edits import (
    ACCEPTED,
    CONTOUR,
    MARKS,
    REJECTED,
    Change,
    Edit,
    Flip,
    Patch,
    Verdict,
    bounding_box,
    joined,
)
from napari_copnet.proofreading.queue import same_place
from napari_copnet.proofreading.session_view import SessionView
from napari_copnet.steps.cells import label_slice

WALL, BREAK, DELETE, FILL = "wall", "break", "delete", "fill"
# How many slices are looked at on either side of an edit; of large slices, which take longer to
# copy than the window may stand still, half of that.
REACH, _LARGE = 10, 1 << 21
# A wall of the next slice must run within this many pixels of the wall of this one.
NEAR_PX = 10
# A cell is found again when it covers this share of its side; a whole cell, when intersection over
# union is no less.
_COVER, _ALIKE = 0.5, 0.6
# Sides smaller than this many pixels tell nothing.
_SMALLEST = 20
# A path pays this for each pixel of distance from the wall it follows.
_AWAY = 0.01
# Ends of contour near a wall between which paths are tried.
_ENDS = 4
# Tools whose edits are no single fix.
_OTHERS = ("freeze", "networks ran again", "outline")
_SUFFIX = ", neighbours"


@dataclass(frozen=True)
class NeighbourPlane:
    """A slice as it was when it was copied, so that a thread may look at it.

    Attributes
    ----------
    z : int
    contour : ndarray, shape (Y, X), bool
    marks : ndarray, shape (Y, X), uint8
        Empty where the edit did not change marks.
    excluded : ndarray, shape (Y, X), bool, or None
        Where there can be no cells.
    verdicts : tuple of Verdict
        Of the slice.
    probability : callable
        Returns the contour probability, shape (Y, X).
    params : CellParams
    """

    z: int
    contour: np.ndarray
    marks: np.ndarray
    excluded: np.ndarray | None
    verdicts: tuple[Verdict, ...]
    probability: Callable[[], np.ndarray]
    params: CellParams

    def cells(self, contour: np.ndarray | None = None) -> np.ndarray:
        """Return the cells of the slice, or those of another contour of it, shape (Y, X)."""
        contour = self.contour if contour is None else contour
        return label_slice(contour, self.params, excluded=self.excluded)


@dataclass(frozen=True)
class Fix:
    """What an edit did in one slice.

    Attributes
    ----------
    kind : str
        `WALL`, `BREAK`, `DELETE`, `FILL` or one of `edits.MARKS`.
    sides : tuple of ndarray, shape (Y, X), bool
        The two cells that a wall parts, or parted; else the one cell.
    pixels : ndarray, shape (Y, X), bool
        What is flipped.
    """

    kind: str
    sides: tuple[np.ndarray, ...]
    pixels: np.ndarray


def reach_of(session: SessionView) -> int:
    """Return how many slices on either side of an edit are looked at."""
    return REACH if session.shape[1] * session.shape[2] <= _LARGE else REACH // 2


def copied(session: SessionView, edit: Edit, reach: int | None = None) -> dict[int, NeighbourPlane]:
    """Copy the slices of an edit that was made, and those around it.

    Parameters
    ----------
    session : SessionView
    edit : Edit
        Applied already.
    reach : int, optional
        Slices on either side; `reach_of` them when not given.

    Returns
    -------
    dict of int to Plane
        Empty for an edit that is no fix of a kind that could be repeated.
    """
    slices = edit.slices
    if not slices or edit.tool in _OTHERS:
        return {}
    depth, reach = session.shape[0], reach_of(session) if reach is None else reach
    marks = any(flip.plane in MARKS for flip in edit.flips)
    around = range(max(slices[0] - reach, 0), min(slices[-1] + reach + 1, depth))
    verdicts = list(session.verdicts.values())

    def plane(z: int) -> NeighbourPlane:
        excluded = session.excluded(z)
        return NeighbourPlane(
            z,
            np.array(session.contour[z]).view(bool),
            np.array(session.marks[z]) if marks else np.zeros((0, 0), np.uint8),
            None if excluded is None else np.array(excluded),
            tuple(verdict for verdict in verdicts if verdict.patch.z == z),
            lambda: session.probability(z),
            session.facts.cells,
        )

    inner = range(slices[0] + 1, slices[-1])
    return {z: plane(z) for z in around if z not in inner}


def same_fixes(planes: dict[int, NeighbourPlane], edit: Edit) -> Steps[list[Edit]]:
    """Find an edit's fix in the slices below and above it, as far as they are alike.

    Parameters
    ----------
    planes : dict of int to Plane
        From `copied`.
    edit : Edit

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of Edit
        One for each slice, in order of z.
    """
    found: list[Edit] = []
    if not planes:
        return found
    ways = ((edit.slices[0], -1), (edit.slices[-1], 1))
    for end, step in ways:
        fix = read_fix(planes[end], edit)
        z = end + step
        while fix is not None and z in planes:
            yield Progress("neighbours", len(found), len(planes), "slices")
            fix = carried(fix, planes[z])
            if fix is None or _decided_otherwise(fix, planes[z]):
                break
            found.append(_edit_of(fix, planes[z], edit.tool.removesuffix(_SUFFIX)))
            z += step
    return sorted(found, key=lambda proposal: proposal.slices[0])


def together(proposals: Iterable[Edit]) -> Edit:
    """Return the one edit that makes all the fixes, so that one undo takes them back."""
    edits = list(proposals)
    return joined(edits[0].tool + _SUFFIX, *edits) if edits else Edit("")


def read_fix(plane: NeighbourPlane, edit: Edit) -> Fix | None:
    """Return what an edit did in a slice; None for what is no single fix.

    Parameters
    ----------
    plane : NeighbourPlane
        With the edit made.
    edit : Edit
    """
    flips = [flip for flip in edit.flips if flip.patch.z == plane.z]
    marked = [flip for flip in flips if flip.plane in MARKS]
    for flip in marked:
        region = _mask(plane, flip.patch)
        if (plane.marks[region] & MARKS[flip.plane]).all():
            return Fix(flip.plane, (region,), region)
    flipped = np.zeros(plane.contour.shape, bool)
    for flip in flips:
        if flip.plane == CONTOUR:
            flipped[flip.patch.box] ^= flip.patch.mask
    drawn, erased = flipped & plane.contour, flipped & ~plane.contour
    if drawn.any() == erased.any():
        return None
    now, before = plane.cells(), plane.cells(plane.contour ^ flipped)
    if drawn.any():
        whole = before == _commonest(before[drawn])
        pieces = _beside(now, drawn, whole & (before > 0))
        if len(pieces) > 1:
            return Fix(WALL, (now == pieces[0], now == pieces[1]), drawn)
        gone = whole & (before > 0)
        if gone.any() and np.count_nonzero(drawn & gone) > 0.8 * np.count_nonzero(gone):
            return Fix(DELETE, (gone,), drawn)
        return None
    whole = now == _commonest(now[erased])
    whole &= now > 0
    if not whole.any():
        return None
    pieces = _beside(before, erased, whole)
    if len(pieces) > 1:
        return Fix(BREAK, (before == pieces[0], before == pieces[1]), erased)
    return Fix(FILL, (whole,), erased)


def carried(fix: Fix, plane: NeighbourPlane) -> Fix | None:
    """Return the same fix in the next slice, or None where the situation is not alike."""
    if fix.kind == WALL:
        return _wall(fix, plane)
    cells = plane.cells()
    if fix.kind == BREAK:
        return _break(fix, plane, cells)
    cell = cells == _covering(fix.sides[0], cells)
    cell &= cells > 0
    if not cell.any() or _overlap(cell, fix.sides[0]) < _ALIKE:
        return None
    if fix.kind != FILL:
        return Fix(fix.kind, (cell,), cell)
    near = ndimage.binary_dilation(fix.pixels, iterations=NEAR_PX // 2)
    islands = connected8(holes_of(cell, plane.contour, cells))
    mine = np.unique(islands[near])
    holes = np.isin(islands, mine[mine > 0])
    return Fix(FILL, (cell | holes,), holes) if holes.any() else None


def _wall(fix: Fix, plane: NeighbourPlane) -> Fix | None:
    cells = plane.cells()
    first, second = (_covering(side, cells) for side in fix.sides)
    if not first or first != second:
        return None
    cell = cells == first
    for path in _paths(fix.pixels, plane.contour, plane.probability()):
        wall = np.zeros_like(cell)
        wall[tuple(path.T)] = True
        wall &= cell & ~plane.contour
        pieces = cc3d.connected_components(cell & ~wall, connectivity=4)
        one, other = (_covering(side, pieces) for side in fix.sides)
        if one and other and one != other:
            return Fix(WALL, (pieces == one, pieces == other), wall)
    return None


def _break(fix: Fix, plane: NeighbourPlane, cells: np.ndarray) -> Fix | None:
    first, second = (_covering(side, cells) for side in fix.sides)
    if not first or not second or first == second:
        return None
    try:
        wall = paths.wall_between(plane.contour, cells, first, second, plane.excluded)
    except CopnetError:
        return None
    if not _is_near(np.argwhere(wall), fix.pixels):
        return None
    return Fix(BREAK, (cells == first, cells == second), wall)


def _paths(wall: np.ndarray, contour: np.ndarray, probability: np.ndarray) -> Iterator[np.ndarray]:
    """Yield paths, shape (N, 2), along which the wall of the slice before may run in this one."""
    yield from _followed(wall, contour, probability)
    points = np.argwhere(wall)
    middle = points[((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    try:
        crossing = paths.across(contour, probability, tuple(middle))
    except CopnetError:
        return
    if _is_near(crossing, wall):
        yield crossing


def _followed(wall: np.ndarray, contour: np.ndarray, probability: np.ndarray) -> list[np.ndarray]:
    """Return paths between two ends of contour in a corridor along a wall, the cheapest first."""
    box = tuple(
        slice(max(side.start - NEAR_PX - 1, 0), min(side.stop + NEAR_PX + 1, length))
        for side, length in zip(bounding_box(wall), wall.shape, strict=True)
    )
    away = ndimage.distance_transform_edt(~wall[box])
    inside = away <= NEAR_PX
    paid = paths.price(contour[box], probability[box]) + _AWAY * away
    paid[~inside] = np.inf
    ends = (contour[box] | paths.side(wall.shape)[box]) & inside
    parts = connected8(ends)
    nearest = ndimage.minimum(away, parts, np.arange(1, int(parts.max(initial=0)) + 1))
    chosen = np.argsort(nearest, kind="stable")[:_ENDS] + 1
    found: list[tuple[float, np.ndarray]] = []
    for at, part in enumerate(chosen[:-1]):
        work = MCP_Geometric(paid)
        costs, _ = work.find_costs([tuple(point) for point in np.argwhere(parts == part)])
        for other in chosen[at + 1 :]:
            stops = np.argwhere(parts == other)
            prices = costs[tuple(stops.T)]
            best = int(prices.argmin())
            if np.isfinite(prices[best]):
                found.append((float(prices[best]), np.array(work.traceback(tuple(stops[best])))))
    corner = np.array([box[0].start, box[1].start])
    return [path + corner for _, path in sorted(found, key=lambda pair: pair[0])]


def _is_near(points: np.ndarray, wall: np.ndarray) -> bool:
    """Whether most of some pixels, shape (N, 2), lie near a wall."""
    away = ndimage.distance_transform_edt(~wall)
    return bool(np.mean(away[tuple(points.T)] <= NEAR_PX) > 0.5)


def _decided_otherwise(fix: Fix, plane: NeighbourPlane) -> bool:
    """Whether the opposite was decided on an item of the queue at this place."""
    against = {WALL: REJECTED, BREAK: ACCEPTED}.get(fix.kind)
    patch = Patch.of(plane.z, fix.pixels)
    return any(v.verdict == against and same_place(v.patch, patch) for v in plane.verdicts)


def _edit_of(fix: Fix, plane: NeighbourPlane, tool: str) -> Edit:
    changes: list[Change] = []
    if fix.kind in MARKS:
        for name, bit in MARKS.items():
            change = fix.pixels & ((plane.marks & bit > 0) != (name == fix.kind))
            if change.any():
                changes.append(Flip(name, Patch.of(plane.z, change)))
    else:
        changes.append(Flip(CONTOUR, Patch.of(plane.z, fix.pixels)))
    return Edit(tool, tuple(changes))


def _mask(plane: NeighbourPlane, patch: Patch) -> np.ndarray:
    mask = np.zeros(plane.contour.shape, bool)
    mask[patch.box] = patch.mask
    return mask


def _commonest(values: np.ndarray) -> int:
    return int(np.bincount(values[values > 0]).argmax()) if (values > 0).any() else -1


def _beside(cells: np.ndarray, pixels: np.ndarray, inside: np.ndarray) -> list[int]:
    """Return the cells inside an area that touch some pixels, the largest first."""
    rows, columns = bounding_box(pixels)
    box = (
        slice(max(rows.start - 2, 0), rows.stop + 2),
        slice(max(columns.start - 2, 0), columns.stop + 2),
    )
    near = ndimage.binary_dilation(pixels[box], np.ones((3, 3), bool)) & inside[box]
    names = np.unique(cells[box][near])
    areas = np.bincount(cells[inside])
    return sorted(
        (int(n) for n in names if n and areas[n] >= _SMALLEST), key=lambda n: -int(areas[n])
    )


def _covering(side: np.ndarray, cells: np.ndarray) -> int:
    """Return the cell that covers most of a side; 0 where none covers enough."""
    box = bounding_box(side)
    values = cells[box][side[box]]
    if not values.any():
        return 0
    counts = np.bincount(values)
    counts[0] = 0
    best = int(counts.argmax())
    return best if counts[best] >= _COVER * values.size else 0


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union."""
    both, either = int(np.count_nonzero(first & second)), int(np.count_nonzero(first | second))
    return both / max(either, 1)
