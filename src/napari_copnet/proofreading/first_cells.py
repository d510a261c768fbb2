"""The cells of a run's contours, their ids, and the links between them, slice after slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.session_start import Start
from napari_copnet.proofreading.slice_ids import SliceIds
from napari_copnet.steps.cells import label_cells, label_slice
from napari_copnet.steps.frame import moved
from napari_copnet.steps.linking import LONGEST_GAP, best_mutual


class FirstCells(NamedTuple):
    """What a session knows of cells before the first edit; as in `SessionModel`.

    Attributes
    ----------
    ids : SliceIds
        Consecutive from 1 through the stack.
    links : Links
    places : ndarray, shape (ids,), int32
        The slice of each id; -1 for 0.
    """

    ids: SliceIds
    links: Links
    places: np.ndarray


def first_cells(
    start: Start, taken: Callable[[int, np.ndarray], None], planes: int
) -> Steps[FirstCells]:
    """Derive cells and links of a run's contours, as `steps.cells` does.

    Parameters
    ----------
    start : Start
        Its arrays may be lazy: each slice is read once, except in mode ``"3d"``.
    taken : callable
        Called with the number of each slice and its contour, shape (Y, X), uint8, 0 or 1.
    planes : int
        Slices to be done in all, for the progress.

    Yields
    ------
    Progress
        In slices.
    """
    depth = start.contour.shape[0]
    seeds: list[np.ndarray] = []
    by_overlap = start.cells.mode == "linked" and start.labels is None
    linking = _Linking(start.cells.link_overlap) if by_overlap else None
    numbers: list[np.ndarray] = []
    for z in range(depth):
        contour = (np.asarray(start.contour[z]) > 0).view(np.uint8)
        excluded = None if start.excluded is None else np.asarray(start.excluded[z])
        labels = label_slice(contour, start.cells, excluded=excluded)
        taken(z, contour)
        seeds.append(_firsts(labels))
        if start.labels is not None:
            numbers.append(np.asarray(start.labels[z]).ravel()[seeds[-1]])
        if linking is not None:
            if start.shifts is not None:
                dy, dx = (int(shift) for shift in start.shifts[z])
                labels = moved(labels, (dy, dx), "labels")
            linking.add(labels, seeds[-1].size)
        yield Progress("session", z + 1, planes, "slices")
    pairs = np.zeros((0, 2), np.int64) if linking is None else linking.pairs()
    if start.labels is not None:
        pairs = _joined(numbers)
    elif start.cells.mode == "3d":
        pairs = yield from _joined_in_3d(start, seeds)
    counts = np.array([firsts.size for firsts in seeds], np.int64)
    total = int(counts.sum())
    names = np.arange(1, total + 1, dtype=np.uint32)
    places = np.concatenate([[-1], np.repeat(np.arange(depth), counts)]).astype(np.int32)
    ids = SliceIds(depth, counts, np.concatenate(seeds), names)
    return FirstCells(ids, Links(pairs, total + 1), places)


class _Linking:
    """Links the cells of each slice with those of the last one that has any, as `steps` does."""

    def __init__(self, link_overlap: float) -> None:
        self._link_overlap = link_overlap
        self._found = [np.zeros((0, 2), np.int64)]
        self._labels: np.ndarray | None = None
        # Slices since then; the highest id before it, and before the next one.
        self._ago = self._before = self._next = 0

    def add(self, labels: np.ndarray, count: int) -> None:
        """Take the labels of the next slice, aligned, shape (Y, X), 1 to `count`."""
        self._ago += 1
        if not count:
            return
        if self._labels is not None and self._ago <= LONGEST_GAP + 1:
            matched = best_mutual(self._labels, labels, self._link_overlap)
            self._found.append(matched + np.array([self._before, self._next]))
        self._labels, self._ago = labels, 0
        self._before, self._next = self._next, self._next + count

    def pairs(self) -> np.ndarray:
        """Return the links, shape (N, 2), int64."""
        return np.concatenate(self._found)


def _joined_in_3d(start: Start, seeds: list[np.ndarray]) -> Steps[np.ndarray]:
    """Link slice cells that are one in 3D."""
    excluded = None if start.excluded is None else np.asarray(start.excluded)
    cells = yield from label_cells(np.asarray(start.contour), start.cells, excluded=excluded)
    return _joined([cells.labels[z].ravel()[firsts] for z, firsts in enumerate(seeds)])


def _joined(numbers: list[np.ndarray]) -> np.ndarray:
    """Link slice cells of one number, each with the next one of it; 0 is no number.

    Parameters
    ----------
    numbers : list of ndarray, shape (cells of the slice,), unsigned int

    Returns
    -------
    ndarray, shape (N, 2), int64
    """
    values, places = np.unique(np.concatenate(numbers), return_inverse=True)
    pairs = [np.zeros((0, 2), np.int64)]
    last = np.zeros(values.size, np.int64)
    name = 0
    for size in (one.size for one in numbers):
        found = places[name : name + size]
        ids = name + 1 + np.arange(size)
        name += size
        order = np.argsort(found, kind="stable")
        found, ids = found[order], ids[order]
        before = last[found]
        # Of several in a slice each is linked with the one before it.
        same = np.flatnonzero(found[1:] == found[:-1]) + 1
        before[same] = ids[same - 1]
        linked = (values[found] > 0) & (before > 0)
        pairs.append(np.stack([before[linked], ids[linked]], axis=1))
        last[found] = ids
    return np.concatenate(pairs)


def _firsts(labels: np.ndarray) -> np.ndarray:
    """Return the first pixel of each label, where labels are numbered in their order."""
    highest = np.maximum.accumulate(labels.ravel())
    return np.flatnonzero(np.diff(highest, prepend=np.uint32(0)))
