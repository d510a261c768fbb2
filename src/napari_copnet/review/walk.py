"""Walking the review queue: where one is, how far, how fast, and how long it will take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from napari_copnet.review.queue import Item

# The rate is that of so many last decisions; a longer pause than this is no work, s.
_LAST, _PAUSE = 20, 120.0


class Walk:
    """A place in the review queue.

    Parameters
    ----------
    items : iterable of Item
        From `queue.build_queue`, in the order in which they are to be seen.
    clock : callable
        Returns seconds.

    Attributes
    ----------
    items : list of Item
    current : Item or None
        The one in view; None before the first step and when there is none.
    """

    def __init__(self, items: Iterable[Item], clock: Callable[[], float] = time.monotonic) -> None:
        self.items = list(items)
        self.current: Item | None = None
        self._clock = clock
        self._took: deque[float] = deque(maxlen=_LAST)
        self._since = clock()

    @property
    def total(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def done(self) -> int:
        """Number of items that are decided."""
        return sum(bool(item.verdict) for item in self.items)

    @property
    def rate(self) -> float | None:
        """Decisions a minute of late; None before the first."""
        return 60 * len(self._took) / sum(self._took) if sum(self._took) else None

    @property
    def seconds_left(self) -> float | None:
        """Time that the open items will take at this rate; None before the first decision."""
        rate = self.rate
        return None if rate is None else 60 * (self.total - self.done) / rate

    def next(self) -> Item | None:
        """Go to the next open item, from the last to the first; None when all are decided."""
        return self._step(1, lambda item: not item.verdict)

    def previous(self) -> Item | None:
        """Go to the item before, decided or not."""
        return self._step(-1, lambda _: True)

    def go(self, item: Item) -> Item | None:
        """Go to an item, such as one found by `queue.item_at`."""
        self.current = next((own for own in self.items if own.key == item.key), None)
        return self.current

    def decided(self, key: str, verdict: str) -> None:
        """Note that an item was decided, or with an empty verdict that this was undone."""
        now = self._clock()
        if verdict:
            self._took.append(min(now - self._since, _PAUSE))
        self._since = now
        self.items = [
            replace(item, verdict=verdict) if item.key == key else item for item in self.items
        ]
        if self.current is not None:
            self.go(self.current)

    def renew(self, slices: Iterable[int], items: Iterable[Item]) -> None:
        """Put items found anew in place of those of some slices, as after an edit there."""
        gone = set(slices)
        kept = [item for item in self.items if item.z not in gone]
        self.items = sorted([*kept, *items], key=lambda item: (-item.score, item.key))
        if self.current is not None:
            self.go(self.current)

    def _step(self, way: int, wanted: Callable[[Item], bool]) -> Item | None:
        if not self.items:
            self.current = None
            return None
        keys = [item.key for item in self.items]
        at = keys.index(self.current.key) if self.current else (-1 if way > 0 else 0)
        for step in range(1, self.total + 1):
            item = self.items[(at + way * step) % self.total]
            if wanted(item):
                self.current = item
                return item
        self.current = None
        return None
