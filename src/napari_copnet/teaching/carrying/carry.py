"""Carry cells from given slices to the slices beside and between them, as far as they are sure.

Neighbouring slices are registered one after the other, and the cells of a given slice follow the
displacements added up. In the slice they come to, a watershed from their inner parts lets the
borders follow what the given slices teach about the look of a contour, and about what a contour
model makes of it; where the image shows none, the border stays as it came. How far the cell as it
was moved, what the image alone would make of it and the result overlap, and how alike the slices
are there, says how likely the cell is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.params import CarryParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.linking import overlaps
from napari_copnet.teaching.carrying import regions
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.carrying.look import Look, displacements
from napari_copnet.teaching.carrying.trust import Moved, agreements, likely_right, move, settle

# Cells smaller than this are no cells to count with, px.
SMALLEST = 16


@dataclass(frozen=True)
class CarriedCells:
    """The cells of a slice that came from others.

    Attributes
    ----------
    z : int
        The slice.
    sources : tuple of int
        The given slices that they came from: one, or one from either side.
    labels : ndarray, shape (Y, X), uint32
        Every pixel has one. Numbered as in the first source; cells that only the second shows
        follow after these.
    half : ndarray, shape (Y, X), float32
        How far contours shall reach from the border between two cells, px.
    trust : ndarray, shape (N,), float64
        By label, 0 to 1; 0 for labels that are not in the slice.
    least : float
        Cells with less trust are in doubt.
    """

    z: int
    sources: tuple[int, ...]
    labels: np.ndarray
    half: np.ndarray
    trust: np.ndarray
    least: float

    @property
    def sizes(self) -> np.ndarray:
        """Pixels of each label, shape (N,)."""
        return np.bincount(self.labels.ravel(), minlength=len(self.trust))

    @property
    def doubtful(self) -> np.ndarray:
        """The labels in doubt, the least sure first."""
        there = np.flatnonzero((self.sizes > 0) & (self.trust < self.least))
        there = there[there > regions.OUTSIDE]
        return there[np.argsort(self.trust[there], kind="stable")]

    @property
    def in_doubt(self) -> float:
        """Share of the cells that are in doubt, each by its diameter: so long is its contour."""
        sizes = self.sizes
        counted = sizes >= SMALLEST
        counted[: regions.OUTSIDE + 1] = False
        lengths = np.sqrt(sizes * counted)
        return float(lengths[self.trust < self.least].sum() / max(lengths.sum(), 1.0))


def carry_cells(
    image: Callable[[int], np.ndarray],
    given: Mapping[int, GivenSlice],
    targets: Sequence[int],
    params: CarryParams = CarryParams(),
    contours: Callable[[int], np.ndarray] | None = None,
) -> Steps[list[CarriedCells]]:
    """Carry the cells of given slices to others.

    A target between two given slices takes cells from both, the nearer weighing more; any other
    from the one it can be reached from. From there carrying goes on slice by slice until more
    than `params.doubt` of the cells are in doubt, or a slice on the way is no target.

    Parameters
    ----------
    image : callable
        Returns a slice of the image by its number, shape (Y, X).
    given : mapping of int to GivenSlice
        By slice.
    targets : sequence of int
        Slices to carry to. Given ones are left out.
    params : CarryParams
    contours : callable, optional
        Returns the probability of contour in a slice, by a contour model, shape (Y, X), 0 to 1.
        How far it is believed is learnt from the given slices.

    Yields
    ------
    Progress
        In slices; `partial` is the `CarriedCells` of a slice as soon as they are there.

    Returns
    -------
    list of CarriedCells
        By slice.

    Raises
    ------
    InputError
        No slice is given.
    """
    params = checked(params)
    if not given:
        raise InputError("There is no slice to carry from.", "Annotate one and mark it as done.")
    wanted = set(targets) - set(given)
    ways = _ways(sorted(given), wanted, params.reach)
    total = sum(len(way.targets) for way in ways)
    look, found, done = Look(image, contours), [], 0
    for way in ways:
        go = _outward if way.end is None else _between
        passed = 0
        for cells in go(look, given, way, params):
            passed += 1
            found.append(cells)
            yield Progress("carry", done + passed, total, "slices", partial=cells)
        done += len(way.targets)
        if passed < len(way.targets):
            yield Progress("carry", done, total, "slices")
    return sorted(found, key=lambda cells: cells.z)


@dataclass(frozen=True)
class _Way:
    """From a given slice to its neighbours, or to those between it and another given one."""

    start: int
    targets: tuple[int, ...]
    end: int | None = None


def _ways(given: list[int], wanted: set[int], reach: int) -> list[_Way]:
    """Return where to go from each given slice."""
    ways = []
    for start, end in zip([None, *given], [*given, None], strict=True):
        if start is not None and end is not None:
            middle = range(start + 1, end)
            if middle and len(middle) < 2 * reach and wanted.issuperset(middle):
                ways.append(_Way(start, tuple(middle), end))
                continue
        if start is not None:
            ways.append(_Way(start, _run(start, 1, end, wanted, reach)))
        if end is not None:
            taken = set(ways[-1].targets) if start is not None else set()
            ways.append(_Way(end, _run(end, -1, start, wanted - taken, reach)))
    return [way for way in ways if way.targets]


def _run(start: int, step: int, stop: int | None, wanted: set[int], reach: int) -> tuple[int, ...]:
    found = []
    for z in range(start + step, start + step * (reach + 1), step):
        if z == stop or z not in wanted:
            break
        found.append(z)
    if stop is not None and len(found) > abs(stop - start) // 2:
        # what lies nearer to the other given slice is carried from there
        found = [z for z in found if abs(z - start) * 2 - (step > 0) < abs(stop - start)]
    return tuple(found)


def _judged(
    look: Look, z: int, sources: tuple[int, ...], moved: Moved, count: int, least: float
) -> CarriedCells:
    """Settle the cells that were moved to a slice, and say how likely each is right."""
    cells = settle(look, z, moved)
    trust = likely_right(agreements(look, z, moved, cells, count))
    trust[np.bincount(cells.ravel(), minlength=count + 1) == 0] = 0
    return CarriedCells(z, sources, cells, moved.half, trust, least)


def _outward(
    look: Look, given: Mapping[int, GivenSlice], way: _Way, params: CarryParams
) -> Iterator[CarriedCells]:
    start = given[way.start]
    count = int(start.labels.max(initial=0))
    look.learn(given, way.start)
    for z, field in displacements(look, way.start, way.targets):
        moved = move(look, way.start, start, field)
        cells = _judged(look, z, (way.start,), moved, count, params.trust)
        if cells.in_doubt > params.doubt:
            return
        yield cells
        # the next step still holds what it needs of it
        look.forget(z)


def _between(
    look: Look, given: Mapping[int, GivenSlice], way: _Way, params: CarryParams
) -> Iterator[CarriedCells]:
    assert way.end is not None
    first, last = given[way.start], given[way.end]
    look.learn(given, way.start, way.end)
    backward = {
        z: move(look, way.end, last, field)
        for z, field in displacements(look, way.end, way.targets[::-1])
    }
    forward = {
        z: move(look, way.start, first, field)
        for z, field in displacements(look, way.start, way.targets)
    }
    same, count = _matched(
        np.stack([forward[z].labels for z in way.targets]),
        np.stack([backward[z].labels for z in way.targets]),
        int(first.labels.max(initial=0)),
        int(last.labels.max(initial=0)),
    )
    for z in way.targets:
        weight = (way.end - z) / (way.end - way.start)
        nearer = forward[z] if weight >= 0.5 else backward[z]
        moved = replace(
            nearer,
            labels=regions.blended(forward[z].labels, backward[z].labels, same, weight),
        )
        cells = _judged(look, z, (way.start, way.end), moved, count, params.trust)
        if cells.in_doubt <= params.doubt:
            yield cells


def _matched(
    forward: np.ndarray, backward: np.ndarray, count: int, other_count: int
) -> tuple[np.ndarray, int]:
    """Return the label in `forward` of each cell of `backward`, or one of its own, and the largest.

    Two cells are the same when most of both lies in the other, in all slices between together.
    """
    table = overlaps(forward, backward)
    mine, other = table.coords
    size = np.bincount(mine, table.data)
    other_size = np.bincount(other, table.data)
    most = (2 * table.data > size[mine]) & (2 * table.data > other_size[other])
    same = np.arange(other_count + 1, dtype=np.uint32) + np.uint32(count)
    same[other[most]] = mine[most]
    same[: regions.OUTSIDE + 1] = range(regions.OUTSIDE + 1)
    return same, count + other_count
