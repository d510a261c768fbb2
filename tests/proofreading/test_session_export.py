"""What leaves a session, and what is saved of a damaged one."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from napari_copnet.errors import InputError, OutputError
from napari_copnet.io.read import read_image
from napari_copnet.progress import finish
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.edits import joined
from napari_copnet.proofreading.packing import from_plain
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_export import export
from napari_copnet.proofreading.session_model import SessionModel


def edited(session):
    session.apply(edit_tools.close_gap(session, [1], [(3, 4)]))
    session.apply(edit_tools.mark_cell(session, [2], (3, 7), "vessel"))
    session.apply(edit_tools.draw(session, [0], [(3, 0), (3, 3)]))
    assert session.wait_saved()


def test_contours_cells_marks_and_edits_are_written(session, tmp_path):
    edited(session)
    session.undo()
    record = finish(export(session, tmp_path / "out"))
    files = record["files"]
    networks = sum(int(session.run_contour(z).sum()) for z in range(3))
    assert networks == session.contour.copy().sum() - 1
    assert record["counts"] == {
        "edits": {"close gap": 1, "mark vessel": 1},
        "items": {"accepted": 0, "rejected": 0},
        "contour_pixels": {
            "networks": int(session.contour.copy().sum()) - 1,
            "added": 1,
            "removed": 0,
        },
        "edited_slices": 1,
    }
    assert record["models_by_run"] == [{}]
    assert np.array_equal(read_image(files["closed"]).data, session.contour)
    cells = read_image(files["cells"]).data
    assert sorted(np.unique(cells)) == [0, 1, 2] and record["cells"] == 2
    assert (cells[:, :, :4] == 1).all() and (cells[:2, :, 5:] == 2).all()
    assert read_image(files["vessel"]).data.sum() == 28
    listed = json.loads((tmp_path / "out" / "edits.json").read_text())
    assert [entry["text"].rsplit(",", 1)[0] for entry in listed] == [
        "close gap, slice 2",
        "mark vessel, slice 3",
    ]
    # The list is enough to come back to the start.
    whole = joined("all", *(from_plain(entry) for entry in listed))
    before = session.contour.copy()
    session.jump(0)
    flips = [change for change in whole.changes if type(change).__name__ == "Flip"]
    model = SessionModel(session.contour.copy(), session.marks.copy())
    for flip in flips:
        flip.apply(model)
    assert np.array_equal(model.contour, before)


def test_the_results_of_a_run_make_no_room_for_an_export(session, tmp_path):
    """A run's contour probability took hours, and no export has it."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "contours.tif").write_bytes(b"hours of work")
    (out / "run.json").write_text('{"command": "run", "files": {"contours": "contours.tif"}}')
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(OutputError, match="but copnet run"):
        finish(export(session, out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    # An export replaces an export.
    finish(export(session, tmp_path / "export"))
    finish(export(session, tmp_path / "export"))


def test_a_sound_session_is_left_as_it_is(session):
    edited(session)
    with pytest.raises(OutputError, match="another window"):
        recover(session.folder)
    session.close()
    done = recover(session.folder)
    assert (done.edits, done.lost, done.notes) == (3, 0, ())


def test_a_damaged_snapshot_is_set_aside(session):
    edited(session)
    expected = session.contour.copy(), session.all_cells()
    session.close()
    path = session.folder / "snapshot.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="recover"):
        Session.open(session.folder)
    done = recover(session.folder)
    assert done.edits == 3 and done.lost == 0 and "snapshot" in done.notes[0]
    with Session.open(session.folder) as again:
        assert np.array_equal(again.contour, expected[0])
        assert np.array_equal(again.all_cells(), expected[1])


def test_of_a_damaged_journal_the_readable_edits_are_kept(session):
    edited(session)
    session.jump(2)
    expected = session.contour.copy()
    session.jump(3)
    session._since_snapshot = 0
    session.close()
    path = session.folder / "journal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE steps SET edit = x'00' WHERE id = 3")
    done = recover(session.folder)
    assert done.edits == 2 and done.lost == 1
    with Session.open(session.folder) as again:
        assert np.array_equal(again.contour, expected)
        again.apply(edit_tools.draw(again, [0], [(1, 0), (1, 3)]))
    assert (session.folder / "journal.sqlite.damaged").exists()


def test_a_journal_that_is_no_database_leaves_the_start(session):
    edited(session)
    session._since_snapshot = 0
    session.close()
    (session.folder / "journal.sqlite").write_bytes(b"gone" * 999)
    done = recover(session.folder)
    assert done.edits == 0 and len(done.notes) == 1
    with Session.open(session.folder) as again:
        assert again.contour[1, 3, 4] == 0
