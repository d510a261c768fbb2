"""Where the contour may be wrong: walls it may lack, and walls it may have too many.

All of it looks at one slice, with the cells of the slices before and after as witnesses. A
suspect is a wall: some pixels, and the two sides it parts or would part. Every wall between two
neighbouring cells is a suspect, and so is every line along which a cell may part; `gap_classifier`
tells which of them are worth a question.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import edt
import numpy as np
from scipy import ndimage
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from napari_copnet.boundaries.components import connected8
from napari_copnet.boundaries.drawn_walls import walls
from napari_copnet.boundaries.membrane import membrane_odds
from napari_copnet.boundaries.sides import Around, Side, compact
from napari_copnet.types import is_contour

CLOSURE, GAP, SPLIT, UNSETTLED = "closure", "gap", "split", "unsettled"

# Sides smaller than this many pixels are no cells worth a look.
SMALLEST_SIDE = 30
# Relief of the watershed: the probability, less so much for each pixel of distance to contour,
# and the least depth of a basin.
_SLOPE, _FAR, _DEPTH = 0.02, 20.0, 0.02
# Smoothing of Step 1 before its lines and basins are measured, px.
_SMOOTH = 1.0
# What a wall in the slices around counts for, beside a probability of 1.
_PRIOR = 0.2
# A wall of which so much is open in Step 1 was closed by the network.
_ADDED = 0.03


@dataclass(frozen=True)
class SlicePlane:
    """What is known of a slice.

    Attributes
    ----------
    contour : ndarray, shape (Y, X), bool
        Closed contour.
    cells : ndarray, shape (Y, X), unsigned int
        Cells by name.
    step1, probability : ndarray, shape (Y, X), float
        Contour probability of Step 1, and the best there is after closing.
    around : sequence of ndarray
        Cells of the slices before and after, each of shape (Y, X).
    image : ndarray, shape (Y, X), or None
        The slice itself, of any contrast; None where it is not to be looked at.
    """

    contour: np.ndarray
    cells: np.ndarray
    step1: np.ndarray
    probability: np.ndarray
    around: Sequence[np.ndarray] = ()
    image: np.ndarray | None = None

    @cached_property
    def smoothed(self) -> np.ndarray:
        """The smoothed Step 1 probability, shape (Y, X), float32."""
        return ndimage.gaussian_filter(np.asarray(self.step1, np.float32), _SMOOTH)

    @cached_property
    def membrane(self) -> np.ndarray | None:
        """Log odds that the image shows a membrane, shape (Y, X), float32.

        None without an image, and with one that shows nothing.
        """
        if self.image is None:
            return None
        distance = distance_to_contour(self.contour)
        odds = membrane_odds(self.image, self.contour, self.cells, distance)
        return odds if odds.any() else None


@dataclass(frozen=True)
class Membrane:
    """How like a membrane the image looks along a wall.

    Attributes
    ----------
    mean, weakest : float
        Log odds (see `membrane_odds`): their mean, and what a fifth of the wall stays below.
    share : float
        Share of the wall whose log odds are above 0, 0 to 1.
    contrast : float
        Mean log odds of the wall, less those of both sides together.
    """

    mean: float
    weakest: float
    share: float
    contrast: float


@dataclass(frozen=True)
class Suspect:
    """A wall in doubt.

    Attributes
    ----------
    kind : str
        `CLOSURE`: drawn, and open in Step 1; `SPLIT`: drawn in Step 1 already; `GAP`: not drawn.
    pixels : ndarray, shape (N,), int
        Flat indices: drawn pixels that would be erased, or open ones that would be drawn.
    sides : tuple of ndarray
        The parts of the slice on either side, by their numbers in the labelling it was found in.
    small, large : int
        Pixels of the two sides.
    probability, first_probability : float
        Mean contour probability along it after closing, and of Step 1.
    weakest : float
        The probability that a fifth of it stays below.
    width : float
        Pixels of the wall for each pixel of the smaller side's diameter: small for a narrow neck.
    witness : float
        What the slices around say: 1 where all of them part the two sides, -1 where all show one
        cell, 0 where they do not know.
    fits : tuple of float
        How well a cell of the slices around fits the smaller side, the larger, and both together:
        intersection over union, 0 to 1.
    echo : float
        Share of its pixels that lie on walls in the slices around, 0 to 1.
    added : float
        Share of it that Step 1 has not.
    strongest, middle : float
        Greatest and median contour probability of Step 1 along it.
    opening : float
        The greatest distance of its pixels to the contour, px: half of what it would close.
    depths : tuple of float
        The greatest distance to the contour in the smaller side and in the larger, px.
    solid : tuple of float
        Area over that of the convex hull, of the smaller side, the larger, and both together:
        two round cells that run into one another are each more solid than together.
    membrane : Membrane or None
        What the image shows along it; None without an image, or with one that shows nothing.
    saddle : float
        The lowest smoothed probability of Step 1 along the wall, where a flood would pass first.
    basins : tuple of float
        The lowest smoothed probability of Step 1 in the smaller and in the larger side. A watershed
        separates the two if the saddle is above the higher one by more than the least depth.
    ground : float
        Mean smoothed probability of Step 1 in both sides, away from contour.
    """

    kind: str
    pixels: np.ndarray
    sides: tuple[np.ndarray, np.ndarray]
    small: int
    large: int
    probability: float
    first_probability: float
    weakest: float
    width: float
    witness: float
    fits: tuple[float, float, float]
    echo: float
    added: float
    strongest: float
    middle: float
    opening: float
    depths: tuple[float, float]
    solid: tuple[float, float, float]
    membrane: Membrane | None = None
    saddle: float = 0.0
    basins: tuple[float, float] = (0.0, 0.0)
    ground: float = 0.0

    @property
    def hanging(self) -> int:
        """Pixels of the smaller side: what is merged, or split off, if the suspicion holds."""
        return self.small


def drawn_walls(plane: SlicePlane) -> Iterator[Suspect]:
    """Find the walls that are drawn between two cells: `CLOSURE` or `SPLIT`."""
    parts = compact(plane.cells)
    measure = _Measure(plane, parts, distance_to_contour(plane.contour))
    for wall in walls(plane.contour, parts):
        first, second = measure.around.side(wall.first), measure.around.side(wall.second)
        if min(first.area, second.area) < SMALLEST_SIDE:
            continue
        numbers = np.array([wall.first]), np.array([wall.second])
        # Of the middle line both pixels are there.
        length = wall.line.size / 2
        yield measure.suspect(SPLIT, wall.pixels, wall.line, numbers, first, second, length)


def gaps(plane: SlicePlane) -> Iterator[Suspect]:
    """Find walls that may be missing: necks of cells, and ridges of the probability in them.

    Each cell is cut by a watershed of the probability, lower towards the middle of the cell and
    higher where the slices around have walls. The pieces are put together again, always the two
    with the weakest wall between them; each wall that was taken away is a suspect. So the last
    one parts the cell in two, the one before parts one of these, and so on.
    """
    ridges = _ridges(plane)
    distance = distance_to_contour(plane.contour)
    pieces = cut(plane, ridges, distance)
    measure = _Measure(plane, pieces, distance)
    flat = ridges.ravel()
    edges = {
        pair: (float(flat[pixels].sum()), [pixels])
        for pair, pixels in _borders(pieces, plane.cells).items()
    }
    beside: dict[int, set[int]] = {}
    for one, two in edges:
        beside.setdefault(one, set()).add(two)
        beside.setdefault(two, set()).add(one)
    sides = {number: measure.around.side(number) for number in beside}
    members = {number: [number] for number in beside}
    heap = [(_strength(edge), pair) for pair, edge in edges.items()]
    heapq.heapify(heap)
    while heap:
        strength, (keep, gone) = heapq.heappop(heap)
        edge = edges.get((keep, gone))
        if edge is None or _strength(edge) != strength:
            continue
        del edges[keep, gone]
        if min(sides[keep].area, sides[gone].area) >= SMALLEST_SIDE:
            pixels = np.unique(np.concatenate(edge[1]))
            numbers = np.array(members[keep]), np.array(members[gone])
            yield measure.suspect(
                GAP, pixels, pixels, numbers, sides[keep], sides[gone], pixels.size
            )
        members[keep] += members.pop(gone)
        sides[keep] += sides.pop(gone)
        beside[keep].discard(gone)
        for third in beside.pop(gone) - {keep}:
            total, parts = edges.pop((min(gone, third), max(gone, third)))
            pair = (min(keep, third), max(keep, third))
            if pair in edges:
                total, parts = edges[pair][0] + total, edges[pair][1] + parts
            edges[pair] = (total, parts)
            heapq.heappush(heap, (_strength(edges[pair]), pair))
            beside[third].discard(gone)
            beside[third].add(keep)
            beside[keep].add(third)


def cut(
    plane: SlicePlane, ridges: np.ndarray | None = None, distance: np.ndarray | None = None
) -> np.ndarray:
    """Return the pieces that `gaps` cuts the cells of a slice into, shape (Y, X), int32."""
    ridges = _ridges(plane) if ridges is None else ridges
    distance = distance_to_contour(plane.contour) if distance is None else distance
    inside = plane.cells > 0
    relief = ridges - _SLOPE * np.minimum(distance, _FAR)
    relief[~inside] = relief.max(initial=0) + 1
    # Basins at least so deep: flooding begins at what is left when these are filled.
    filled = reconstruction(relief + _DEPTH, relief, method="erosion")
    minima = (filled - relief >= _DEPTH - 1e-6) & inside
    seeds = connected8(minima)
    return watershed(relief, seeds.astype(np.int32), mask=inside, connectivity=1)


def distance_to_contour(contour: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel (Y, X) to the contour, px; `_FAR` where there is none."""
    if not contour.any():
        return np.full(contour.shape, _FAR, np.float32)
    return edt.edt(np.ascontiguousarray(contour == 0), black_border=False)


def _ridges(plane: SlicePlane) -> np.ndarray:
    """Return the smoothed probability, higher where the slices around have walls."""
    ridges = ndimage.gaussian_filter(plane.probability.astype(np.float32), 1.0)
    for cells in plane.around:
        wall = ndimage.gaussian_filter((cells == 0).astype(np.float32), 1.0)
        ridges += _PRIOR / len(plane.around) * wall
    return ridges


def _strength(edge: tuple[float, list[np.ndarray]]) -> tuple[float, int]:
    """Return what walls are taken away by: weak ones first, of equal ones the long first."""
    size = sum(pixels.size for pixels in edge[1])
    return edge[0] / size, -size


def _borders(pieces: np.ndarray, cells: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Return, for each two pieces of one cell that touch, the pixels between them, flat."""
    index = np.arange(pieces.size).reshape(pieces.shape)
    found = []
    for ours, theirs in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        first, second = pieces[ours], pieces[theirs]
        meet = (first != second) & (cells[ours] == cells[theirs]) & (first > 0) & (second > 0)
        low, high = np.minimum(first, second)[meet], np.maximum(first, second)[meet]
        # Of the two pixels that meet, the one in the piece of the lower number.
        at = np.where(first < second, index[ours], index[theirs])[meet]
        found.append(np.stack([low, high, at], axis=1))
    table = np.unique(np.concatenate(found), axis=0)
    if not len(table):
        return {}
    pairs, starts = np.unique(table[:, :2], axis=0, return_index=True)
    groups = np.split(table[:, 2], starts[1:])
    return {(int(a), int(b)): group for (a, b), group in zip(pairs, groups, strict=True)}


class _Measure:
    """Measures suspects of one labelling of a slice."""

    def __init__(self, plane: SlicePlane, parts: np.ndarray, distance: np.ndarray) -> None:
        self.around = Around(parts, plane.around, distance, plane.membrane, plane.smoothed)
        self._distance = distance.ravel()
        self._membrane = None if plane.membrane is None else plane.membrane.ravel()
        self._first = plane.step1.ravel()
        self._smoothed = plane.smoothed.ravel()
        self._best = plane.probability.ravel()
        walls_around = [(cells == 0).ravel() for cells in plane.around]
        self._echo = np.mean(walls_around, axis=0) if walls_around else None

    def suspect(
        self,
        kind: str,
        pixels: np.ndarray,
        line: np.ndarray,
        numbers: tuple[np.ndarray, np.ndarray],
        first: Side,
        second: Side,
        length: float,
    ) -> Suspect:
        if second.area < first.area:
            first, second = second, first
        small, large = first.area, second.area
        witness, *fits = self.around.evidence(first, second)
        step1 = self._first[line]
        added = float(np.mean(~is_contour(step1)))
        if kind != GAP and added >= _ADDED:
            kind = CLOSURE
        fifth = line.size // 5
        return Suspect(
            kind,
            pixels,
            numbers,
            small,
            large,
            float(self._best[line].mean()),
            float(step1.mean()),
            float(np.partition(self._best[line], fifth)[fifth]),
            length / max(small, 1) ** 0.5,
            witness,
            (fits[0], fits[1], fits[2]),
            float(self._echo[line].mean()) if self._echo is not None else 0.0,
            added,
            float(step1.max()),
            float(np.median(step1)),
            float(self._distance[line].max()),
            (first.shape.depth, second.shape.depth),
            (
                first.shape.solidity,
                second.shape.solidity,
                (first.shape + second.shape).solidity,
            ),
            self._look(line, first, second),
            float(self._smoothed[line].min()),
            (first.basin, second.basin),
            (first.ground + second.ground) / max(first.open + second.open, 1),
        )

    def _look(self, line: np.ndarray, first: Side, second: Side) -> Membrane | None:
        if self._membrane is None:
            return None
        odds = self._membrane[line]
        fifth = line.size // 5
        mean = float(odds.mean())
        return Membrane(
            mean,
            float(np.partition(odds, fifth)[fifth]),
            float(np.mean(odds > 0)),
            mean - (first.odds + second.odds) / max(first.area + second.area, 1),
        )
