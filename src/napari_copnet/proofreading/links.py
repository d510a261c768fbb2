"""Links between slice cells, and the cell each slice cell belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse


class Links:
    """A set of links; cells that are linked, directly or through others, are one.

    A slice cell is told by its id, a number that no other slice cell of the stack has. An id
    may be linked though no cell bears it at present: so two cells stay one when the cell between
    them is deleted, and deleting can be undone.

    Parameters
    ----------
    pairs : ndarray, shape (N, 2), int
        Ids that are linked.
    ids : int
        Ids in use are below this.
    """

    def __init__(self, pairs: np.ndarray | None = None, ids: int = 1) -> None:
        pairs = np.zeros((0, 2), np.int64) if pairs is None else np.asarray(pairs, np.int64)
        size = max(ids, int(pairs.max(initial=0)) + 1, 1)
        self._near: dict[int, set[int]] = {}
        for first, second in pairs.tolist():
            self._near.setdefault(first, set()).add(second)
            self._near.setdefault(second, set()).add(first)
        self._cell = np.arange(size, dtype=np.uint32)
        if len(pairs):
            graph = sparse.coo_array((np.ones(len(pairs)), pairs.T), (size, size))
            _, parts = sparse.csgraph.connected_components(graph, directed=False)
            lowest = np.full(int(parts.max()) + 1, size, np.uint32)
            np.minimum.at(lowest, parts, self._cell)
            self._cell = lowest[parts]

    def __len__(self) -> int:
        return sum(len(near) for near in self._near.values()) // 2

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for first in sorted(self._near):
            yield from ((first, second) for second in sorted(self._near[first]) if first < second)

    def __contains__(self, pair: tuple[int, int]) -> bool:
        return pair[1] in self._near.get(pair[0], ())

    def near(self, cell_id: int) -> set[int]:
        """Return the ids directly linked with one."""
        return set(self._near.get(cell_id, ()))

    def together(self, cell_id: int) -> set[int]:
        """Return all ids that are one cell with `cell_id`, itself included."""
        found, open_ends = {cell_id}, [cell_id]
        while open_ends:
            for other in self._near.get(open_ends.pop(), ()):
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
            self._near.setdefault(first, set()).add(second)
            self._near.setdefault(second, set()).add(first)
            touched |= {first, second}
        return self._renumber(touched)

    def remove(self, pairs: Iterable[tuple[int, int]]) -> set[int]:
        """Remove links; return the ids whose cell may have another number now."""
        touched: set[int] = set()
        for first, second in pairs:
            for one, other in ((first, second), (second, first)):
                near = self._near.get(one, set())
                near.discard(other)
                if not near:
                    self._near.pop(one, None)
            touched |= {first, second}
        return self._renumber(touched)

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
