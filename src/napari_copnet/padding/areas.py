"""Connected areas of a large mask, held as runs along its rows.

Padding is large and its outline short, so there are few runs: what takes a label image and several
passes over it otherwise takes one pass here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

# Rows that are looked at together, so that they stay in the cache of the processor.
_ROWS = 32


class Areas:
    """The connected areas of a mask, numbered from 0 in the order of their first pixel.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
    diagonal : bool
        Whether pixels that share only a corner are connected.

    Attributes
    ----------
    sizes : ndarray, shape (N,), int
        Pixels of each area.
    """

    def __init__(self, mask: np.ndarray, diagonal: bool = False) -> None:
        self._shape = mask.shape
        self._rows, self._starts, self._stops = _runs(mask)
        owner = self._connected(int(diagonal))
        # Runs of an area follow each other.
        order = np.argsort(owner, kind="stable")
        self._rows, self._starts, self._stops = (
            one[order] for one in (self._rows, self._starts, self._stops)
        )
        self._first = np.searchsorted(owner[order], np.arange(owner.max(initial=-1) + 2))
        lengths = np.concatenate([[0], np.cumsum(self._stops - self._starts)])
        self.sizes = np.diff(lengths[self._first])

    def _connected(self, corner: int) -> np.ndarray:
        """Return the number of the area of each run."""
        count = self._rows.size
        wide = self._shape[1] + 2
        starts, stops = self._rows * wide + self._starts, self._rows * wide + self._stops
        # Those of the next row that end behind the start of a run and begin before its end.
        first = np.searchsorted(stops, starts + wide + 1 - corner)
        last = np.searchsorted(starts, stops + wide + corner)
        number = np.maximum(last - first, 0)
        above = np.repeat(np.arange(count), number)
        below = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number - first, number)
        pairs = sparse.coo_array((np.ones(above.size, bool), (above, below)), (count, count))
        owner = sparse.csgraph.connected_components(pairs, directed=False)[1]
        _, at, renumbered = np.unique(owner, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(at))[renumbered]

    def runs(self, number: int) -> Iterator[tuple[int, int, int]]:
        """Yield row, first column, and column behind the last, of each run of an area."""
        of = slice(self._first[number], self._first[number + 1])
        yield from zip(
            self._rows[of].tolist(),
            self._starts[of].tolist(),
            self._stops[of].tolist(),
            strict=True,
        )

    def box(self, number: int, beyond: int = 0) -> tuple[slice, slice]:
        """Return the rows and columns of an area, and `beyond` px more within the mask."""
        of = slice(self._first[number], self._first[number + 1])
        rows, starts, stops = self._rows[of], self._starts[of], self._stops[of]
        low, high = (rows[0], starts.min()), (rows[-1] + 1, stops.max())
        top, left = (max(0, int(one) - beyond) for one in low)
        bottom, right = (
            min(length, int(one) + beyond) for one, length in zip(high, self._shape, strict=True)
        )
        return slice(top, bottom), slice(left, right)

    def pixels(self, number: int, box: tuple[slice, slice]) -> np.ndarray:
        """Return an area as a mask of a box around it, bool."""
        out = np.zeros([side.stop - side.start for side in box], bool)
        self.paint(number, out, (box[0].start, box[1].start))
        return out

    def paint(self, number: int, mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> None:
        """Set an area in a mask whose first pixel is the one at `corner`."""
        top, left = corner
        for row, start, stop in self.runs(number):
            mask[row - top, start - left : stop - left] = True

    def first_pixel(self, number: int) -> tuple[int, int]:
        """Return row and column of the first pixel of an area."""
        return int(self._rows[self._first[number]]), int(self._starts[self._first[number]])

    def at_border(self) -> np.ndarray:
        """Return the numbers of the areas that reach the border of the mask."""
        height, width = self._shape
        there = (self._rows == 0) | (self._rows == height - 1)
        there |= (self._starts == 0) | (self._stops == width)
        return np.unique(np.searchsorted(self._first, np.flatnonzero(there), side="right") - 1)


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, first column, and column behind the last, of each run of set pixels."""
    height, width = mask.shape
    # Between rows lies a pixel that is not set, so that no run goes on in the next row.
    line = np.zeros(_ROWS * (width + 1) + 1, bool)
    lines = line[1:].reshape(_ROWS, width + 1)[:, :width]
    found = []
    for first in range(0, height, _ROWS):
        part = mask[first : first + _ROWS]
        lines[: len(part)] = part
        lines[len(part) :] = False
        found.append(np.flatnonzero(line[1:] != line[:-1]) + first * (width + 1))
    changes = np.concatenate(found)
    rows, starts = np.divmod(changes[::2], width + 1)
    return rows, starts, changes[1::2] - rows * (width + 1)


def grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return a mask grown by a square of ``2 reach + 1`` px.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
    reach : int
    """
    for axis in (0, 1):
        out = mask.copy()
        before, after = np.moveaxis(mask, axis, 0), np.moveaxis(out, axis, 0)
        for step in range(1, reach + 1):
            after[step:] |= before[:-step]
            after[:-step] |= before[step:]
        mask = out
    return mask
