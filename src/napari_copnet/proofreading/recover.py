"""Recover a session with damaged files."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import filelock

from napari_copnet.errors import InputError, OutputError
from napari_copnet.files import check_writable
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.journal import Journal
from napari_copnet.proofreading.rebuild import Rebuilt, State, rebuild
from napari_copnet.proofreading.salvage import Salvaged, salvage
from napari_copnet.proofreading.state_files import (
    SNAPSHOT,
    START,
    pack_state,
    read_state,
    write_state,
)


@dataclass(frozen=True)
class Recovered:
    """The outcome of a recovery.

    Attributes
    ----------
    edits : int
        Edits that are applied now.
    lost : int
        Edits known to have been there whose effect is lost.
    notes : tuple of str
        What was found and done, in sentences; empty when nothing was wrong.
    """

    edits: int
    lost: int
    notes: tuple[str, ...]


def recover(folder: Path | str) -> Recovered:
    """Bring a session back to where it opens; damaged files are kept under another name.

    It begins at the newest snapshot that can be read. Edits before it that can't be read keep their
    effect, and can be undone together; edits after it are made again past those that can't be read
    where they do what they did. A file that can be read is never set aside.

    Raises
    ------
    InputError
        No session, or neither its start nor a snapshot can be read.
    OutputError
        It is open elsewhere, or can't be written.
    """
    folder = Path(folder)
    facts = session_files.read_facts(folder)
    session_files.check_links(folder)
    check_writable(folder)
    lock = filelock.FileLock(folder / session_files.LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise OutputError(
            "This session is open in another window.", "Close it there, then recover it."
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        return _recovered(folder, facts)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        lock.release()


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder} can't be written: {error.strerror or error}.",
        "Copy the session to a disk that you may write to, and recover it there.",
    )


def _recovered(folder: Path, facts: session_files.Facts) -> Recovered:
    notes: list[str] = []
    start, snapshot = _state(folder / START), _state(folder / SNAPSHOT)
    if start is None and snapshot is None:
        read_state(folder / START, check=True)  # says so
    path = folder / session_files.JOURNAL
    _put_in_place(path)
    is_missing = not path.is_file()
    found = Salvaged(sound=False) if is_missing else salvage(path)
    whole = rebuild(found, start, snapshot, facts)
    if start is None:
        assert snapshot is not None
        _put_start(folder, whole, snapshot, notes)
    if (folder / SNAPSHOT).is_file() and snapshot is None:
        _set_aside(folder / SNAPSHOT)
        notes.append("The snapshot was damaged: the session was rebuilt from its edits.")
    if not found.sound or whole.entries != found.entries or whole.head != found.head:
        notes.append(_note(found, whole, is_missing))
        _write(path, whole)
    return Recovered(whole.applied, whole.lost, tuple(notes))


def _state(path: Path) -> State | None:
    try:
        return State(*read_state(path, check=True))
    except InputError:
        return None


def _put_start(folder: Path, whole: Rebuilt, snapshot: State, notes: list[str]) -> None:
    assert whole.start is not None
    session_files.renew_format(folder)
    # What builds on the start that is damaged shall not build on this one.
    state = pack_state(snapshot.model, snapshot.at, snapshot.excluded, whole=True)
    write_state(folder / SNAPSHOT, state)
    _set_aside(folder / START)
    state = pack_state(whole.start.model, 0, whole.start.excluded, whole=True)
    write_state(folder / START, state)
    notes.append("The state before the first edit was damaged: it was rebuilt from the snapshot.")


def _note(found: Salvaged, whole: Rebuilt, is_missing: bool) -> str:
    what = "missing" if is_missing else "damaged"
    if found.sound:
        what = "incomplete"
    joined = sum(whole.joined.values())
    kept = sum(whole.joined.get(number, 1) for number in whole.entries)
    text = f"The list of edits was {what}: {kept} are kept, {whole.lost} are lost."
    if joined:
        text += (
            f" {joined} of those kept could not be read, but the snapshot has their effect. They "
            "can only be undone together."
        )
    if whole.again:
        text += f" {len(whole.again)} were redone without the lost ones: check their effect."
    return text


def _write(path: Path, whole: Rebuilt) -> None:
    """Write a list of edits; the damaged one stays beside."""
    beside = _mended(path)
    for suffix in ("", "-wal", "-shm"):
        beside.with_name(beside.name + suffix).unlink(missing_ok=True)
    with closing(Journal(beside)) as mended:
        for number in sorted(whole.entries):
            mended.add(whole.entries[number], whole.head)
        mended.move(whole.head)
    _set_aside(path)
    _put_in_place(path)


def _put_in_place(path: Path) -> None:
    """Let the mended list take the place of the one set aside; whole also after a kill."""
    if path.is_file() or not _mended(path).is_file():
        return
    for suffix in ("-wal", "-shm"):
        # Of the damaged one: SQLite would write it into this one.
        _set_aside(path.with_name(path.name + suffix))
    os.replace(_mended(path), path)


def _mended(path: Path) -> Path:
    return path.with_name(path.name + ".mended")


def _set_aside(path: Path) -> None:
    if not path.exists():
        return
    target = path.with_name(path.name + ".damaged")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    os.replace(path, target)
