"""Where the contour may be wrong: walls it may lack, and walls it may have too many.

All of it looks at one slice, with the cells of the slices before and after as witnesses. A
suspect is a wall: some pixels, and the two sides it parts or would part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import cc3d
import edt
import numpy as np
from scipy import ndimage
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from napari_copnet.errors import CopnetError
from napari_copnet.review.edits import bounding_box
from napari_copnet.review.paths import wall_between

CLOSURE, GAP, SPLIT, UNSETTLED = "closure", "gap", "split", "unsettled"

# Sides smaller than this many pixels are no cells worth a look.
SMALLEST_SIDE = 30
# Relief of the watershed: the probability, less so much for each pixel of distance to contour,
# and the least depth of a basin.
_SLOPE, _FAR, _DEPTH = 0.02, 20.0, 0.04
# What a wall in the slices around counts for, beside a probability of 1.
_PRIOR = 0.1
# A neighbouring cell speaks for a side when it covers this share of it.
_COVER = 0.5


@dataclass(frozen=True)
class Suspect:
    """A wall in doubt.

    Attributes
    ----------
    kind : str
        `CLOSURE`: the network drew it; `SPLIT`: it parts what is one cell in the slices around;
        `GAP`: it is not drawn.
    mask : ndarray, shape (Y, X), bool
        Its pixels: drawn ones that would be erased, or open ones that would be drawn.
    probability : float
        Mean contour probability along it.
    width : float
        Pixels of the wall for each pixel of the smaller side's diameter: small for a narrow neck.
    witness : float
        What the slices around say: 1 where all of them part the two sides, -1 where all show one
        cell, 0 where they do not know.
    echo : float
        Share of its pixels that lie on walls in the slices around, 0 to 1.
    hanging : int
        Pixels of the smaller side: what is merged, or split off, wrongly if the suspicion holds.
    """

    kind: str
    mask: np.ndarray
    probability: float
    width: float
    witness: float
    echo: float
    hanging: int


def closures(
    contour: np.ndarray,
    step1: np.ndarray,
    cells: np.ndarray,
    probability: np.ndarray,
    around: Sequence[np.ndarray],
) -> Iterator[Suspect]:
    """Find what the network closed: parts of the contour that Step 1 has not, and that part cells.

    Parameters
    ----------
    contour, step1 : ndarray, shape (Y, X), bool
        Closed contour and rounded Step 1.
    cells : ndarray, shape (Y, X), unsigned int
        Cells of the slice by name.
    probability : ndarray, shape (Y, X), float
        Of contour, after closing.
    around : sequence of ndarray
        Cells of the slices before and after, each of shape (Y, X).
    """
    added = cc3d.connected_components(contour & ~step1, connectivity=8, out_dtype=np.uint32)
    areas = np.bincount(cells.ravel())
    for number, box in enumerate(ndimage.find_objects(added), start=1):
        near = _wider(box, 2, added.shape)
        part = added[near] == number
        beside = np.unique(cells[near][ndimage.binary_dilation(part)])
        beside = beside[beside > 0]
        if beside.size < 2:
            continue
        first, second = beside[np.argsort(-areas[beside], kind="stable")][:2]
        mask = np.zeros(added.shape, bool)
        mask[near] = part
        yield _suspect(
            CLOSURE, mask, probability, cells == first, cells == second, around, mask.sum() ** 0.5
        )


def one_slice_splits(
    contour: np.ndarray,
    cells: np.ndarray,
    probability: np.ndarray,
    around: Sequence[np.ndarray],
    excluded: np.ndarray | None,
) -> Iterator[Suspect]:
    """Find walls between two cells that are one cell in the slices before and after.

    Parameters are as for `closures`; `excluded` is where there can be no cells.
    """
    if len(around) < 2:
        return
    groups: dict[tuple[int, ...], list[int]] = {}
    for name in np.unique(cells[cells > 0]).tolist():
        mine = cells == name
        if np.count_nonzero(mine) < SMALLEST_SIDE:
            continue
        over = tuple(_over(mine, other) for other in around)
        if all(over):
            groups.setdefault(over, []).append(name)
    for names in groups.values():
        for first, second in combinations(names, 2):
            try:
                wall = wall_between(contour, cells, first, second, excluded)
            except CopnetError:
                continue
            yield _suspect(
                SPLIT, wall, probability, cells == first, cells == second, around, wall.sum() ** 0.5
            )


def gaps(
    contour: np.ndarray,
    cells: np.ndarray,
    probability: np.ndarray,
    around: Sequence[np.ndarray],
) -> Iterator[Suspect]:
    """Find walls that may be missing: necks of cells, and ridges of the probability in them.

    Each cell is cut by a watershed of the probability, lower towards the middle of the cell and
    higher where the slices around have walls. The pieces are put together again, always the two
    with the weakest wall between them; each wall that was taken away is a suspect. So the last
    one parts the cell in two, the one before parts one of these, and so on.

    Parameters are as for `closures`.
    """
    ridges = _ridges(probability, around)
    pieces = _pieces(contour, cells, ridges)
    owner = np.zeros(int(pieces.max(initial=0)) + 1, np.int64)
    owner[pieces.ravel()] = cells.ravel()
    walls = _walls(pieces, cells)
    by_cell: dict[int, dict[tuple[int, int], np.ndarray]] = {}
    for pair, pixels in walls.items():
        by_cell.setdefault(int(owner[pair[0]]), {})[pair] = pixels
    flat = ridges.ravel()
    for edges in by_cell.values():
        members = {number: [number] for pair in edges for number in pair}
        while edges:
            # The weakest wall, long ones of equal strength before short ones.
            pair = min(edges, key=lambda p: (float(flat[edges[p]].mean()), -edges[p].size))
            pixels = edges.pop(pair)
            first, second = (np.isin(pieces, members[number]) for number in pair)
            if min(np.count_nonzero(first), np.count_nonzero(second)) >= SMALLEST_SIDE:
                mask = np.zeros(cells.shape, bool)
                mask.ravel()[pixels] = True
                yield _suspect(GAP, mask, probability, first, second, around, float(mask.sum()))
            keep, gone = pair
            members[keep] += members.pop(gone)
            for other in [p for p in edges if gone in p]:
                pixels = edges.pop(other)
                third = other[0] if other[1] == gone else other[1]
                joined = (min(keep, third), max(keep, third))
                edges[joined] = np.union1d(edges.get(joined, pixels[:0]), pixels)


def _ridges(probability: np.ndarray, around: Sequence[np.ndarray]) -> np.ndarray:
    """Return the smoothed probability, higher where the slices around have walls."""
    ridges = ndimage.gaussian_filter(probability.astype(np.float32), 1.0)
    for cells in around:
        wall = ndimage.gaussian_filter((cells == 0).astype(np.float32), 1.0)
        ridges += _PRIOR / len(around) * wall
    return ridges


def _pieces(contour: np.ndarray, cells: np.ndarray, ridges: np.ndarray) -> np.ndarray:
    inside = cells > 0
    distance = edt.edt(np.ascontiguousarray(contour == 0), black_border=False)
    relief = ridges - _SLOPE * np.minimum(distance, _FAR)
    relief[~inside] = relief.max(initial=0) + 1
    # Basins at least so deep: flooding begins at what is left when these are filled.
    filled = reconstruction(relief + _DEPTH, relief, method="erosion")
    minima = (filled - relief >= _DEPTH - 1e-6) & inside
    seeds = cc3d.connected_components(minima, connectivity=8, out_dtype=np.uint32)
    return watershed(relief, seeds.astype(np.int32), mask=inside, connectivity=1)


def _walls(pieces: np.ndarray, cells: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
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


def _suspect(
    kind: str,
    mask: np.ndarray,
    probability: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    around: Sequence[np.ndarray],
    length: float,
) -> Suspect:
    hanging = int(min(np.count_nonzero(first), np.count_nonzero(second)))
    return Suspect(
        kind,
        mask,
        float(probability[mask].mean()),
        length / max(hanging, 1) ** 0.5,
        _witness(first, second, around),
        float(np.mean([np.mean(cells[mask] == 0) for cells in around])) if around else 0.0,
        hanging,
    )


def _witness(first: np.ndarray, second: np.ndarray, around: Sequence[np.ndarray]) -> float:
    says = []
    for cells in around:
        one, other = _over(first, cells), _over(second, cells)
        if one and other:
            says.append(1.0 if one != other else -1.0)
        else:
            says.append(0.0)
    return sum(says) / len(says) if says else 0.0


def _over(side: np.ndarray, cells: np.ndarray) -> int:
    """Return the cell of another slice that covers most of a side, 0 where none covers it."""
    box = bounding_box(side)
    values = cells[box][side[box]]
    if not values.any():
        return 0
    found, counts = np.unique(values, return_counts=True)
    counts[found == 0] = 0
    best = int(counts.argmax())
    return int(found[best]) if counts[best] >= _COVER * values.size else 0


def _wider(box: tuple[slice, ...], margin: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, length))
        for side, length in zip(box, shape, strict=True)
    )
