"""Recovery: whatever is damaged, all that the newest snapshot holds is kept, and losses counted."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.errors import InputError
from napari_copnet.params import CellParams
from napari_copnet.proofreading import edit_tools, session_files
from napari_copnet.proofreading.edits import Edit, Flip, Judge, Patch, Verdict
from napari_copnet.proofreading.journal import Head, Journal, JournalEntry
from napari_copnet.proofreading.packing import from_bytes, to_bytes
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.salvage import salvage
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start

EDITS, SNAPSHOT = 150, 90
PAGE = 4096


def state_of(session):
    model = session._model
    return (
        session.contour.copy(),
        session.marks.copy(),
        [dict(ids) for ids in model.ids],
        set(model.links),
        dict(model.verdicts),
        model.next_id,
    )


def same(first, second):
    arrays = all(np.array_equal(a, b) for a, b in zip(first[:2], second[:2], strict=True))
    return arrays and first[2:] == second[2:]


def random_edit(session, rng):
    """A dot, or a mark, that falls anywhere: cells split, merge, come and go."""
    z = int(rng.integers(session.shape[0]))
    spots = rng.random(session.shape[1:]) < 0.04
    spots[tuple(rng.integers(session.shape[1:]))] = True
    plane = "contour" if rng.random() < 0.8 else "vessel"
    # The text makes rows of different lengths, some of more than a page.
    tool = "dots" + " " * int(rng.choice([0, 40, 5000], p=[0.5, 0.47, 0.03]))
    return Edit(tool, (Flip(plane, Patch.of(z, spots)),))


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """A session with a snapshot after edit 90 of 150, and its states after each."""
    rng = np.random.default_rng(0)
    contour = two_rooms(3, 14, 18)
    folder = tmp_path_factory.mktemp("session") / "s"
    session = Session.create(
        folder, Start(contour, contour * np.float32(0.9), cells=CellParams(min_size=0))
    )
    states = [state_of(session)]
    with session:
        for number in range(1, EDITS + 1):
            session.apply(random_edit(session, rng))
            states.append(state_of(session))
            if number == SNAPSHOT:
                session.snapshot()
        assert session.wait_saved()
        assert session.history.position == EDITS
        open_ = folder.with_name("open")
        shutil.copytree(folder, open_)
        session._since_snapshot = 0
    return SimpleNamespace(folder=folder, open=open_, states=states)


@pytest.fixture
def broken(edited, tmp_path):
    """A copy of it."""
    shutil.copytree(edited.folder, tmp_path / "s")
    return tmp_path / "s"


def check(folder, states, total=EDITS):
    """Recover, and check what is promised of any damage to the list of edits alone."""
    before = (folder / "snapshot.npz").read_bytes()
    done = recover(folder)
    assert (folder / "snapshot.npz").read_bytes() == before
    assert not list(folder.glob("snapshot.npz.*"))
    assert done.edits + done.lost == total and done.edits >= SNAPSHOT
    with Session.open(folder) as session:
        if done.lost == 0:
            assert same(state_of(session), states[done.edits])
        numbers = [session.history[n].id for n in range(len(session.history))]
        assert session.history.position == len(numbers)
        # All up to the snapshot is there: its state is one of the list.
        session.jump(numbers.index(SNAPSHOT) + 1)
        assert same(state_of(session), states[SNAPSHOT])
        # Undone one by one, each state is one there was; at the end is the start.
        for position in range(numbers.index(SNAPSHOT) + 1, 0, -1):
            session.jump(position)
            assert same(state_of(session), states[numbers[position - 1]])
        session.jump(0)
        assert same(state_of(session), states[0])
        session.redo()
        session.apply(
            Edit(
                "dot",
                (
                    Flip(
                        "contour",
                        Patch.of(0, np.ones((1, 1))),
                    ),
                ),
            )
        )
    # Nothing is left to do.
    assert recover(folder).notes == ()
    return done


def pages_of(folder):
    return os.path.getsize(folder / "journal.sqlite") // PAGE


def test_every_page_that_is_overwritten(edited, tmp_path):
    rng = np.random.default_rng(1)
    count = pages_of(edited.folder)
    assert count > 8
    kept = []
    for page in range(count):
        folder = tmp_path / str(page)
        shutil.copytree(edited.folder, folder)
        with (folder / "journal.sqlite").open("r+b") as file:
            file.seek(page * PAGE)
            file.write(rng.bytes(PAGE) if page % 2 else bytes(PAGE))
        kept.append(check(folder, edited.states).edits)
    # Where the page holds no edits after the snapshot, nothing is lost.
    assert kept.count(EDITS) >= count // 2


@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 9).round(2))
def test_cut_anywhere(edited, broken, share):
    path = broken / "journal.sqlite"
    size = os.path.getsize(path)
    os.truncate(path, int(size * share))
    check(broken, edited.states, EDITS if size * share > 3 * PAGE else SNAPSHOT)


def test_cut_by_one_byte(edited, broken):
    path = broken / "journal.sqlite"
    os.truncate(path, os.path.getsize(path) - 1)
    # The edit that the byte belongs to, and those that depend on it.
    assert check(broken, edited.states).lost <= 5


def test_nothing_is_lost_of_a_session_that_was_closed(edited, broken):
    """Closing writes a snapshot: whatever happens to the list, all edits keep their effect."""
    with Session.open(broken) as session:
        session.undo()
        session.redo()
    rng = np.random.default_rng(3)
    path = broken / "journal.sqlite"
    data = path.read_bytes()
    for damage in (data[:-1], data[:5000], b"", rng.bytes(len(data)), data[: 5 * PAGE]):
        for name in ("-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        path.write_bytes(damage)
        done = recover(broken)
        assert (done.edits, done.lost) == (EDITS, 0)
        with Session.open(broken) as session:
            assert same(state_of(session), edited.states[EDITS])


def test_any_byte_changed_is_noticed_or_harmless(edited, tmp_path):
    rng = np.random.default_rng(2)
    size = os.path.getsize(edited.folder / "journal.sqlite")
    for at in rng.integers(0, size, 12).tolist():
        folder = tmp_path / str(at)
        shutil.copytree(edited.folder, folder)
        with (folder / "journal.sqlite").open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 0xFF]))
        done = recover(folder)
        assert done.edits + done.lost == EDITS and done.edits >= SNAPSHOT
        with Session.open(folder) as session:
            assert session.history.position > 0


def test_the_log_of_a_session_that_was_not_closed(edited, tmp_path):
    """Edits lie in the write-ahead log until the session is closed; pages of it are damaged."""
    log = edited.open / "journal.sqlite-wal"
    frames = (os.path.getsize(log) - 32) // (PAGE + 24)
    assert frames > 8
    for frame in {0, 1, frames // 3, frames // 2, frames - 2, frames - 1}:
        folder = tmp_path / str(frame)
        shutil.copytree(edited.open, folder)
        with (folder / log.name).open("r+b") as file:
            file.seek(32 + frame * (PAGE + 24) + 24)
            file.write(bytes(PAGE))
        (folder / "journal.sqlite-shm").unlink(missing_ok=True)
        done = recover(folder)
        assert done.edits >= SNAPSHOT and not list(folder.glob("snapshot.npz.*"))
        with Session.open(folder) as session:
            if not done.lost:
                assert same(state_of(session), edited.states[done.edits])


def test_edits_past_lost_ones_are_made_again_where_they_do_what_they_did(tmp_path, rooms):
    with Session.create(tmp_path / "s", rooms) as session:
        # In slice 0 a line, in slice 1 the gap, in slice 0 what was drawn is erased.
        session.apply(edit_tools.draw(session, [0], [(1, 0), (1, 3)]))
        session.apply(edit_tools.draw(session, [0], [(5, 5), (5, 8)]))
        session.apply(edit_tools.draw(session, [1], [(3, 4), (3, 4)]))
        session.apply(edit_tools.erase(session, [0], [(5, 5), (5, 8)], 1))
        session.apply(edit_tools.draw(session, [2], [(2, 0), (2, 3)]))
        session._since_snapshot = 0
        folder = session.folder
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as database:
        database.execute("DELETE FROM steps WHERE id = 2")
        database.execute("VACUUM")
    with pytest.raises(InputError, match="Edit 2 is missing"):
        Session.open(folder)
    done = recover(folder)
    # What was erased is not there to be erased.
    assert (done.edits, done.lost) == (3, 2) and "redone without the lost ones" in done.notes[0]
    with Session.open(folder) as session:
        assert session.contour[0, 1, :4].all() and not session.contour[0, 5, 5:].any()
        assert session.contour[1, 3, 4] == 1 and session.contour[2, 2, :4].all()
        assert [session.history[n].id for n in range(3)] == [1, 3, 5]
        session.jump(0)
        assert np.array_equal(session.contour, rooms.contour)


def test_a_head_beyond_the_last_edit(edited, broken):
    with closing(sqlite3.connect(broken / "journal.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE head SET current = 153, tip = 153")
    with pytest.raises(InputError, match="recover"):
        Session.open(broken)
    done = recover(broken)
    assert (done.edits, done.lost) == (EDITS, 3)
    with Session.open(broken) as session:
        assert same(state_of(session), edited.states[EDITS])


@pytest.mark.parametrize("number", [20, SNAPSHOT, 120, EDITS])
def test_a_deleted_row_is_told_and_recovered(edited, broken, number):
    with closing(sqlite3.connect(broken / "journal.sqlite", isolation_level=None)) as database:
        database.execute("DELETE FROM steps WHERE id = ?", (number,))
    with pytest.raises(InputError, match=rf"Edit {number} is missing.*recover"):
        Session.open(broken)
    check(broken, edited.states)


def test_no_list_of_edits_at_all(edited, broken):
    (broken / "journal.sqlite").unlink()
    for read_only in (True, False):
        with pytest.raises(InputError, match=r"missing.*recover"):
            Session.open(broken, read_only=read_only)
    done = recover(broken)
    assert done.edits == SNAPSHOT and "missing" in done.notes[0]
    with Session.open(broken) as session:
        assert same(state_of(session), edited.states[SNAPSHOT])
        session.undo()
        assert same(state_of(session), edited.states[0])


@pytest.mark.parametrize("page", [None, 4])
def test_a_damaged_start_is_made_anew_from_the_snapshot(edited, broken, page):
    (broken / "start.npz").write_bytes(b"gone")
    if page is not None:
        with (broken / "journal.sqlite").open("r+b") as file:
            file.seek(page * PAGE)
            file.write(bytes(PAGE))
    done = recover(broken)
    assert done.edits >= SNAPSHOT and done.edits + done.lost == EDITS
    assert (broken / "start.npz.damaged").exists()
    with Session.open(broken) as session:
        if page is None:
            assert same(state_of(session), edited.states[EDITS])
            session.jump(0)
            assert same(state_of(session)[:3], edited.states[0][:3])


def test_a_recovery_that_was_killed_goes_on(edited, broken, monkeypatch):
    with closing(sqlite3.connect(broken / "journal.sqlite", isolation_level=None)) as database:
        database.execute("DELETE FROM steps WHERE id = 120")
    expected = recover(shutil.copytree(broken, broken.with_name("other")))
    replaced = []

    def killed(source, target):
        replaced.append(target)
        if len(replaced) == 2:
            raise KeyboardInterrupt
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("napari_copnet.proofreading.recover.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            recover(broken)
    assert not (broken / "journal.sqlite").exists()
    assert recover(broken).edits == expected.edits
    with Session.open(broken) as session:
        assert session.history.position == expected.edits


def test_what_was_undone_stays_undone(edited, broken):
    with Session.open(broken) as session:
        session.jump(100)
        session._since_snapshot = 0
    with closing(sqlite3.connect(broken / "journal.sqlite", isolation_level=None)) as database:
        database.execute("DELETE FROM steps WHERE id = 50")
    assert recover(broken).edits == 100
    with Session.open(broken) as session:
        assert same(state_of(session), edited.states[100])
        session.redo()
        assert same(state_of(session), edited.states[101])


def test_verdicts_and_links_before_the_snapshot_are_kept(tmp_path, rooms):
    with Session.create(tmp_path / "s", rooms) as session:
        verdict = Verdict("gap 1", "gap", Patch.of(1, np.ones((1, 1), bool), (3, 4)), "rejected")
        session.apply(Edit("reject", (Judge(None, verdict),)))
        first = session.id_at(0, 3, 1), session.id_at(1, 3, 1)
        session.apply(edit_tools.link(session, (0, (3, 1)), (1, (3, 1))))
        assert first in session.links
        expected = state_of(session)
    (tmp_path / "s" / "journal.sqlite").unlink()
    assert recover(tmp_path / "s").edits == 2
    with Session.open(tmp_path / "s") as session:
        assert same(state_of(session), expected)
        session.undo()
        assert not session.verdicts and not len(session.links)


def test_circles_and_numbers_that_can_not_be_end(tmp_path):
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for number, parent in ((1, 2), (2, 1), (2**62, 0)):
            database.execute("INSERT INTO steps VALUES (?, ?, 0, '', '', x'')", (number, parent))
        database.execute("UPDATE head SET current = 2, tip = 2")
    with closing(Journal(path, writable=False)) as journal, pytest.raises(InputError):
        journal.listed(2)
    found = salvage(path)
    assert found.entries == {} and found.highest <= 2 and not found.sound


def test_a_new_session_has_a_list_of_edits_and_one_without_still_opens(tmp_path, rooms):
    from napari_copnet.progress import finish

    folder = finish(session_files.make(tmp_path / "s", rooms))
    assert sorted(path.name for path in folder.iterdir() if "sqlite" in path.name) == [
        "journal.sqlite"
    ]
    (folder / "journal.sqlite").unlink()
    with Session.open(folder, read_only=True) as session:
        assert len(session.history) == 0 and session.follow() == []
    assert not (folder / "journal.sqlite").exists()
    with Session.open(folder) as session:
        session.apply(edit_tools.draw(session, [0], [(1, 0), (1, 3)]))
    assert json.loads((folder / "session.json").read_text())["format"] == session_files.FORMAT
    with Session.open(folder, read_only=True) as session:
        assert len(session.history) == 1


def test_rows_longer_than_a_page_are_read_by_pages(tmp_path):
    from napari_copnet.proofreading.packing import to_bytes

    path = tmp_path / "journal.sqlite"
    bits = np.random.default_rng(0).random((300, 300)) < 0.5
    entries = [
        JournalEntry(
            n, n - 1, 0.5, "draw", "x" * size, to_bytes(Edit("draw", (Flip("contour", patch),)))
        )
        for n, (size, patch) in enumerate(
            [(1, Patch.of(0, bits)), (9000, Patch.of(0, bits[:1])), (4060, Patch.of(0, bits[:9]))],
            start=1,
        )
    ]
    with closing(Journal(path)) as journal:
        for entry in entries:
            journal.add(entry, Head(entry.id, entry.id))
    data = bytearray(path.read_bytes())
    data[:100] = bytes(100)
    path.write_bytes(data)
    found = salvage(path)
    assert found.entries == {entry.id: entry for entry in entries}
    assert found.head == Head(3, 3)


def change(folder, statement, *values):
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        with database:
            database.execute(statement, values)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_damaged_text_costs_no_edit(edited, tmp_path):
    """It only describes the edit."""
    folder = shutil.copytree(edited.folder, tmp_path / "s")
    change(folder, "UPDATE steps SET text = CAST(x'646fff74' AS TEXT) WHERE id = 120")
    done = recover(folder)
    assert (done.edits, done.lost) == (EDITS, 0) and done.notes
    with Session.open(folder) as session:
        assert same(state_of(session), edited.states[EDITS])
        assert session.history[119].text == "do?t"
    assert not recover(folder).notes


@pytest.mark.parametrize("number", [5, 120, EDITS])
def test_an_edit_under_a_damaged_number_is_not_lost_and_no_others_are_counted(
    edited, tmp_path, number
):
    folder = shutil.copytree(edited.folder, tmp_path / "s")
    change(folder, "UPDATE steps SET id = 90000 WHERE id = ?", number)
    done = recover(folder)
    assert (done.edits, done.lost) == (EDITS, 0) and done.notes
    with Session.open(folder) as session:
        assert same(state_of(session), edited.states[EDITS])


@pytest.mark.parametrize("tip", [3, EDITS - 1])
def test_a_session_that_says_it_stood_earlier_loses_no_edit(edited, tmp_path, tip):
    folder = shutil.copytree(edited.folder, tmp_path / "s")
    change(folder, "UPDATE head SET current = ?, tip = ?", tip, tip)
    done = recover(folder)
    assert (done.edits, done.lost) == (EDITS, 0)


def test_of_edits_of_earlier_versions_a_number_is_found_again(edited, tmp_path):
    """Their bytes do not say where they belong."""
    folder = shutil.copytree(edited.folder, tmp_path / "s")
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database, database:
        for number, data in database.execute("SELECT id, edit FROM steps").fetchall():
            bare = to_bytes(from_bytes(data))
            database.execute("UPDATE steps SET edit = ? WHERE id = ?", (bare, number))
    change(folder, "UPDATE steps SET id = 7000 WHERE id = 120")
    done = recover(folder)
    assert (done.edits, done.lost) == (EDITS, 0)


@pytest.mark.parametrize("value", [3, 118])
def test_an_edit_that_says_it_follows_another_is_noticed(edited, tmp_path, value):
    folder = shutil.copytree(edited.folder, tmp_path / "s")
    (folder / "snapshot.npz").unlink()
    change(folder, "UPDATE steps SET parent = ? WHERE id = 120", value)
    with pytest.raises(InputError, match="damaged"):
        Session.open(folder)
    done = recover(folder)
    assert (done.edits, done.lost) == (EDITS, 0)
    with Session.open(folder) as session:
        assert same(state_of(session), edited.states[EDITS])
        session.jump(SNAPSHOT)
        assert same(state_of(session), edited.states[SNAPSHOT])


def test_a_schema_that_is_no_text_is_damage_like_any_other(edited, tmp_path):
    folder = shutil.copytree(edited.folder, tmp_path / "s")
    data = (folder / "journal.sqlite").read_bytes()
    at = data.index(b"CREATE TABLE steps")
    for spoilt in (b"CR\xb1ATE TABLE steps", b"CREATE TABL\xff steps"):
        whole = data[:at] + spoilt + data[at + len(spoilt) :]
        (folder / "journal.sqlite").write_bytes(whole)
        assert not salvage(folder / "journal.sqlite").sound
    done = recover(folder)
    assert (done.edits, done.lost) == (EDITS, 0)
