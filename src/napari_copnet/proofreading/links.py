"""Links between slice cells, and the cell each slice cell belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse


class Links:
    """A set of links; cells that are linked, directly or through others, are one.

    A slice cell is identified by its id, a number that no other slice cell of the stack has. An id
    may be linked though no cell bears it at present: so two cells stay one when the cell between
    them is deleted, and deleting can be undone.

    Links known from the beginning are kept as a sorted table, since a large stack has millions;
    those of ids whose links have changed since, as sets.

    Parameters
    ----------
    pairs : ndarray, shape (N, 2), int
        Ids that are linked.
    ids : int
        Ids in use are below this.
    cells : ndarray, shape (ids,), uint32, optional
        From `lookup`, where the cell of each id is known.
    """

    def __init__(
        self,
        pairs: np.ndarray | None = None,
        ids: int = 1,
        cells: np.ndarray | None = None,
    ) -> None:
        pairs = np.zeros((0, 2), np.int64) if pairs is None else np.asarray(pairs, np.int64)
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
        size = max(ids, int(pairs.max(initial=0)) + 1, 1)
        both = np.concatenate([pairs, pairs[:, ::-1]]).astype(np.uint32)
        both = both[np.argsort(both[:, 0], kind="stable")]
        self._from, self._to = np.ascontiguousarray(both.T)
        # By id, for those whose links have changed.
        self._near: dict[int, set[int]] = {}
        if cells is not None and cells.size >= size:
            self._cell = np.array(cells, np.uint32)
            return
        self._cell = np.arange(size, dtype=np.uint32)
        if len(pairs):
            graph = sparse.coo_array((np.ones(len(pairs), bool), pairs.T), (size, size))
            _, parts = sparse.csgraph.connected_components(graph, directed=False)
            lowest = np.full(int(parts.max()) + 1, size, np.uint32)
            np.minimum.at(lowest, parts, self._cell)
            self._cell = lowest[parts]

    def __len__(self) -> int:
        return len(self.pairs())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((first, second) for first, second in self.pairs().tolist())

    def __contains__(self, pair: tuple[int, int]) -> bool:
        return pair[1] in self._known(pair[0])

    def pairs(self) -> np.ndarray:
        """Return all links, shape (N, 2), int64: the lower id first, in order."""
        first, second = self._from.astype(np.int64), self._to.astype(np.int64)
        if self._near:
            other = np.fromiter(self._near, np.int64, len(self._near))
            known = ~(np.isin(first, other) | np.isin(second, other))
            first, second = first[known], second[known]
        table = np.stack([first, second], axis=1)[first < second]
        changed = {
            (min(one, near), max(one, near)) for one, all_ in self._near.items() for near in all_
        }
        if changed:
            table = np.concatenate([table, np.array(sorted(changed), np.int64)])
        return table[np.lexsort((table[:, 1], table[:, 0]))]

    def near(self, cell_id: int) -> set[int]:
        """Return the ids directly linked with one."""
        return set(self._known(cell_id))

    def together(self, cell_id: int) -> set[int]:
        """Return all ids that are one cell with `cell_id`, itself included."""
        found, open_ends = {cell_id}, [cell_id]
        while open_ends:
            for other in self._known(open_ends.pop()):
                if other not in found:
                    found.add(other)
                    open_ends.append(other)
        return found

    def cell(self, cell_id: int) -> int:
        """Return the number of the cell that a slice cell belongs to: the lowest id in it."""
        return int(self._cell[cell_id]) if cell_id < self._cell.size else cell_id

    def lookup(self, ids: int) -> np.ndarray:
        """Return the cell of each id from 0 up to, and without, `ids`; uint32."""
        self._grow(ids)
        return self._cell[:ids]

    def add(self, pairs: Iterable[tuple[int, int]]) -> set[int]:
        """Add links; return the ids whose cell may have another number now."""
        touched: set[int] = set()
        for first, second in pairs:
            self._change(first).add(second)
            self._change(second).add(first)
            touched |= {first, second}
        return self._renumber(touched)

    def remove(self, pairs: Iterable[tuple[int, int]]) -> set[int]:
        """Remove links; return the ids whose cell may have another number now."""
        touched: set[int] = set()
        for first, second in pairs:
            self._change(first).discard(second)
            self._change(second).discard(first)
            touched |= {first, second}
        return self._renumber(touched)

    def _known(self, cell_id: int) -> set[int]:
        changed = self._near.get(cell_id)
        if changed is not None:
            return changed
        if not 0 <= cell_id < self._cell.size:
            return set()
        key = np.uint32(cell_id)
        first, last = (np.searchsorted(self._from, key, side) for side in ("left", "right"))
        return set(self._to[first:last].tolist())

    def _change(self, cell_id: int) -> set[int]:
        if cell_id not in self._near:
            self._near[cell_id] = self._known(cell_id)
        return self._near[cell_id]

    def _renumber(self, touched: set[int]) -> set[int]:
        changed: set[int] = set()
        for cell_id in touched:
            if cell_id not in changed:
                members = self.together(cell_id)
                self._grow(max(members) + 1)
                self._cell[list(members)] = min(members)
                changed |= members
        return changed

    def _grow(self, size: int) -> None:
        if size > self._cell.size:
            more = np.arange(self._cell.size, max(size, 2 * self._cell.size), dtype=np.uint32)
            self._cell = np.concatenate([self._cell, more])
