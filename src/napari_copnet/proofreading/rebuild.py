"""Rebuild a damaged list of edits from its remains and the newest snapshot.

Edits that can't be read and lie before the snapshot are not lost: what they did is the difference
between the state before them and the state after, and one edit that makes it takes their place.
Edits after it are made again one by one past those that can't be read, if they do now exactly what
they did then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from napari_copnet.errors import InputError
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.edits import (
    CONTOUR,
    MARKS,
    Change,
    Edit,
    Flip,
    Judge,
    Patch,
    Relink,
    Renumber,
)
from napari_copnet.proofreading.journal import Head, JournalEntry
from napari_copnet.proofreading.live_cells import LiveCells
from napari_copnet.proofreading.packing import from_bytes, to_bytes
from napari_copnet.proofreading.planes import Planes
from napari_copnet.proofreading.salvage import Salvaged
from napari_copnet.proofreading.session_model import SessionModel

# Tools that only add to the contour, or only take from it.
_VALUE_BEFORE = {"draw": 0, "erase": 1}


@dataclass
class State:
    """A state of a session and the edit it is as of."""

    model: SessionModel
    at: int
    excluded: Planes | None


@dataclass
class Rebuilt:
    """A list of edits that is whole again.

    Attributes
    ----------
    entries : dict of int to Entry
        Each with a parent that is there.
    head : Head
    joined : dict of int to int
        By the number of an edit that stands for several: for how many.
    again : list of int
        Edits after lost ones that were made again.
    lost : int
        Edits whose effect is lost.
    start : State or None
        Another start, where the one on disk can't be read.
    """

    entries: dict[int, JournalEntry] = field(default_factory=dict)
    head: Head = field(default_factory=Head)
    joined: dict[int, int] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    lost: int = 0
    start: State | None = None

    @property
    def applied(self) -> int:
        """How many edits have their effect now."""
        return sum(self.joined.get(number, 1) for number in self.way(self.head.current))

    def way(self, number: int) -> list[int]:
        """Return the edits from the start to one."""
        way = []
        while number:
            way.append(number)
            number = self.entries[number].parent
        return way[::-1]


class _Unfit(Exception):
    """An edit can't be made where it belongs: it is damaged though it can be read."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def rebuild(
    found: Salvaged, start: State | None, snapshot: State | None, facts: session_files.Facts
) -> Rebuilt:
    """Return a list of edits that is whole, with as much of what was done as can be known.

    Parameters
    ----------
    found : Salvaged
        What can be read.
    start, snapshot : State or None
        States that can be read; at least one of them.
    facts : store.Facts
        Of the session.

    Raises
    ------
    InputError
        What can be read does not belong together.
    """
    entries = dict(found.entries)
    while True:
        try:
            return _rebuilt(dict(entries), found, start, snapshot, facts)
        except _Unfit as error:
            if entries.pop(error.number, None) is None:
                raise InputError(
                    "The remaining files of this session do not belong together.",
                    "Restore its folder from a copy.",
                ) from error


def difference(before: SessionModel, after: SessionModel, tool: str) -> Edit:
    """Return the edit that leads from one state to another of the same shape."""
    changes: list[Change] = []
    for z in range(before.shape[0]):
        flipped = before.contour[z] != after.contour[z]
        if flipped.any():
            changes.append(Flip(CONTOUR, Patch.of(z, flipped)))
        for plane, bit in MARKS.items():
            flipped = (before.marks[z] ^ after.marks[z]) & bit != 0
            if flipped.any():
                changes.append(Flip(plane, Patch.of(z, flipped)))
    first = before.next_id
    for z in range(before.shape[0]):
        old, new = set(before.ids[z].items()), set(after.ids[z].items())
        if old != new or (z == before.shape[0] - 1 and first != after.next_id):
            gone, come = tuple(sorted(old - new)), tuple(sorted(new - old))
            changes.append(Renumber(z, gone, come, first, after.next_id))
            first = after.next_id
    links, others = set(before.links), set(after.links)
    if links != others:
        changes.append(Relink(tuple(sorted(others - links)), tuple(sorted(links - others))))
    for key in sorted(before.verdicts.keys() | after.verdicts.keys()):
        old_verdict, new_verdict = before.verdicts.get(key), after.verdicts.get(key)
        if old_verdict != new_verdict:
            changes.append(Judge(old_verdict, new_verdict))
    return Edit(tool, tuple(changes))


def _rebuilt(
    entries: dict[int, JournalEntry],
    found: Salvaged,
    start: State | None,
    snapshot: State | None,
    facts: session_files.Facts,
) -> Rebuilt:
    made = Rebuilt()
    highest = max(found.highest, snapshot.at if snapshot else 0)
    known = _rooted(entries)
    if start is None:
        assert snapshot is not None
        start = made.start = _earliest(snapshot, entries, known)
        known = _rooted(entries)
    if snapshot is not None and snapshot.at not in known:
        _join(made, entries, known, start, snapshot)
        known = _rooted(entries)
    head = found.head
    if head is None or head.tip < max(entries, default=0):
        head = Head(highest, highest)  # where it stood can't be read, or is from before
    last = max((number for number in entries if number <= head.tip), default=0)
    if last not in known:
        last = _go_on(made, entries, known, last, snapshot or start, start, facts)
        known = _rooted(entries)
    made.entries = {number: entries[number] for number in sorted(known - {0})}
    current = max((n for n in made.way(last) if n <= head.current), default=0)
    made.head = Head(current, last)
    made.lost = highest - sum(made.joined.get(number, 1) for number in made.entries)
    return made


def _rooted(entries: dict[int, JournalEntry]) -> set[int]:
    """Return the numbers from which parents lead to the start, that included."""
    known = {0}
    for number in sorted(entries):
        if entries[number].parent in known:
            known.add(number)
    return known


def _chain(entries: dict[int, JournalEntry], number: int) -> tuple[list[int], int]:
    """Return the edits that lead to one as far as they can be read, and the one before them."""
    chain: list[int] = []
    while number in entries:
        chain.append(number)
        number = entries[number].parent
    return chain[::-1], number


def _earliest(snapshot: State, entries: dict[int, JournalEntry], known: set[int]) -> State:
    """Return the earliest state before a snapshot that is known; it becomes the start."""
    chain, gap = _chain(entries, snapshot.at)
    state = _taken_back(_copy(snapshot), entries, chain)
    state.at = 0
    if gap:
        # Edits from the true start do not fit this one, which has their effect already.
        for number in known - {0}:
            del entries[number]
    return state


def _join(
    made: Rebuilt,
    entries: dict[int, JournalEntry],
    known: set[int],
    start: State,
    snapshot: State,
) -> None:
    """Let one edit stand for those before a snapshot that can't be read."""
    chain, gap = _chain(entries, snapshot.at)
    after = _taken_back(_copy(snapshot), entries, chain)
    before = max(number for number in known if number < gap)
    model = _made(_copy(start), entries, _chain(entries, before)[0]).model
    count = gap - before
    edit = difference(model, after.model, f"recovered {count} edit{'s' if count != 1 else ''}")
    when = entries[before].made if before else time.time()
    entries[gap] = JournalEntry(
        gap, before, when, edit.tool, edit.text, to_bytes(edit, (gap, before))
    )
    made.joined[gap] = count


def _go_on(
    made: Rebuilt,
    entries: dict[int, JournalEntry],
    known: set[int],
    last: int,
    near: State,
    start: State,
    facts: session_files.Facts,
) -> int:
    """Make the edits up to the last again that follow those lost; return the last one made."""
    chain: list[int] = []
    number = last
    while number not in known:
        part, number = _chain(entries, number)
        chain = part + chain
        # One that can't be read is passed over: the next one below is gone on from.
        below = [other for other in (*entries, 0) if other <= number and other not in chain]
        number = number if number in known else max(below)
    base = number
    way = _chain(entries, base)[0]
    if near.at in way:
        state = _made(_copy(near), entries, way[way.index(near.at) + 1 :])
    else:
        state = _made(_copy(start), entries, way)
    desk = _Desk(state, facts)
    for number in chain:
        edit = from_bytes(entries[number].edit)
        if desk.makes(edit):
            packed = to_bytes(edit, (number, base))
            entries[number] = replace(entries[number], parent=base, edit=packed)
            made.again.append(number)
            base = number
        else:
            del entries[number]
    return base


class _Desk(LiveCells):
    """Where edits are tried."""

    def __init__(self, state: State, facts: session_files.Facts) -> None:
        self.facts = facts
        self._show(state.model, state.excluded)

    def makes(self, edit: Edit) -> bool:
        """Make an edit; return whether it did exactly what it did before, else take it back."""
        model = self._model
        renames = [n for n, change in enumerate(edit.changes) if isinstance(change, Renumber)]
        given = Edit(edit.tool, edit.changes[: renames[0]] if renames else edit.changes)
        before, next_id = self._value_before(edit.tool), model.next_id
        if not all(model.fits(change) for change in given.changes):
            return False
        for flip in given.flips:
            there = model.contour[flip.patch.z][flip.patch.box][flip.patch.mask]
            if flip.plane == CONTOUR and before is not None and (there != before).any():
                return False
        if renames:
            first = edit.changes[renames[0]]
            assert isinstance(first, Renumber)
            # Names that lost edits gave are not given again.
            model.next_id = max(next_id, first.next_before)
        whole, _ = self._perform(given)
        if whole.changes == edit.changes:
            return True
        self._replay(whole.inverse, whole_slices=True)
        model.next_id = next_id
        return False

    @staticmethod
    def _value_before(tool: str) -> int | None:
        return _VALUE_BEFORE.get(tool.split(" ")[0])


def _made(state: State, entries: dict[int, JournalEntry], chain: list[int]) -> State:
    for number in chain:
        _try(state, number, from_bytes(entries[number].edit))
    return state


def _taken_back(state: State, entries: dict[int, JournalEntry], chain: list[int]) -> State:
    for number in reversed(chain):
        _try(state, number, from_bytes(entries[number].edit).inverse)
    return state


def _try(state: State, number: int, edit: Edit) -> None:
    shape = state.model.shape
    if not all(flip.patch.fits(shape) for flip in edit.flips):
        raise _Unfit(number)
    try:
        edit.apply(state.model)
    except (KeyError, IndexError, ValueError) as error:
        raise _Unfit(number) from error


def _copy(state: State) -> State:
    return State(state.model.copy(), state.at, state.excluded)
