"""The ids of slice cells by their first pixel, slice by slice, in tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_copnet.proofreading.slice_cache import SliceCache

# Slices whose ids are at hand as a dict, which takes twenty times the memory of a table.
_AT_HAND = 16

# First pixels, int64, and ids, uint32, of the cells of a slice.
Table = tuple[np.ndarray, np.ndarray]


class SliceIds:
    """For each slice: first pixel (row times width plus column) of each cell to its id.

    Parameters
    ----------
    depth : int
        Slices.
    counts : ndarray, shape (Z,), int, optional
        Cells in each slice; by default none.
    seeds, ids : ndarray, shape (N,), int
        First pixel and id of all cells, slice after slice.
    """

    def __init__(
        self,
        depth: int,
        counts: np.ndarray | None = None,
        seeds: np.ndarray | None = None,
        ids: np.ndarray | None = None,
    ) -> None:
        self._depth = depth
        counts = np.zeros(depth, np.int64) if counts is None else np.asarray(counts)
        self._ends = np.concatenate([[0], np.cumsum(counts)])
        self._seeds = np.zeros(0, np.int64) if seeds is None else np.asarray(seeds)
        self._ids = np.zeros(0, np.uint32) if ids is None else np.asarray(ids)
        self._changed: dict[int, Table] = {}
        self._cache: SliceCache[dict[int, int]] = SliceCache(self._load, _AT_HAND, self._keep)

    def __len__(self) -> int:
        return self._depth

    def __iter__(self) -> Iterator[dict[int, int]]:
        return (self[z] for z in range(self._depth))

    def __getitem__(self, z: int) -> dict[int, int]:
        """Return the ids of a slice by first pixel; not to be changed."""
        if not -self._depth <= z < self._depth:
            raise IndexError(f"slice {z} of {self._depth}")
        return self._cache[z % self._depth]

    def __setitem__(self, z: int, ids: dict[int, int]) -> None:
        given = dict(ids)
        changed = self.change(z)
        changed.clear()
        changed.update(given)

    def change(self, z: int) -> dict[int, int]:
        """Return the ids of a slice by first pixel, to be changed in place."""
        return self._cache.change(z)

    def count(self, z: int) -> int:
        """Return the number of cells of a slice."""
        at_hand = self._cache.peek(z)
        return len(at_hand) if at_hand is not None else self._table(z)[0].size

    def still(self) -> SliceIds:
        """Return these ids as they are now, for another thread, whatever becomes of them."""
        self._cache.flush()
        other = SliceIds(self._depth)
        other._ends, other._seeds, other._ids = self._ends, self._seeds, self._ids
        other._changed = dict(self._changed)
        return other

    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what this can be made of again: counts, seeds and ids."""
        self._cache.flush()
        tables = [self._table(z) for z in range(self._depth)]
        return (
            np.array([seeds.size for seeds, _ in tables], np.int64),
            np.concatenate([seeds for seeds, _ in tables]).astype(np.int64, copy=False),
            np.concatenate([ids for _, ids in tables]).astype(np.uint32, copy=False),
        )

    def _table(self, z: int) -> Table:
        if z in self._changed:
            return self._changed[z]
        inside = slice(self._ends[z], self._ends[z + 1])
        return self._seeds[inside], self._ids[inside]

    def _load(self, z: int) -> dict[int, int]:
        seeds, ids = self._table(z)
        return dict(zip(seeds.tolist(), ids.tolist(), strict=True))

    def _keep(self, z: int, ids: dict[int, int]) -> None:
        self._changed[z] = (
            np.fromiter(ids.keys(), np.int64, len(ids)),
            np.fromiter(ids.values(), np.uint32, len(ids)),
        )
