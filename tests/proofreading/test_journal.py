"""The journal acknowledges only what is durable, and history comes back from it."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from napari_copnet.errors import CopnetError, InputError, OutputError
from napari_copnet.proofreading.edit_history import EditHistory
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.journal import Head, Journal, JournalEntry
from napari_copnet.proofreading.session import Session


def entry(number, parent, data=b"data"):
    return JournalEntry(number, parent, 1.5, "draw", f"draw {number}", data)


def dot(y, x):
    return Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1), bool), (y, x))),))


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


def test_what_is_acknowledged_can_be_read_by_others(journal):
    number = journal.add(entry(1, 0), Head(1, 1))
    assert journal.wait(number, 5) and journal.acknowledged == number == 1
    with sqlite3.connect(journal.path) as other:
        assert other.execute("SELECT id, edit FROM steps").fetchall() == [(1, b"data")]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal.head() == Head(1, 1) and journal.entry(1) == entry(1, 0)


def test_asking_does_not_wait_for_the_disk_and_nothing_counts_before_it_is_written(journal):
    with sqlite3.connect(journal.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        times = []
        for count in range(1, 6):
            start = time.monotonic()
            number = journal.add(entry(count, count - 1), Head(count, count))
            times.append(time.monotonic() - start)
        # The file is locked for all of them; a busy machine delays one or the other.
        assert min(times) < 0.05
        assert not journal.wait(number, 0.2) and journal.acknowledged == 0
        other.execute("ROLLBACK")
    assert journal.wait(number, 5)


def test_an_edit_is_durable_within_a_second(session):
    # The first opens the file.
    slowest = 0.0
    for x in range(9):
        start = time.monotonic()
        session.apply(dot(0, x))
        assert session.wait_saved(5)
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 1


def test_the_way_leads_over_the_last_shared_edit(journal):
    #     1 - 2 - 3
    #          \- 4 - 5
    for number, parent in ((1, 0), (2, 1), (3, 2), (4, 2), (5, 4)):
        journal.add(entry(number, parent), Head(number, number))
    journal.wait()
    assert journal.way(3, 5) == ([3], [4, 5])
    assert journal.way(0, 3) == ([], [1, 2, 3])
    assert journal.way(5, 2) == ([5, 4], [])
    assert [e.id for e in journal.listed(5)] == [1, 2, 4, 5]


def test_a_failing_disk_is_told_and_tried_again(journal, monkeypatch):
    from napari_copnet.proofreading import journal as module

    monkeypatch.setattr(module, "_RETRY", 0.05)
    commit, full = module._commit, threading.Event()
    full.set()

    def failing(database, writes):
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        commit(database, writes)

    monkeypatch.setattr(module, "_commit", failing)
    journal.add(entry(1, 0), Head(1, 1))
    assert not journal.wait(timeout=0.2) and "full" in journal.problem
    full.clear()
    assert journal.wait(timeout=5) and journal.problem == ""
    assert journal.entry(1).text == "draw 1"


def test_a_reader_does_not_write(journal):
    reader = Journal(journal.path, writable=False)
    with pytest.raises(OutputError, match="read-only"):
        reader.move(Head())
    reader.close()
    with pytest.raises(InputError, match="missing"):
        Journal(journal.path.with_name("none"), writable=False, may_be_missing=False)


def test_history_keeps_memory_bounded_and_reads_the_rest_again(journal):
    rng = np.random.default_rng(0)
    edits = [
        Edit(f"e{i}", (Flip("contour", Patch.of(0, rng.random((40, 40)) < 0.5)),))
        for i in range(60)
    ]
    history = EditHistory(journal, memory=2000)
    for edit in edits:
        history.push(edit)
        assert journal.wait()
    assert history.size <= 2300
    assert [history.edit(i) for i in range(60)] == edits
    assert history.steps(57) == [edit.inverse for edit in reversed(edits[57:])]
    assert history.size <= 2300


def test_edits_not_on_disk_yet_stay_in_memory(journal):
    with sqlite3.connect(journal.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        history = EditHistory(journal, memory=10)
        for x in range(5):
            history.push(dot(0, x))
        assert [history.edit(i) for i in range(5)] == [dot(0, x) for x in range(5)]
        other.execute("ROLLBACK")


def test_the_list_can_be_read_and_jumped_in(session):
    for x in range(3):
        session.apply(dot(0, x))
    history = session.history
    assert [item.text for item in map(history.__getitem__, range(3))] == ["dot, slice 1, 1 px"] * 3
    session.jump(1)
    assert session.contour[0, 0, :3].tolist() == [1, 0, 0]
    session.apply(dot(0, 5))
    assert len(history) == 2 and not history.can_redo
    with pytest.raises(CopnetError, match="no edit 3"):
        session.jump(3)


def test_a_dropped_branch_does_not_hinder_opening_from_its_snapshot(session):
    for x in range(4):
        session.apply(dot(0, x))
    session.snapshot()
    session.jump(1)
    session.apply(dot(6, 6))
    assert session.wait_saved()
    expected = session.contour.copy()
    session._since_snapshot = 0
    session.close()
    with Session.open(session.folder) as again:
        assert np.array_equal(again.contour, expected)


EDITOR = """
import sys, numpy as np
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.session import Session
session = Session.open(sys.argv[1])
print("open", flush=True)
for number in range(10_000):
    y, x = divmod(number % 63, 9)
    session.apply(Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1)), (y, x))),)))
    session.wait_saved()
    print(number + 1, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_nothing_acknowledged_is_lost_to_kill_9(session):
    before = session.contour[0].copy()
    session.close()
    child = subprocess.Popen(
        [sys.executable, "-c", EDITOR, str(session.folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "open\n"
    for _ in range(15):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    told = [int(line) for line in child.stdout.read().split()] or [15]
    child.wait()
    with Session.open(session.folder) as again:
        done = again.history.position
        # One more may have been written than could be told.
        assert told[-1] <= done <= told[-1] + 1
        expected = before.ravel()
        for number in range(done):
            expected[number % 63] ^= 1
        assert np.array_equal(again.contour[0].ravel(), expected)
