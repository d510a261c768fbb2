"""Damage in the write-ahead log of a session that was killed is told, not dropped by SQLite."""

import os
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.errors import InputError
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.journal import Head, Journal, JournalEntry
from napari_copnet.proofreading.packing import to_bytes
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.proofreading.write_ahead_log import frames_of, is_damaged, log_of

EDITS, PAGE, FRAME = 12, 4096, 4096 + 24
EDIT = to_bytes(Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1)))),)))


@pytest.fixture
def killed(tmp_path):
    """A session of 12 edits, as one that was killed leaves it."""
    contour = two_rooms()
    with Session.create(tmp_path / "s", Start(contour, contour * np.float32(0.9))) as session:
        for number in range(EDITS):
            spot = Patch.of(0, np.ones((1, 1)), (0, number // 2))
            session.apply(Edit("dot", (Flip("contour", spot),)))
            assert session.wait_saved()
        shutil.copytree(tmp_path / "s", tmp_path / "killed")
    return tmp_path / "killed"


def change(path, at, count=1):
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(count)
        file.seek(at)
        file.write(bytes(255 - byte for byte in old))


def test_the_log_of_a_killed_session_is_read_as_sqlite_reads_it(killed):
    frames = frames_of(log_of(killed / "journal.sqlite"), PAGE)
    assert len(frames) >= EDITS and all(frame.is_sound for frame in frames)
    assert sum(frame.commits for frame in frames) >= EDITS
    assert not is_damaged(log_of(killed / "journal.sqlite"))
    with Session.open(killed) as session:
        assert session.history.position == EDITS


def test_a_changed_byte_before_the_last_transaction_is_told_and_costs_one_edit(killed, tmp_path):
    log = killed / "journal.sqlite-wal"
    frames = frames_of(log.read_bytes(), PAGE)
    commits = [at for at, frame in enumerate(frames) if frame.commits]
    for number, at in enumerate((40, 32 + 30, 32 + commits[-4] * FRAME + 100)):
        folder = shutil.copytree(killed, tmp_path / str(number))
        change(folder / log.name, at)
        for read_only in (True, False):
            with pytest.raises(InputError, match=r"wal are damaged.*recover"):
                Session.open(folder, read_only=read_only)
        done = recover(folder)
        # Pages hold all edits before as well: no more is lost than lay on the damaged one.
        assert done.edits + done.lost == EDITS and done.lost <= 1
        with Session.open(folder) as session:
            assert session.history.position == done.edits


def test_a_log_that_ends_within_a_transaction_is_none_that_is_damaged(killed):
    log = killed / "journal.sqlite-wal"
    data = log.read_bytes()
    begin = os.path.getsize(log) - FRAME
    for left in (begin, begin + 1, begin + 30, len(data) - 1):
        assert not is_damaged(data[:left])
        log.write_bytes(data[:left])
        with Session.open(killed, read_only=True) as session:
            assert session.history.position == EDITS - 1
    # Nor is one that was begun anew, and has not overwritten all of the one before.
    path = killed / "anew.sqlite"
    with closing(Journal(path)) as journal:
        for number in range(1, 1200):
            entry = JournalEntry(number, number - 1, 0.0, "dot", "dot" * 1000, EDIT)
            journal.add(entry, Head(number, number))
        assert journal.wait()
        assert not is_damaged(log_of(path))
        assert Journal(path, writable=False).last_id() == 1199


def test_where_a_session_stood_is_told_by_the_newest_page(killed, tmp_path):
    with Session.open(killed) as session:
        session.jump(EDITS - 5)
        session.wait_saved()
        session.redo()
        session.wait_saved()
        shutil.copytree(killed, tmp_path / "again")
    log = tmp_path / "again" / "journal.sqlite-wal"
    change(log, 32 + 24 + 200)
    done = recover(tmp_path / "again")
    assert (done.edits, done.lost) == (EDITS - 4, 0)


def test_a_table_with_a_column_more_is_told(killed):
    """As when the comma in its description, or a name, is damaged."""
    with closing(sqlite3.connect(killed / "journal.sqlite", isolation_level=None)) as database:
        database.execute("ALTER TABLE steps ADD COLUMN seventh")
    with Session.open(killed, read_only=True) as session:
        assert session.history.edit(0).tool == "dot"
    with closing(sqlite3.connect(killed / "journal.sqlite", isolation_level=None)) as database:
        database.execute("ALTER TABLE steps RENAME COLUMN edit TO edi")
    with (
        pytest.raises(InputError, match="can't be read"),
        Session.open(killed, read_only=True) as s,
    ):
        s.history.edit(0)
    recover(killed)
    with Session.open(killed) as session:
        assert session.history.position == EDITS
