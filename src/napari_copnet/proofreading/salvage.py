"""Read the edits of a journal that SQLite can't read any more, page by page.

SQLite finds a row by way of other pages: one that is damaged hides many that are not. Here each
page is looked at by itself, in the file and in its write-ahead log (https://sqlite.org/fileformat).
An edit counts only when its own checksum holds.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError
from napari_copnet.proofreading.journal import Head, JournalEntry
from napari_copnet.proofreading.packing import placed_from_bytes
from napari_copnet.proofreading.write_ahead_log import frames_of, is_damaged, log_of

_MAGIC = b"SQLite format 3\0"
_LEAF = 0x0D  # a page that holds rows of a table
_PAGE = 4096
# A number beyond is damage, not an edit.
_MOST = 10_000_000
_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}


@dataclass
class Salvaged:
    """What a journal still holds.

    Attributes
    ----------
    entries : dict of int to Entry
        The edits that can be read, by number.
    head : Head or None
        Where the session stood; None when that can't be read.
    highest : int
        The highest number of an edit known to have been there.
    sound : bool
        SQLite finds nothing wrong with the file, and every row of it is an edit.
    """

    entries: dict[int, JournalEntry] = field(default_factory=dict)
    head: Head | None = None
    highest: int = 0
    sound: bool = True

    def take(self, row: tuple[Any, ...]) -> bool:
        """Take a row of edits over if its edit is whole; return whether it was."""
        entry = _entry(row)
        if entry is None:
            return False
        tool, text = (t.encode(errors="replace").decode() for t in (entry.tool, entry.text))
        self.entries.setdefault(entry.id, replace(entry, tool=tool, text=text))
        self.highest = max(self.highest, entry.id)
        self.sound &= (entry.id, entry.parent, tool, text) == (*row[:2], *row[3:5])
        return True

    def stand(self, current: Any, tip: Any) -> bool:
        """Take over where the session stood, if that can be; return whether it can."""
        if not (isinstance(current, int) and isinstance(tip, int) and 0 <= current <= tip <= _MOST):
            return False
        self.head = Head(current, tip)
        self.highest = max(self.highest, tip)
        return True


def salvage(path: Path) -> Salvaged:
    """Return the edits of a journal that can be read, whatever is damaged.

    Parameters
    ----------
    path : Path
        The SQLite file; nobody else may write to it meanwhile. It is changed only as SQLite does
        when it opens a file that was not closed.
    """
    # Before SQLite opens it: that may drop a write-ahead log it can't read.
    log = log_of(path)
    pages = _pages(path, log)
    found = _by_sqlite(path)
    if is_damaged(log):
        # SQLite has read no further than the damage.
        found.sound, found.head = False, None
    is_newest = found.head is not None
    if not found.sound:
        _by_page(pages, found)
    if is_newest:
        _renumber(found)
    return found


def _by_sqlite(path: Path) -> Salvaged:
    found, unread = Salvaged(), []
    try:
        with closing(sqlite3.connect(path, timeout=10)) as database:
            database.text_factory = _text
            checked = database.execute("PRAGMA integrity_check").fetchall()
            found.sound = checked == [("ok",)]
            for row in database.execute("SELECT current, tip FROM head"):
                found.sound &= found.stand(*row)
            for row in database.execute("SELECT * FROM steps ORDER BY id"):
                if not found.take(row):
                    found.sound = False
                    unread.append(row[0])
            # One far beyond all others is damaged itself.
            numbers = (n for n in unread if isinstance(n, int) and n <= found.highest + 1)
            found.highest = max((found.highest, *numbers))
    # SQLite quotes a damaged schema in what it says of it.
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        found.sound = False
    found.sound &= found.head is not None
    return found


def _renumber(found: Salvaged) -> None:
    """Mend the number of an edit that is beyond the last: where the session stood is known."""
    tip = found.head.tip if found.head is not None else 0
    beyond = [number for number in found.entries if number > tip]
    if len(beyond) != 1:
        return
    first = found.entries[beyond[0]].parent + 1
    free = [number for number in range(first, tip + 1) if number not in found.entries]
    # Where no number is free, it is where the session stood that is damaged.
    if free:
        entry = found.entries.pop(beyond[0])
        if len(free) == 1:
            found.entries[free[0]] = replace(entry, id=free[0])
        found.highest, found.sound = tip, False


def _text(data: bytes) -> str:
    """Return a text; one that is damaged costs no edit, which it only describes."""
    return data.decode(errors="surrogateescape")


def _entry(row: tuple[Any, ...]) -> JournalEntry | None:
    """Return the edit in a row when it can be one, under the number that it was packed with."""
    try:
        entry = JournalEntry(*row)
        place = placed_from_bytes(entry.edit)[1] or (entry.id, entry.parent)
        number, parent = place
        whole = (
            isinstance(number, int)
            and isinstance(parent, int)
            and 0 <= parent < number <= _MOST
            and isinstance(entry.made, int | float)
            and isinstance(entry.tool, str)
            and isinstance(entry.text, str)
        )
        return replace(entry, id=number, parent=parent) if whole else None
    except (InputError, TypeError, ValueError):
        return None


# Pages -----------------------------------------------------------------------


@dataclass
class _Pages:
    """Pages of a journal: each at its place as it was last, then those that it was before.

    Attributes
    ----------
    usable : int
        Bytes of a page.
    pages : list of bytes
    ages : list of int
        Of each the frame of the log that it is from; 0 for the file, -1 for a damaged frame.
    """

    usable: int
    pages: list[bytes]
    ages: list[int]

    def put(self, number: int, page: bytes, age: int) -> None:
        """Take a page of the log, which counts from 1."""
        if 0 < number <= len(self.pages):
            # The one before stays too, in case this one is damaged: no row of edits ever changes.
            self.pages.append(self.pages[number - 1])
            self.ages.append(self.ages[number - 1])
            self.pages[number - 1], self.ages[number - 1] = page, age
        elif 0 < number <= len(self.pages) + 4096:
            holes = number - len(self.pages) - 1
            self.pages += [b""] * holes + [page]
            self.ages += [0] * holes + [age]


def _pages(path: Path, log: bytes) -> _Pages:
    """Return the pages of a file and of its log."""
    data = path.read_bytes() if path.is_file() else b""
    size, spare = _PAGE, 0
    if data.startswith(_MAGIC) and len(data) > 20:
        size, spare = struct.unpack_from(">H", data, 16)[0], data[20]
        size = 65536 if size == 1 else size
    elif len(log) >= 32:
        size = struct.unpack_from(">I", log, 8)[0]
    if not (512 <= size <= 65536 and size & (size - 1) == 0):
        size, spare = _PAGE, 0
    pages = [data[at : at + size] for at in range(0, len(data), size)]
    made = _Pages(size - spare, pages, [0] * len(pages))
    for age, frame in enumerate(frames_of(log, size), start=1):
        made.put(frame.number, frame.page, age if frame.is_sound else -1)
    return made


def _by_page(given: _Pages, found: Salvaged) -> None:
    """Add what can be read of pages by themselves."""
    pages = given.pages
    # Where the session stood is told by the newest page that is not damaged.
    for index in sorted(range(len(pages)), key=lambda index: -given.ages[index]):
        for row in _rows(pages, index, given.usable):
            if len(row) == 6:
                found.take(row)
            elif len(row) == 3 and row[0] == 1 and found.head is None:
                found.stand(*row[1:])


def _rows(pages: list[bytes], index: int, usable: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a page that can be read, the first column being their number."""
    page, start = pages[index], 100 if index == 0 and pages[0].startswith(_MAGIC) else 0
    if len(page) < start + 8 or page[start] != _LEAF:
        return
    (count,) = struct.unpack_from(">H", page, start + 3)
    for cell in range(min(count, usable // 4)):
        try:
            (at,) = struct.unpack_from(">H", page, start + 8 + 2 * cell)
            size, at = _varint(page, at)
            number, at = _varint(page, at)
            row = _columns(_payload(pages, page, at, size, usable))
        except (IndexError, struct.error, ValueError):
            continue
        if row:
            yield (number, *row[1:])


def _payload(pages: list[bytes], page: bytes, at: int, size: int, usable: int) -> bytes:
    """Return the bytes of a row: those on its page, then those on the pages it goes on to."""
    if size > usable * len(pages):
        raise ValueError(size)
    most = usable - 35
    if size <= most:
        return page[at : at + size]
    least = (usable - 12) * 32 // 255 - 23
    here = least + (size - least) % (usable - 4)
    here = here if here <= most else least
    parts, left = [page[at : at + here]], size - here
    (following,) = struct.unpack_from(">I", page, at + here)
    while left > 0:
        if not 0 < following <= len(pages):
            raise ValueError(following)
        more = pages[following - 1]
        (following,) = struct.unpack_from(">I", more)
        parts.append(more[4 : 4 + min(left, usable - 4)])
        left -= usable - 4
    return b"".join(parts)


def _columns(data: bytes) -> list[Any]:
    """Return the values of a row."""
    end, at = _varint(data, 0)
    kinds: list[int] = []
    values: list[Any] = []
    while at < end:
        kind, at = _varint(data, at)
        kinds.append(kind)
    for kind in kinds:
        size = _SIZES[kind] if kind in _SIZES else (kind - 12) // 2
        raw = data[at : at + size]
        if len(raw) < size or kind in (10, 11):
            raise ValueError(kind)
        at += size
        if kind == 0:
            values.append(None)
        elif kind == 7:
            values.append(struct.unpack(">d", raw)[0])
        elif kind in (8, 9):
            values.append(kind - 8)
        elif kind < 7:
            values.append(int.from_bytes(raw, "big", signed=True))
        else:
            values.append(_text(raw) if kind % 2 else raw)
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 1 to 9 bytes, and where the next thing begins."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | data[at + 8], at + 9
