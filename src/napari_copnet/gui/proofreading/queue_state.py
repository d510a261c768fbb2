"""Walking the review queue: which item is asked, what was decided, and how fast it goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_copnet.gui.widgets.pace import duration
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.queue import Item, build_queue, renewed, slices_for
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.still import StillView

# Number of recent decisions from which the pace is estimated. A longer time between two, s, or one
# so many times the usual, is a pause and does not count.
_LAST, _PAUSE, _TIMES = 20, 60.0, 4.0
# Before there is a pace: one key and the look at what it did, s.
_USUAL = 1.5
# So many items are listed at first, and with each `unfold`: a minute of work that has an end.
_PORTION = 40
# A click so near to a wall means it, px.
_BESIDE = 3


@dataclass(frozen=True)
class Listed:
    """The items listed at a moment, and what was decided on them."""

    items: tuple[Item, ...]
    verdicts: Mapping[str, str]

    def is_decided(self, item: Item) -> bool:
        """Whether an item is decided in all its slices."""
        return all(self.verdicts.get(one.key) for one in (item, *item.also))


class QueueState:
    """The items of a session and the one in question.

    Attributes
    ----------
    items : list of Item
        The highest score first.
    kind : str
        Only items of this kind are walked; empty for all.
    at : int
        Position among `shown`; -1 before the first.
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.kind = ""
        self.at = -1
        # Where the walk goes on when none is in question.
        self._from = 0
        self._shown: list[Item] = []
        self._count = _PORTION
        self._verdicts: dict[str, str] = {}
        self._decided: list[float] = []
        # How many of those shown are open, and of those that are not: asked for at every answer.
        self._counts: tuple[int, int] | None = None

    @property
    def shown(self) -> list[Item]:
        """The items of the chosen kind; of all kinds, the first ones, and more with `unfold`."""
        return self._shown

    @property
    def folded(self) -> int:
        """How many open items are not listed, as they matter less."""
        return self._counted()[1]

    def _counted(self) -> tuple[int, int]:
        if self._counts is None:
            there = [item for item in self.items if self.kind in ("", item.kind)]
            left = [item.key for item in there if not self.verdict(item)]
            listed = {item.key for item in self._shown}
            shown = sum(not self.verdict(item) for item in self._shown)
            self._counts = shown, sum(key not in listed for key in left)
        return self._counts

    def unfold(self) -> None:
        """List the next `more` items, too."""
        self._count += _PORTION
        self._filter()

    @property
    def more(self) -> int:
        """How many open items `unfold` adds."""
        return min(self.folded, _PORTION)

    @property
    def headline(self) -> str:
        """What is worth doing, and how long it takes."""
        left = self.open
        if not left:
            return ""
        return f"T{self.what[1:]}: about {_long(left * (self._each or _USUAL))}"

    @property
    def what(self) -> str:
        """The open items in words, such as ``the 40 that matter most``."""
        left = self.open
        if left == 1:
            return "the one that matters most" if self.folded else "the one left"
        return f"the {left} {'that matter most' if self.folded else 'left'}"

    @property
    def open(self) -> int:
        """How many of the items shown are not decided."""
        return self._counted()[0]

    @property
    def answered(self) -> int:
        """How many of the items shown are decided."""
        return len(self._shown) - self.open

    @property
    def current(self) -> Item | None:
        """The item in question."""
        return self._shown[self.at] if 0 <= self.at < len(self._shown) else None

    def verdict(self, item: Item) -> str:
        """What was decided on an item; empty for nothing."""
        return self._verdicts.get(item.key, "")

    @property
    def listed(self) -> Listed:
        """The items as they are now, for a search in another thread."""
        return Listed(tuple(self.items), self._verdicts)

    def replace(self, items: list[Item]) -> None:
        """Take new items; the one in question stays if it is there."""
        self.items = items
        self._filter()

    def choose_kind(self, kind: str) -> None:
        """Walk items of one kind; empty for all."""
        self.kind = kind
        self._filter()

    def read_verdicts(self, session: Session) -> None:
        """Look up what is decided now."""
        self._verdicts = {key: v.verdict for key, v in session.verdicts.items()}
        self._counts = None

    def go_to(self, position: int) -> Item | None:
        """Ask the item at a position."""
        if 0 <= position < len(self._shown):
            self.at = position
        return self.current

    def find(self, key: str) -> Item | None:
        """Ask the item with a key, where it is among those shown; return it."""
        for position, item in enumerate(self._shown):
            if item.key == key:
                self.at = position
                return item
        return None

    def at_place(self, z: int, y: int, x: int) -> Item | None:
        """Ask the item whose wall a pixel belongs to, or lies beside; return it, or None."""
        best: tuple[float, Item] | None = None
        for item in self.items:
            for patch in item.patches:
                away = _distance(patch, z, y, x)
                if away <= _BESIDE and (best is None or away < best[0]):
                    best = away, item
        if best is None:
            return None
        if self.find(best[1].key) is None:
            self._count = len(self.items)
            self.choose_kind("")
        return self.find(best[1].key)

    def next(self) -> Item | None:
        """Ask the next item that is open, from the start again after the last; None for none."""
        count = len(self._shown)
        first = self.at + 1 if self.at >= 0 else self._from
        for step in range(count):
            position = (first + step) % count
            if not self.verdict(self._shown[position]):
                self.at = position
                return self.current
        return None

    def previous(self) -> Item | None:
        """Ask the item before, open or decided."""
        before = self.at - 1 if self.at >= 0 else min(self._from, len(self._shown) - 1)
        if before >= 0:
            self.at = before
        return self.current

    def leave(self, passed: bool = False, to_start: bool = False) -> None:
        """Ask nothing.

        The walk goes on with the item that was asked, after it if `passed`, or from the start.
        """
        if to_start:
            self._from = 0
        elif self.at >= 0:
            self._from = self.at + passed
        self.at = -1

    def decided(self, now: float | None = None) -> None:
        """Note that a decision was made."""
        self._decided.append(time.monotonic() if now is None else now)
        del self._decided[:-_LAST]

    @property
    def text(self) -> str:
        """Progress, rate and time left."""
        total = len(self._shown)
        if not total:
            return "No items."
        done = self.answered
        text = f"{done} of {total} decided"
        each = self._each
        if each is None:
            return text
        text += f", {60 / each:.0f} per minute" if each < 60 else f", {duration(each)} each"
        return text + (f", about {duration(each * (total - done))} left" if done < total else "")

    @property
    def _each(self) -> float | None:
        """Seconds from one decision to the next, pauses left out; None before there are two."""
        gaps = [b - a for a, b in zip(self._decided, self._decided[1:], strict=False)]
        gaps = [gap for gap in gaps if gap < _PAUSE]
        if not gaps:
            return None
        usual = statistics.median(gaps)
        return max(statistics.fmean([gap for gap in gaps if gap <= _TIMES * usual]), 0.05)

    def _filter(self) -> None:
        current = self.current
        listed = self.items
        if not self.kind:
            listed = listed[: self._count]
        self._shown = [item for item in listed if self.kind in ("", item.kind)]
        self._counts = None
        # Where the item in question is gone, N goes on from the same place.
        self.at = min(self.at, len(self._shown)) - 1 if current is not None else -1
        if current is not None:
            self.find(current.key)


def _long(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _distance(patch: Patch, z: int, y: int, x: int) -> float:
    """Return how far a pixel lies from a wall, px; infinite where it lies clearly apart."""
    if (
        patch.z != z
        or not patch.count
        or not patch.top - _BESIDE <= y < patch.top + patch.height + _BESIDE
        or not patch.left - _BESIDE <= x < patch.left + patch.width + _BESIDE
    ):
        return np.inf
    points = np.argwhere(patch.mask) + np.array([patch.top, patch.left])
    return float(np.hypot(*(points - (y, x)).T).min())


def still_for(session: Session, slices: list[int] | None) -> StillView:
    """Take along what `find_items` needs of a session, in the thread of the window."""
    return StillView(session, None if slices is None else slices_for(slices, session.shape[0]))


def find_items(still: StillView, slices: list[int] | None, listed: Listed) -> Steps[list[Item]]:
    """Find the items of a session as it was at one moment, in a thread beside the window.

    Of some slices, they come with the items listed for the others. `still` is from `still_for` of
    the same slices.
    """
    yield Progress("queue", 0, len(slices or ()) or still.shape[0], "slices")
    found = yield from build_queue(still, slices)
    if slices is None:
        return found
    return renewed(listed.items, found, slices, listed.is_decided)
