"""States on disk: what earlier versions wrote is read, damage is noticed, snapshots stay small."""

import json
import shutil
import zipfile
import zlib

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.errors import InputError
from napari_copnet.params import CellParams
from napari_copnet.proofreading import edit_tools, state_files
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start


def look(session):
    """All that a session shows."""
    model = session._model
    return (
        np.array(session.contour).tolist(),
        np.array(session.marks).tolist(),
        session.all_cells().tolist(),
        [dict(ids) for ids in model.ids],
        list(model.links),
        [session.slice_of(cell_id) for cell_id in range(model.next_id)],
        [None if (e := session.excluded(z)) is None else e.tolist() for z in range(4)],
    )


def write_as_before(path, state):
    """Write a state as versions before the first release did."""
    model, at, excluded = state
    height, width = model.shape[1:]
    marked = [z for z in range(model.shape[0]) if model.marks[z].any()]
    marks = [zlib.compress(model.marks[z].tobytes(), 1) for z in marked]
    counts, seeds, names = model.ids.tables()
    tables = {
        "at": np.array(at),
        "shape": np.array(model.shape),
        "contour": np.packbits(np.array(model.contour).reshape(-1, height * width), axis=1),
        "marked": np.array(marked, np.int64),
        "marks_end": np.cumsum([len(data) for data in marks], dtype=np.int64),
        "marks": np.frombuffer(b"".join(marks), np.uint8),
        "counts": counts,
        "seeds": seeds,
        "names": names,
        "places": model.places(),
        "links": np.array(list(model.links), np.int64).reshape(-1, 2),
        "verdicts": np.array('{"tool": "", "changes": []}'),
    }
    if excluded is not None:
        mask = np.array(excluded).reshape(-1, height * width)
        tables["excluded"] = np.packbits(mask, axis=1)
    np.savez(path, allow_pickle=False, **tables)


@pytest.fixture
def edited(tmp_path):
    """A session that was edited and closed, the folder, and what it showed before and after."""
    contour = two_rooms(4, 9, 12)
    excluded = np.zeros(contour.shape, bool)
    excluded[3] = True
    start = Start(
        contour, contour * np.float32(0.9), excluded=excluded, cells=CellParams(min_size=0)
    )
    with Session.create(tmp_path / "s", start) as session:
        before = look(session)
        session.apply(edit_tools.draw(session, [1], [(4, 6), (4, 6)]))
        session.apply(edit_tools.mark_cell(session, [0], (3, 10), "vessel"))
        after = look(session)
    return tmp_path / "s", before, after


@pytest.fixture
def before(edited):
    """The same, as an earlier version left it."""
    folder = edited[0]
    for name in (state_files.SNAPSHOT, state_files.START):
        path = folder / name
        state = state_files.read_state(path)
        np.array(state[0].contour)
        write_as_before(path, state)
    facts = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**facts, "format": 1}))
    return edited


@pytest.mark.parametrize("has_snapshot", [True, False])
def test_a_session_of_an_earlier_version_goes_on(before, has_snapshot):
    folder, first, last = before
    if not has_snapshot:
        (folder / state_files.SNAPSHOT).unlink()
    for _ in range(3):
        # The second time from a snapshot of this version.
        with Session.open(folder) as session:
            assert look(session) == last
            session.jump(0)
            assert look(session) == first
            session.jump(2)
        assert json.loads((folder / "session.json").read_text())["format"] == 2


def test_one_of_an_earlier_version_that_is_only_looked_at_stays_as_it_is(before):
    folder = before[0]
    was = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    with Session.open(folder) as session:
        assert look(session) == before[2]
    assert {path.name: path.read_bytes() for path in folder.glob("*.npz")} == was
    assert json.loads((folder / "session.json").read_text())["format"] == 1


def test_a_snapshot_holds_the_slices_that_edits_changed(edited):
    with zipfile.ZipFile(edited[0] / state_files.SNAPSHOT) as snapshot:
        names = snapshot.namelist()
    assert [name for name in names if name.startswith("contour/")] == ["contour/1"]
    assert [name for name in names if name.startswith("marks/")] == ["marks/0"]


def test_opening_reads_no_slice_of_the_contour(edited, monkeypatch):
    read = []
    real = state_files.StartContour.__call__
    monkeypatch.setattr(
        state_files.StartContour, "__call__", lambda self, z: read.append(z) or real(self, z)
    )
    with Session.open(edited[0]) as session:
        assert read == []
        session.cells(2)
        assert read == [2]


def test_a_damaged_start_is_noticed_and_a_snapshot_opens_without_it(edited):
    folder, first, last = edited
    path = folder / state_files.START
    data = bytearray(path.read_bytes())
    at = data.find(b"contour/2") + len(b"contour/2")
    data[at + 3] ^= 0xFF
    path.write_bytes(data)
    # The contour of the first run is in its folder too.
    with Session.open(folder) as session:
        assert look(session) == last
        session.jump(0)
        assert look(session) == first
        session.jump(2)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    (copy / state_files.SNAPSHOT).unlink()
    with pytest.raises(InputError, match=r"damaged.*recover"):
        Session.open(copy)
    assert recover(folder).lost == 0
    assert (folder / "start.npz.damaged").exists()
    # What the new start is, the folder of the run need not be.
    (folder / "runs" / "0" / "closed.npy").unlink()
    with Session.open(folder) as session:
        assert look(session) == last
        session.jump(0)
        assert look(session) == first


def test_a_large_start_is_checked_slice_by_slice(edited, monkeypatch):
    folder = edited[0]
    monkeypatch.setattr(state_files, "CHECKED_BYTES", 0)
    path = folder / state_files.START
    data = bytearray(path.read_bytes())
    at = data.find(b"contour/2") + len(b"contour/2")
    data[at + 3] ^= 0xFF
    path.write_bytes(data)
    (folder / state_files.SNAPSHOT).unlink()
    with Session.open(folder) as session:
        session.cells(1)
        with pytest.raises(InputError, match=r"damaged.*recover"):
            session.cells(2)


def test_a_snapshot_after_a_start_that_was_rebuilt_holds_every_slice(edited):
    folder, first, last = edited
    (folder / state_files.START).write_bytes(b"gone")
    recover(folder)
    with Session.open(folder) as session:
        session.undo()
        session.redo()
    with zipfile.ZipFile(folder / state_files.SNAPSHOT) as snapshot:
        assert {f"contour/{z}" for z in range(4)} <= set(snapshot.namelist())
    with Session.open(folder) as session:
        assert look(session) == last
        session.jump(0)
        assert look(session)[:3] == first[:3]


def test_a_session_that_is_closed_holds_no_file_open(edited):
    with Session.open(edited[0]) as session:
        session.cells(1)
        start = session._model.contour.base
        assert start._zip is not None
    assert start._zip is None
    # What is still shown of it is read again.
    assert session.contour[2].any()


def test_edits_of_many_slices_keep_to_the_slices_in_memory(tmp_path, monkeypatch):
    """With room for one slice alone, an edit of all leads where it leads with room for all."""

    def go(folder, least):
        monkeypatch.setattr(
            "napari_copnet.proofreading.session_view.slices_in", lambda *_, **__: least
        )
        monkeypatch.setattr("napari_copnet.proofreading.planes.slices_in", lambda *_, **__: least)
        monkeypatch.setattr("napari_copnet.proofreading.slice_ids._AT_HAND", least)
        rng = np.random.default_rng(0)
        contour = two_rooms(4, 9, 12)
        start = Start(contour, contour * np.float32(0.9), cells=CellParams(min_size=0))
        seen = []
        with Session.create(folder, start) as session:
            for number in range(8):
                plane = "vessel" if number % 3 == 2 else "contour"
                flips = [Flip(plane, Patch.of(z, rng.random((9, 12)) < 0.1)) for z in range(4)]
                session.apply(Edit("dots", tuple(flips)))
                seen.append(look(session))
            for position in (5, 7, 0, 8):
                session.jump(position)
                seen.append(look(session))
        with Session.open(folder) as session:
            seen.append(look(session))
        return seen

    assert go(tmp_path / "one", 1) == go(tmp_path / "many", 50)
