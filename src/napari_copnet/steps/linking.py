"""Link slice cells through z: the best-overlapping cells of neighbouring slices are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import sparse

# Blank or lost slices that a cell may bridge; beyond, overlap says little about identity.
LONGEST_GAP = 3


def overlaps(first: np.ndarray, second: np.ndarray) -> sparse.coo_array:
    """Count the pixels that each label of one image shares with each label of another.

    Parameters
    ----------
    first, second : ndarray, shape (Y, X), unsigned int
        0 counts as a label.

    Returns
    -------
    sparse array, shape (labels of first, labels of second), int64
    """
    rows, columns = first.ravel().astype(np.intp), second.ravel().astype(np.intp)
    shape = (int(rows.max(initial=0)) + 1, int(columns.max(initial=0)) + 1)
    pairs, counts = _counted(rows * shape[1] + columns, shape[0] * shape[1])
    return sparse.coo_array((counts, (pairs // shape[1], pairs % shape[1])), shape)


def _counted(values: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    if largest <= 16 * values.size + 1024:
        counts = np.bincount(values)
        present = np.flatnonzero(counts)
        return present, counts[present]
    return np.unique(values, return_counts=True)


def best_mutual(first: np.ndarray, second: np.ndarray, link_overlap: float) -> np.ndarray:
    """Return pairs of labels that are each other's best match by intersection over union.

    Parameters
    ----------
    first, second : ndarray, shape (Y, X), unsigned int
    link_overlap : float
        Smallest intersection over union of a pair.

    Returns
    -------
    ndarray, shape (N, 2), int64
        Label in `first`, label in `second`. No label occurs twice in a column. Of equally good
        matches the lower label wins.
    """
    table = overlaps(first, second)
    rows, columns = table.coords
    area_first = np.bincount(rows, table.data, table.shape[0])
    area_second = np.bincount(columns, table.data, table.shape[1])
    cells = (rows > 0) & (columns > 0)
    rows, columns, shared = rows[cells], columns[cells], table.data[cells]
    iou = shared / (area_first[rows] + area_second[columns] - shared)
    by_first = _best(rows, columns, iou)
    by_second = _best(columns, rows, iou)
    mutual = by_first & by_second & (iou >= link_overlap)
    return np.stack([rows[mutual], columns[mutual]], axis=1).astype(np.int64)


def _best(group: np.ndarray, other: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Mark the entry of highest score in each group, the lowest `other` among equals."""
    order = np.lexsort((other, -score, group))
    sorted_group = group[order]
    head = np.ones(order.size, bool)
    head[1:] = sorted_group[1:] != sorted_group[:-1]
    best = np.zeros(order.size, bool)
    best[order[head]] = True
    return best


def last_with_cells(counts: np.ndarray) -> tuple[int, ...]:
    """Return for each slice the one to link it with: the last with cells, or -1.

    Parameters
    ----------
    counts : ndarray, shape (Z,), int
        Cells of each slice. At most `LONGEST_GAP` empty slices are bridged.
    """
    found, last = [], -1
    for z, count in enumerate(counts):
        near = count > 0 and last >= 0 and z - last <= LONGEST_GAP + 1
        found.append(last if near else -1)
        last = z if count > 0 else last
    return tuple(found)


def linked_labels(
    counts: np.ndarray, before: Sequence[int], pairs: Mapping[int, np.ndarray]
) -> list[np.ndarray]:
    """Give slice cells labels that are consistent through the stack.

    A slice cell takes the label of its best mutual match in the slice before, else a new label.
    So a linked cell never has two cells of one slice. Labels are numbered in order of first
    appearance.

    Parameters
    ----------
    counts : ndarray, shape (Z,), int
        Cells of each slice.
    before : sequence of int
        From `last_with_cells`.
    pairs : mapping of int to ndarray, shape (N, 2), int
        By slice, from `best_mutual`: label in the slice before, label in this one.

    Returns
    -------
    list of ndarray, shape (labels in the slice + 1,), uint32
        For each slice, the linked label of each of its labels; that of 0 is 0.
    """
    used = 0
    lookups: list[np.ndarray] = []
    for z, count in enumerate(counts):
        lookup = np.zeros(int(count) + 1, np.uint32)
        if before[z] >= 0:
            matched = pairs[z]
            lookup[matched[:, 1]] = lookups[before[z]][matched[:, 0]]
        new = np.flatnonzero(lookup == 0)[1:]
        lookup[new] = used + 1 + np.arange(new.size, dtype=np.uint32)
        used += new.size
        lookups.append(lookup)
    return lookups


def link_slices(slices: np.ndarray, link_overlap: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Link slice cells one slice after another; see `last_with_cells` and `linked_labels`.

    Parameters
    ----------
    slices : array, shape (Z, Y, X), unsigned int
        Labels of each slice on its own, consecutive from 1. May be lazy.
    link_overlap : float
        Smallest intersection over union of linked cells, 0 to 1.

    Yields
    ------
    labels : ndarray, shape (Y, X), uint32
        Linked labels of the next slice.
    lookup : ndarray, shape (labels in the slice + 1,), uint32
        Linked label of each label of the slice; ``lookup[0]`` is 0.
    """
    counts = np.array([int(image.max(initial=0)) for image in slices])
    before = last_with_cells(counts)
    pairs = {
        z: best_mutual(slices[last], slices[z], link_overlap)
        for z, last in enumerate(before)
        if last >= 0
    }
    for image, lookup in zip(slices, linked_labels(counts, before, pairs), strict=True):
        yield lookup[image], lookup
