"""What is known of slices, kept for those used last: memory does not grow with the stack."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class SliceCache(Generic[Item]):
    """Values by slice, the ones used last. Several threads may look at them.

    Parameters
    ----------
    load : callable
        Returns the value of a slice that is not here.
    most : int
        How many slices are kept.
    keep : callable, optional
        Called with the slice and its value when one that was marked as changed has to go.
    """

    def __init__(
        self,
        load: Callable[[int], Item],
        most: int,
        keep: Callable[[int, Item], None] | None = None,
    ) -> None:
        self._load, self._keep, self._most = load, keep, most
        self._values: OrderedDict[int, Item] = OrderedDict()
        self._changed: set[int] = set()
        self._lock = threading.RLock()

    def __contains__(self, z: int) -> bool:
        return z in self._values

    def __getitem__(self, z: int) -> Item:
        """Return the value of a slice."""
        with self._lock:
            if z not in self._values:
                self.put(z, self._load(z))
            self._values.move_to_end(z)
            return self._values[z]

    def peek(self, z: int) -> Item | None:
        """Return the value of a slice if it is here."""
        return self._values.get(z)

    def put(self, z: int, value: Item) -> None:
        """Take a value; the one used longest ago goes where there are too many."""
        with self._lock:
            self._values[z] = value
            self._values.move_to_end(z)
            while len(self._values) > self._most:
                oldest, gone = self._values.popitem(last=False)
                self._write(oldest, gone)

    def change(self, z: int) -> Item:
        """Return the value of a slice to be changed in place."""
        with self._lock:
            value = self[z]
            self._changed.add(z)
            return value

    def drop(self, z: int) -> None:
        """Forget the value of a slice."""
        with self._lock:
            self._values.pop(z, None)
            self._changed.discard(z)

    def flush(self) -> None:
        """Have what was changed kept."""
        with self._lock:
            for z in sorted(self._changed):
                self._write(z, self._values[z])

    def _write(self, z: int, value: Item) -> None:
        if z in self._changed:
            self._changed.discard(z)
            if self._keep is not None:
                self._keep(z, value)


def slices_in(megabytes: float, slice_bytes: int, least: int = 4) -> int:
    """Return how many slices of a size to keep: those that fit, and no fewer than `least`."""
    return max(least, int(megabytes * 2**20 / max(slice_bytes, 1)))
