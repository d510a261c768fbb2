"""The cells of a run's contours, their ids, and the links between them, slice after slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.session_start import Start
from napari_copnet.proofreading.slice_ids import SliceIds
from napari_copnet.steps.cells import label_cells, label_slice
from napari_copnet.steps.linking import LONGEST_GAP, link_slices


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


class _Labels:
    """Labels of each slice on its own, made one after another; the last few can be looked up."""

    def __init__(self, start: Start, taken: Callable[[int, np.ndarray], None]) -> None:
        self._start, self._taken = start, taken
        self._last: dict[int, np.ndarray] = {}

    def __iter__(self) -> Iterator[np.ndarray]:
        start = self._start
        for z in range(start.contour.shape[0]):
            contour = (np.asarray(start.contour[z]) > 0).view(np.uint8)
            excluded = None if start.excluded is None else np.asarray(start.excluded[z])
            labels = label_slice(contour, start.cells, excluded=excluded)
            self._last[z] = labels
            self._last.pop(z - LONGEST_GAP - 2, None)
            self._taken(z, contour)
            yield labels

    def __getitem__(self, z: int) -> np.ndarray:
        return self._last[z]


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
    counts = np.zeros(depth, np.int64)
    pairs = _Pairs()
    for z, (labels, cells) in enumerate(_linked(_Labels(start, taken), start)):
        seeds.append(_firsts(labels))
        counts[z] = seeds[-1].size
        if cells is not None:
            pairs.add(cells)
        yield Progress("session", z + 1, planes, "slices")
    if start.cells.mode == "3d":
        labelled = yield from _labelled_in_3d(start)
        for z, firsts in enumerate(seeds):
            pairs.add(labelled[z].ravel()[firsts])
    total = int(counts.sum())
    names = np.arange(1, total + 1, dtype=np.uint32)
    places = np.concatenate([[-1], np.repeat(np.arange(depth), counts)]).astype(np.int32)
    ids = SliceIds(depth, counts, np.concatenate(seeds), names)
    return FirstCells(ids, Links(pairs.table(), total + 1), places)


def _linked(labels: _Labels, start: Start) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield the labels of each slice, and the cell of each label where slices are linked."""
    if start.cells.mode != "linked":
        yield from ((image, None) for image in labels)
        return
    window: Any = labels
    for z, (_, lookup) in enumerate(link_slices(window, start.cells.link_overlap)):
        yield labels[z], lookup[1:]


def _firsts(labels: np.ndarray) -> np.ndarray:
    """Return the first pixel of each label, where labels are numbered in their order."""
    highest = np.maximum.accumulate(labels.ravel())
    return np.flatnonzero(np.diff(highest, prepend=np.uint32(0)))


def _labelled_in_3d(start: Start) -> Steps[np.ndarray]:
    excluded = None if start.excluded is None else np.asarray(start.excluded)
    cells = yield from label_cells(np.asarray(start.contour), start.cells, excluded=excluded)
    return cells.labels


class _Pairs:
    """Links of each slice cell with the one before it in the same cell."""

    def __init__(self) -> None:
        self._next = 1
        self._last = np.zeros(1024, np.int64)
        self._found: list[np.ndarray] = [np.zeros((0, 2), np.int64)]

    def add(self, cells: np.ndarray) -> None:
        """Take the cells of the next slice's ids, in their order; 0 for none."""
        size = int(cells.max(initial=0)) + 1
        if size > self._last.size:
            more = np.zeros(max(size, 2 * self._last.size) - self._last.size, np.int64)
            self._last = np.concatenate([self._last, more])
        ids = np.arange(self._next, self._next + cells.size)
        self._next += cells.size
        # Two of one slice may be one cell in 3D: each is linked with the one before it.
        order = np.argsort(cells, kind="stable")
        ordered = cells[order]
        before = self._last[ordered]
        same = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
        before[same] = ids[order[same - 1]]
        linked = (before > 0) & (ordered > 0)
        self._found.append(np.stack([before[linked], ids[order[linked]]], axis=1))
        self._last[ordered[ordered > 0]] = ids[order[ordered > 0]]

    def table(self) -> np.ndarray:
        """Return the links, shape (N, 2), int64."""
        return np.concatenate(self._found)
