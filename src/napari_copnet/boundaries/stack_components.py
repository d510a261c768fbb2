"""Face-connected components of a stack, gathered slice by slice as runs of pixels along x.

A slice of 512×512 pixels has a few thousand runs, so joining, measuring and numbering components
takes no second look at the pixels: they are read once, and their labels written once. Labelling
the pixels themselves, with any library, takes a pass over the stack for each of these.
"""

from __future__ import annotations

import numpy as np
from numba import njit


class StackComponents:
    """The parts of a stack that are connected by faces, added slice by slice and then numbered.

    A run is a piece of a row. Each points to another of its component, in the end to the
    component's first run in z, y, x order; so numbering components in the order of these runs is
    numbering them by their first pixel. Twelve bytes a run are kept.

    Parameters
    ----------
    plane : tuple of int
        Shape (Y, X) of a slice.

    Attributes
    ----------
    count : int
        Components that were numbered.
    counts : ndarray, shape (Z,), int64
        How many of them are in each slice.
    """

    def __init__(self, plane: tuple[int, int]) -> None:
        self._plane = (int(plane[0]), int(plane[1]))
        # Most runs that a slice can have: every other pixel.
        self._most = self._plane[0] * ((self._plane[1] + 1) // 2)
        self._start, self._stop, self._first = (np.empty(self._most, np.int32) for _ in range(3))
        # Number of the first run of each row, and of the run behind the last.
        self._rows = np.zeros(1, np.int64)
        self._labels = np.zeros(0, np.uint32)
        self.count = 0
        self.counts = np.zeros(0, np.int64)

    def add(self, free: np.ndarray) -> None:
        """Add the next slice, shape (Y, X), bool: True where components are."""
        height = self._plane[0]
        used = int(self._rows[-1])
        if used + self._most > self._start.size:
            size = max(2 * self._start.size, used + self._most)
            for name in ("_start", "_stop", "_first"):
                wider = np.empty(size, np.int32)
                wider[:used] = getattr(self, name)[:used]
                setattr(self, name, wider)
        row = self._rows.size - 1
        self._rows = np.concatenate([self._rows, np.empty(height, np.int64)])
        pixels = np.ascontiguousarray(free, bool).view(np.uint8)
        _add_slice(pixels, self._start, self._stop, self._first, self._rows, row)

    def number(self, min_size: int = 0, remove_border: bool = False) -> None:
        """Number components consecutively from 1 by their first pixel in z, y, x order.

        Parameters
        ----------
        min_size : int
            Leave out components whose largest area in a slice is smaller, px.
        remove_border : bool
            Leave out components that touch the border of a slice.
        """
        used = int(self._rows[-1])
        self._labels = np.empty(used, np.uint32)
        self.counts = np.zeros((self._rows.size - 1) // self._plane[0], np.int64)
        self.count = _number(
            self._start[:used],
            self._stop[:used],
            self._first[:used],
            self._rows,
            self._plane[0],
            self._plane[1],
            min_size,
            remove_border,
            self._labels,
            self.counts,
        )

    def draw(self, z: int, out: np.ndarray) -> None:
        """Write the labels of slice z, 0 where there are none, to `out`: shape (Y, X), uint32."""
        _draw(out, self._start, self._stop, self._labels, self._rows, z * self._plane[0])


@njit(cache=True, nogil=True)
def _root(first, run):
    while first[run] != run:
        first[run] = first[first[run]]
        run = first[run]
    return run


@njit(cache=True, nogil=True)
def _join(start, stop, first, a, a_end, b, b_end):
    """Join the runs of one row with those of another that lie over or beside them."""
    while a < a_end and b < b_end:
        if start[a] < stop[b] and start[b] < stop[a]:
            one, other = _root(first, a), _root(first, b)
            if one < other:
                first[other] = one
            else:
                first[one] = other
        if stop[a] < stop[b]:
            a += 1
        else:
            b += 1


@njit(cache=True, nogil=True)
def _add_slice(free, start, stop, first, rows, row):
    height, width = free.shape
    run = rows[row]
    for y in range(height):
        x = 0
        while x < width:
            while x < width and free[y, x] == 0:
                x += 1
            if x == width:
                break
            start[run] = x
            while x < width and free[y, x] != 0:
                x += 1
            stop[run] = x
            first[run] = run
            run += 1
        here = row + y
        rows[here + 1] = run
        if y > 0:
            _join(start, stop, first, rows[here - 1], rows[here], rows[here], run)
        if row > 0:
            before = here - height
            _join(start, stop, first, rows[before], rows[before + 1], rows[here], run)


@njit(cache=True, nogil=True)
def _number(start, stop, first, rows, height, width, min_size, remove_border, labels, counts):
    # Of each component, at the number of its first run: largest area, area so far in the slice
    # at hand, and whether it is left out.
    largest = np.zeros(first.size, np.int32)
    area = np.zeros(first.size, np.int32)
    seen = np.full(first.size, -1, np.int32)
    out = np.zeros(first.size, np.bool_)
    for z in range(counts.size):
        for y in range(height):
            row = z * height + y
            for run in range(rows[row], rows[row + 1]):
                # The run before it in its component already points to the first one.
                root = _root(first, run)
                first[run] = root
                if seen[root] != z:
                    seen[root] = z
                    area[root] = 0
                area[root] += stop[run] - start[run]
                largest[root] = max(largest[root], area[root])
                if remove_border and (
                    y == 0 or y == height - 1 or start[run] == 0 or stop[run] == width
                ):
                    out[root] = True
    label = np.uint32(0)
    seen[:] = -1
    for z in range(counts.size):
        for run in range(rows[z * height], rows[(z + 1) * height]):
            root = first[run]
            if root == run:
                if out[run] or largest[run] < min_size:
                    labels[run] = 0
                else:
                    label += np.uint32(1)
                    labels[run] = label
            else:
                labels[run] = labels[root]
            if labels[run] and seen[root] != z:
                seen[root] = z
                counts[z] += 1
    return int(label)


@njit(cache=True, nogil=True)
def _draw(out, start, stop, labels, rows, row):
    height, width = out.shape
    for y in range(height):
        x = 0
        for run in range(rows[row + y], rows[row + y + 1]):
            out[y, x : start[run]] = 0
            out[y, start[run] : stop[run]] = labels[run]
            x = stop[run]
        out[y, x:width] = 0
