"""Save what can be saved of a session with damaged files."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import filelock

from napari_copnet.errors import InputError, OutputError
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.journal import Head, Journal, JournalEntry
from napari_copnet.proofreading.packing import from_bytes


@dataclass(frozen=True)
class Recovered:
    """What came of a recovery.

    Attributes
    ----------
    edits : int
        Edits that are applied now.
    lost : int
        Edits known to have been there that can't be read.
    notes : tuple of str
        What was found and done, in sentences; empty when nothing was wrong.
    """

    edits: int
    lost: int
    notes: tuple[str, ...]


def recover(folder: Path | str) -> Recovered:
    """Bring a session back to where it opens; damaged files are kept under another name.

    A damaged snapshot is set aside: the session is built anew from its start. Of a damaged
    journal every edit that can be read is taken over, up to the first that can't.

    Raises
    ------
    InputError
        No session, or its start is damaged too.
    OutputError
        It is open elsewhere.
    """
    folder = Path(folder)
    session_files.read_facts(folder)
    lock = filelock.FileLock(folder / session_files.LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise OutputError(
            "This session is open in another window.", "Close it there, then recover it."
        ) from error
    try:
        notes: list[str] = []
        session_files.read_state(folder / session_files.START)
        lost = _mend_journal(folder, notes)
        _mend_snapshot(folder, notes)
        with closing(Journal(folder / session_files.JOURNAL, writable=False)) as journal:
            edits = len(journal.listed(journal.head().current))
        return Recovered(edits, lost, tuple(notes))
    finally:
        lock.release()


def _mend_snapshot(folder: Path, notes: list[str]) -> None:
    path = folder / session_files.SNAPSHOT
    if not path.is_file():
        return
    try:
        _, at, _ = session_files.read_state(path)
        with closing(Journal(folder / session_files.JOURNAL, writable=False)) as journal:
            journal.way(at, journal.head().current)
    except InputError:
        _set_aside(path)
        notes.append("The snapshot was damaged: the session is built anew from its edits.")


def _mend_journal(folder: Path, notes: list[str]) -> int:
    path = folder / session_files.JOURNAL
    if not path.is_file():
        return 0
    entries, head, highest, sound = _readable(path)
    if sound:
        return 0
    beside = path.with_name(path.name + ".mended")
    beside.unlink(missing_ok=True)
    known = {0}
    kept: list[JournalEntry] = []
    for entry in entries:
        if entry.parent in known:
            known.add(entry.id)
            kept.append(entry)
    tip = kept[-1].id if kept else 0
    if head is not None and {head.current, head.tip} <= known:
        at = head
    else:
        at = Head(tip, tip)
    with closing(Journal(beside)) as mended:
        for entry in kept:
            mended.add(entry, at)
        mended.move(at)
    for suffix in ("", "-wal", "-shm"):
        damaged = path.with_name(path.name + suffix)
        if damaged.exists():
            _set_aside(damaged)
    os.replace(beside, path)
    lost = max(highest - len(kept), 0)
    notes.append(f"The list of edits was damaged: {len(kept)} could be read, {lost} could not.")
    return lost


def _readable(path: Path) -> tuple[list[JournalEntry], Head | None, int, bool]:
    """Return the edits that can be read, the head, the highest number seen, and if all is sound."""
    entries: list[JournalEntry] = []
    head, highest, sound = None, 0, True
    try:
        with closing(sqlite3.connect(path, timeout=10)) as database:
            sound = database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            head = _first(database, "SELECT current, tip FROM head")
            highest = (_first(database, "SELECT MAX(id) FROM steps") or (0,))[0] or 0
            for number in range(1, highest + 1):
                row = _first(database, "SELECT * FROM steps WHERE id = ?", number)
                try:
                    entry = JournalEntry(*row) if row else None
                    if entry is not None:
                        from_bytes(entry.edit)
                        entries.append(entry)
                except (InputError, TypeError):
                    sound = False
    except sqlite3.DatabaseError:
        sound = False
    return entries, Head(*head) if head else None, highest, sound


def _first(database: sqlite3.Connection, query: str, *values: int) -> tuple | None:
    try:
        return database.execute(query, values).fetchone()
    except sqlite3.DatabaseError:
        return None


def _set_aside(path: Path) -> None:
    target = path.with_name(path.name + ".damaged")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    os.replace(path, target)
