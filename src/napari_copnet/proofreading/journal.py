"""The journal: every edit in SQLite, durable before it counts as acknowledged.

Edits form a tree: each has a parent, and the head names the edit at which the session stands and
the tip up to which it can be redone. Undo moves the head; an edit after an undo begins a new
branch. Nothing is deleted, so any state once reached can be reached again, and a snapshot made
anywhere in the tree serves to open the session.

A thread of its own writes, for a contended disk may take seconds; each transaction is synced
(WAL, synchronous=FULL) and only then acknowledged.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError, OutputError
from napari_copnet.proofreading.write_ahead_log import has_damaged_log

_TABLES = """
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, made REAL NOT NULL,
    tool TEXT NOT NULL, text TEXT NOT NULL, edit BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1), current INTEGER NOT NULL, tip INTEGER NOT NULL
);
INSERT OR IGNORE INTO head VALUES (1, 0, 0);
"""
# Parents have lower numbers: damage can't lead in circles.
_UP = """
WITH RECURSIVE up (id, parent) AS (
    SELECT id, parent FROM steps WHERE id = ? AND parent < id
    UNION ALL SELECT steps.id, steps.parent FROM steps JOIN up ON steps.id = up.parent
    WHERE steps.parent < steps.id
) SELECT id, parent FROM up ORDER BY id DESC
"""
_UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)
_RETRY = 1.0  # s after a failed write
_PATIENCE = 30.0  # s until a write counts as failed on closing
# Damaged text of an edit is no error of SQLite's.
_DAMAGED = (sqlite3.Error, UnicodeDecodeError)


@dataclass(frozen=True)
class JournalEntry:
    """An edit as the journal holds it.

    Attributes
    ----------
    id, parent : int
        Number of the edit, and of the one it was made on; 0 is the start.
    made : float
        Seconds since 1970.
    tool, text : str
        Of the edit.
    edit : bytes
        From `edits.to_bytes`.
    """

    id: int
    parent: int
    made: float
    tool: str
    text: str
    edit: bytes


@dataclass(frozen=True)
class Head:
    """Where the session stands: the edit it stands at, and the last that redo can reach."""

    current: int = 0
    tip: int = 0


class Journal:
    """An open journal.

    Parameters
    ----------
    path : Path
        The SQLite file.
    writable : bool
        Whether edits may be written. Only one writer may have it open: see `Session`.
    may_be_missing : bool
        Whether no file means no edits; one is made then, unless it is open for reading only.

    Attributes
    ----------
    acknowledged : int
        How many of the writes asked for are durable; compare with `asked`.
    asked : int
        How many writes were asked for.
    problem : str
        Why the last write failed; empty when it did not. Writes are tried again.

    Raises
    ------
    InputError
        The file is not a journal, is damaged, or is missing and may not be.
    """

    def __init__(self, path: Path, writable: bool = True, may_be_missing: bool = True) -> None:
        self.path = Path(path)
        self.acknowledged = self.asked = 0
        self.problem = ""
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._done = threading.Condition()
        self._thread: threading.Thread | None = None
        self._given_up = threading.Event()
        is_missing = not self.path.is_file()
        if is_missing and not may_be_missing:
            raise InputError(
                f"{self.path.name} is missing.",
                "Recover the session with `copnet session recover`.",
            )
        if has_damaged_log(self.path):
            # Opened, SQLite would drop what follows the damage.
            raise InputError(
                f"The edits in {self.path.name}-wal are damaged.",
                "Recover the session with `copnet session recover`.",
            )
        with self._explained():
            if writable:
                self.create(self.path)
            if is_missing and not writable:
                self._reader = sqlite3.connect(":memory:", check_same_thread=False)
                self._reader.executescript(_TABLES)
            else:
                self._reader = self._connect(read_only=True)
            self._reader.execute("SELECT id FROM steps LIMIT 1").fetchone()
        if writable:
            self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
            self._thread.start()

    @staticmethod
    def create(path: Path) -> None:
        """Make a journal without edits, in one file.

        Raises
        ------
        OutputError
            There is no right or no room to write.
        """
        try:
            with closing(_connected(path)) as database:
                database.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _UNWRITABLE:
                raise OutputError(
                    f"{path} can't be written: {error}.", "Free some space on the disk."
                ) from error
            raise

    # Writing -----------------------------------------------------------------

    def add(self, entry: JournalEntry, head: Head) -> int:
        """Ask for an edit to be written and the head to be moved, as one; return at once.

        Returns
        -------
        int
            The write is durable once `acknowledged` is no less.
        """
        return self._ask((entry, head))

    def move(self, head: Head) -> int:
        """Ask for the head to be moved (undo, redo, jump); as `add`."""
        return self._ask((None, head))

    def then(self, work: Callable[[], None]) -> int:
        """Run something in the writer's thread once all that was asked for is durable."""
        return self._ask(work)

    def wait(self, number: int | None = None, timeout: float | None = None) -> bool:
        """Wait until a write, by default the last one, is durable; return whether it is."""
        timeout = _PATIENCE if timeout is None else timeout
        number = self.asked if number is None else number
        with self._done:
            return self._done.wait_for(lambda: self.acknowledged >= number, timeout)

    def close(self) -> None:
        """Write what is left and close.

        Raises
        ------
        OutputError
            Something could not be written.
        """
        durable = self._thread is None or self.wait()
        if not durable:
            # Whoever opens the session next shall be its only writer.
            self._given_up.set()
        # The writer goes last: it folds the write-ahead log into the file, a reader can't.
        self._reader.close()
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join(_PATIENCE)
            self._thread = None
        if not durable:
            raise OutputError(
                f"The last edits could not be saved: {self.problem or 'the disk is too slow'}.",
                "Free some disk space, then repeat them.",
            )

    def _ask(self, task: Any) -> int:
        if self._thread is None:
            raise OutputError("This journal is read-only.", "")
        self.asked += 1
        self._tasks.put(task)
        return self.asked

    def _write(self) -> None:
        database: sqlite3.Connection | None = None
        while True:
            tasks = [self._tasks.get()]
            # What has come meanwhile shares a transaction; other work ends it.
            while tasks[-1] is not None and not callable(tasks[-1]) and not self._tasks.empty():
                tasks.append(self._tasks.get())
            writes = [task for task in tasks if isinstance(task, tuple)]
            while writes:
                try:
                    database = database or self._connect()
                    _commit(database, writes)
                    break
                except (sqlite3.Error, OSError) as error:
                    # Nothing is given up: a full disk may be emptied.
                    self.problem = str(error)
                    if self._given_up.wait(_RETRY):
                        if database is not None:
                            database.close()
                        return
            self.problem = ""
            self._acknowledge(len(writes))
            if callable(tasks[-1]):
                try:
                    tasks[-1]()
                except Exception as error:
                    # The thread has to live on: later edits depend on it.
                    self.problem = f"{type(error).__name__}: {error}"
                self._acknowledge(1)
            if tasks[-1] is None:
                if database is not None:
                    database.close()
                return

    def _acknowledge(self, count: int) -> None:
        with self._done:
            self.acknowledged += count
            self._done.notify_all()

    # Reading -----------------------------------------------------------------

    def head(self) -> Head:
        """Return where the session stands.

        Raises
        ------
        InputError
            That is missing.
        """
        with self._explained():
            row = self._reader.execute("SELECT current, tip FROM head").fetchone()
        # A session that has edits stands at one, or can redo one.
        if row is None or (row[1] == 0 and self.last_id() > 0):
            raise InputError(
                f"{self.path.name} is damaged: it does not say how many edits are applied.",
                "Recover the session with `copnet session recover`.",
            )
        return Head(*row)

    def last_id(self) -> int:
        """Return the highest number in use."""
        with self._explained():
            return self._reader.execute("SELECT COALESCE(MAX(id), 0) FROM steps").fetchone()[0]

    def entry(self, number: int) -> JournalEntry:
        """Return an edit.

        Raises
        ------
        InputError
            There is no such edit.
        """
        with self._explained():
            # By name: in a damaged table there may be more or fewer of them.
            query = "SELECT id, parent, made, tool, text, edit FROM steps WHERE id = ?"
            row = self._reader.execute(query, (number,)).fetchone()
        if row is None:
            raise InputError(
                f"Edit {number} is missing.", "Recover the session with `copnet session recover`."
            )
        return JournalEntry(*row)

    def listed(self, last: int) -> list[JournalEntry]:
        """Return the edits from the start to one, in order, each without its bytes.

        Raises
        ------
        InputError
            One of them is missing.
        """
        query = (
            "SELECT id, parent, made, tool, text FROM steps "
            f"WHERE id IN (SELECT id FROM ({_UP})) ORDER BY id"
        )
        self._up(last)
        with self._explained():
            rows = self._reader.execute(query, (last,)).fetchall()
        return [
            JournalEntry(number, up, made, tool, text, b"") for number, up, made, tool, text in rows
        ]

    def way(self, start: int, end: int) -> tuple[list[int], list[int]]:
        """Return the edits to take back, and then to make, to come from one to another.

        Raises
        ------
        InputError
            One of those that lead to them is missing.
        """
        first, second = self._up(start), self._up(end)
        shared = set(first) & set(second)
        return (
            [number for number in first if number not in shared],
            [number for number in reversed(second) if number not in shared],
        )

    def _up(self, number: int) -> list[int]:
        """Return an edit and all it was made on, the newest first."""
        with self._explained():
            rows = self._reader.execute(_UP, (number,)).fetchall()
        missing = rows[-1][1] if rows else number
        if missing:
            raise InputError(
                f"Edit {missing} is missing.",
                "Recover the session with `copnet session recover`.",
            )
        return [row[0] for row in rows]

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with the file; empty when it is sound."""
        try:
            rows = self._reader.execute("PRAGMA integrity_check").fetchall()
        except _DAMAGED as error:
            return [str(error)]
        return [row[0] for row in rows if row[0] != "ok"]

    def _connect(self, read_only: bool = False) -> sqlite3.Connection:
        if read_only:
            name = self.path.resolve().as_uri() + "?mode=ro"
            return sqlite3.connect(name, uri=True, timeout=10, check_same_thread=False)
        return _connected(self.path)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise InputError(
                f"The edits in {self.path.name} can't be read: {error}.",
                "Recover the session with `copnet session recover`.",
            ) from error


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=10, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    return database


def _commit(database: sqlite3.Connection, writes: list[tuple[JournalEntry | None, Head]]) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for entry, head in writes:
            if entry is not None:
                database.execute(
                    "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?)",
                    (entry.id, entry.parent, entry.made, entry.tool, entry.text, entry.edit),
                )
            database.execute("UPDATE head SET current = ?, tip = ?", (head.current, head.tip))
        database.execute("COMMIT")
    except BaseException:
        # After some errors SQLite has rolled back by itself.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
