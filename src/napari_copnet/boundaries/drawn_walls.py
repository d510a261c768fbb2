"""Walls that are drawn: which contour parts which two neighbouring cells.

Each pixel of the contour belongs to the nearest place where two cells would meet if they grew at
the same pace, and so to the wall between these two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# Cells further apart than twice this are no neighbours, px.
_HALF = 8.0
# Beside the thinnest place so much thicker ones still belong to a wall, px.
_THICKER = 2.5
# Shorter ones are corners at which cells touch, px.
_SHORTEST = 4


@dataclass(frozen=True)
class Wall:
    """A wall between two cells.

    Attributes
    ----------
    first, second : int
        The cells.
    pixels : ndarray, shape (N,), int
        What has to be erased to make them one, as flat indices of the slice.
    line : ndarray, shape (M,), int
        Its middle line, flat.
    """

    first: int
    second: int
    pixels: np.ndarray
    line: np.ndarray


def walls(contour: np.ndarray, cells: np.ndarray) -> Iterator[Wall]:
    """Find the walls of a slice.

    Parameters
    ----------
    contour : ndarray, shape (Y, X), bool
    cells : ndarray, shape (Y, X), unsigned int

    Yields
    ------
    Wall
        Those that can be erased without opening a third cell.
    """
    if not (cells > 0).any():
        return
    distance, at = ndimage.distance_transform_edt(cells == 0, return_indices=True)
    nearest = cells[at[0], at[1]]
    pairs, line = _meetings(nearest, distance, contour)
    if not len(line):
        return
    # One cell's pixels beside another cell: opening them would open that one as well.
    edges, group = np.unique(pairs, axis=0, return_inverse=True)
    group = group.ravel()
    which = np.full(cells.size, -1, np.int64)
    which[line] = group
    off, at = ndimage.distance_transform_edt(which.reshape(cells.shape) < 0, return_indices=True)
    here = at[0] * cells.shape[1] + at[1]
    thickness = distance.ravel()
    thinnest = np.full(len(edges), np.inf)
    np.minimum.at(thinnest, group, thickness[line])
    owner = which[here]
    fits = (
        contour
        & (off <= thickness[here] + 1)
        & (thickness[here] <= thinnest[owner] + _THICKER)
        & ~_beside_third(cells, edges[owner])
    )
    flat = np.flatnonzero(fits)
    order = np.argsort(owner.ravel()[flat], kind="stable")
    flat, numbers = flat[order], owner.ravel()[flat][order]
    starts = np.searchsorted(numbers, np.arange(len(edges) + 1))
    lines = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[lines], np.arange(len(edges) + 1))
    for number, (first, second) in enumerate(edges.tolist()):
        pixels = flat[starts[number] : starts[number + 1]]
        middle = np.unique(line[lines[ends[number] : ends[number + 1]]])
        if middle.size >= 2 * _SHORTEST and _joins(pixels, cells, first, second):
            yield Wall(first, second, pixels, middle)


def _meetings(
    nearest: np.ndarray, distance: np.ndarray, contour: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where grown cells meet: the two cells, and the pixel on either side, flat."""
    index = np.arange(nearest.size).reshape(nearest.shape)
    pairs, line = [], []
    for ours, theirs in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        first, second = nearest[ours], nearest[theirs]
        meet = (first != second) & (np.maximum(distance[ours], distance[theirs]) <= _HALF)
        meet &= contour[ours] | contour[theirs]
        low, high = np.minimum(first, second)[meet], np.maximum(first, second)[meet]
        for side in (ours, theirs):
            pairs.append(np.stack([low, high], axis=1))
            line.append(index[side][meet])
    both, pixels = np.concatenate(pairs), np.concatenate(line)
    drawn = contour.ravel()[pixels]
    return both[drawn], pixels[drawn]


def _beside_third(cells: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Return the pixels with a face neighbour in a cell that is none of the two of their wall."""
    found = np.zeros(cells.shape, bool)
    for ours, theirs in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        for here, there in ((ours, theirs), (theirs, ours)):
            other = cells[there]
            mine = owners[here]
            found[here] |= (other > 0) & (other != mine[..., 0]) & (other != mine[..., 1])
    return found


def _joins(pixels: np.ndarray, cells: np.ndarray, first: int, second: int) -> bool:
    """Whether erasing pixels makes two cells one."""
    if not pixels.size:
        return False
    rows, columns = np.divmod(pixels, cells.shape[1])
    top, left = max(rows.min() - 1, 0), max(columns.min() - 1, 0)
    near = cells[top : rows.max() + 2, left : columns.max() + 2]
    free = np.zeros(near.shape, bool)
    free[rows - top, columns - left] = True
    joined, _ = ndimage.label(free)
    one, other = (
        np.unique(joined[ndimage.binary_dilation(near == cell) & free]) for cell in (first, second)
    )
    return bool(np.intersect1d(one, other).size)
