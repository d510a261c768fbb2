"""One history of all edits: undo, redo, a list to read, and jumps; in bounded memory.

The present branch runs from the start to the tip; the session stands at `position` in it. Packed
edits are kept in memory up to a limit, the rest is read again from the journal.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.proofreading.edits import Edit
from napari_copnet.proofreading.journal import Head, Journal, JournalEntry
from napari_copnet.proofreading.packing import from_bytes, in_place, to_bytes
from napari_copnet.proofreading.slice_names import renamed

# Bytes of packed edits kept in memory.
MEMORY = 64 << 20


class EditHistory:
    """The edits of a session.

    Parameters
    ----------
    journal : Journal
        Where edits are kept for good.
    memory : int
        Bytes of packed edits to keep at hand.

    Attributes
    ----------
    position : int
        How many edits of the branch are applied.
    """

    def __init__(self, journal: Journal, memory: int = MEMORY) -> None:
        self._journal = journal
        self.reload()
        self._memory = memory
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        # Edits that may not be in the journal yet, by the write that brings them there.
        self._writes: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._branch)

    def reload(self) -> None:
        """Read the branch from the journal."""
        head = self._journal.head()
        self._branch = self._journal.listed(head.tip)
        numbers = [entry.id for entry in self._branch]
        if head.current and head.current not in numbers:
            raise InputError(
                f"Edit {head.current} is missing.",
                "Recover the session with `copnet session recover`.",
            )
        self.position = numbers.index(head.current) + 1 if head.current else 0
        self._next = self._journal.last_id() + 1

    def news(self) -> list[Edit] | None:
        """Return the edits that lead to where the journal's writer stands; None for no change."""
        head = self._journal.head()
        if head == Head(self.current, self._branch[-1].id if self._branch else 0):
            return None
        back, forth = self._journal.way(self.current, head.current)
        steps = [self.read(number).inverse for number in back]
        return steps + [self.read(number) for number in forth]

    def read(self, number: int) -> Edit:
        """Return an edit of the journal by its number.

        Raises
        ------
        InputError
            It is missing or damaged.
        """
        entry = self._journal.entry(number)
        return in_place(entry.edit, entry.id, entry.parent)

    def __getitem__(self, index: int) -> JournalEntry:
        """Return an edit of the branch without its bytes, slices counted from 1 in its texts."""
        entry = self._branch[index]
        return replace(entry, tool=renamed(entry.tool), text=renamed(entry.text))

    @property
    def current(self) -> int:
        """Number of the edit the session stands at; 0 at the start."""
        return self._branch[self.position - 1].id if self.position else 0

    @property
    def upcoming(self) -> int:
        """Number that the next edit gets."""
        return self._next

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again."""
        return self.position < len(self._branch)

    @property
    def size(self) -> int:
        """Bytes of packed edits in memory."""
        return self._size

    def push(self, edit: Edit) -> int:
        """Add an edit that was applied; what could be redone is no longer in the branch.

        Returns
        -------
        int
            The journal's write: durable once it is acknowledged.
        """
        data = to_bytes(edit, (self._next, self.current))
        entry = JournalEntry(self._next, self.current, time.time(), edit.tool, edit.text, data)
        del self._branch[self.position :]
        self._branch.append(
            JournalEntry(entry.id, entry.parent, entry.made, entry.tool, entry.text, b"")
        )
        self.position += 1
        self._next += 1
        write = self._journal.add(entry, Head(entry.id, entry.id))
        self._writes[entry.id] = write
        self._keep(entry.id, data)
        return write

    def edit(self, index: int) -> Edit:
        """Return an edit of the branch."""
        number = self._branch[index].id
        data = self._kept.get(number)
        if data is None:
            entry = self._journal.entry(number)
            edit = in_place(entry.edit, entry.id, entry.parent)
            self._keep(number, entry.edit)
            return edit
        self._kept.move_to_end(number)
        return from_bytes(data)

    def packed(self) -> list[bytes]:
        """Return the edits that are applied, in order, for another thread to unpack."""
        numbers = [entry.id for entry in self._branch[: self.position]]
        return [self._kept.get(n) or self._journal.entry(n).edit for n in numbers]

    def steps(self, position: int) -> list[Edit]:
        """Return the edits that lead from where the session stands to a position, in order.

        Raises
        ------
        CopnetError
            There is no such position.
        """
        if not 0 <= position <= len(self._branch):
            raise CopnetError(
                f"There is no edit {position}.", f"Choose one from 0 to {len(self._branch)}."
            )
        if position < self.position:
            return [self.edit(i).inverse for i in range(self.position - 1, position - 1, -1)]
        return [self.edit(i) for i in range(self.position, position)]

    def move(self, position: int) -> int:
        """Note that the session stands at a position now; return the journal's write."""
        self.position = position
        tip = self._branch[-1].id if self._branch else 0
        return self._journal.move(Head(self.current, tip))

    def _keep(self, number: int, data: bytes) -> None:
        self._kept[number] = data
        self._size += len(data)
        while self._size > self._memory and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            if self._writes.get(oldest, 0) > self._journal.acknowledged:
                break
            self._writes.pop(oldest, None)
            self._size -= len(self._kept.pop(oldest))
