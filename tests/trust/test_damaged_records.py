"""Records that are cut, empty, no text or of wrong types end in a sentence, whoever reads them."""

import json
import os
import sqlite3
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from trust_inputs import write_run

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import CellParams, from_dict
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.records import Fixed, Range, read_record, unfit
from napari_copnet.teaching.fine_tuning_folder import unfinished
from napari_copnet.teaching.project import Project
from napari_copnet.training.fit import _previous
from napari_copnet.training.work import work_folder

WRONG = (None, True, -1, 1.5, 1 << 70, "text", "", [], {}, [[]], [None], {"a": 1}, float("nan"))


def spoilt_texts(text):
    """Yield contents of a record that nobody wrote."""
    data = text.encode()
    yield from (data[: len(data) * part // 7] for part in range(7))
    yield data.replace(b'"', b'"\xff\xfe', 3)
    yield from (b"[]", b"null", b"1", b'"text"', b"[" * 100_000, b"1" * 10_000, b"\0" * 100)


def spoilt_values(values, few=False):
    """Yield a record again and again, one of its values another each time, or missing.

    Few of them are with every third of the wrong values, another third for each place.
    """

    def put(node, path, value, drop=False):
        if not path:
            return value
        copy = dict(node) if isinstance(node, dict) else list(node)
        if drop and len(path) == 1:
            del copy[path[0]]
        else:
            copy[path[0]] = put(node[path[0]], path[1:], value, drop)
        return copy

    def places(node, path=()):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            yield (*path, key)
            if isinstance(value, dict | list):
                yield from places(value, (*path, key))

    for number, path in enumerate(places(values)):
        yield put(values, path, None, drop=True)
        for wrong in WRONG[number % 3 :: 3] if few else WRONG:
            yield put(values, path, wrong)


def readers(tmp_path, run, session_folder):
    def session():
        with Session.open(session_folder, read_only=True) as opened:
            opened.cells(0)
            assert opened.image is None or opened.image.shape == opened.shape

    def project():
        with Project.open(session_folder, read_only=True) as opened:
            [opened.slice(z).is_listed for z in range(2)]

    return {
        run / "run.json": lambda: from_run_folder(run),
        session_folder / "session.json": session,
        session_folder / "annotation" / "annotation.json": project,
    }


@pytest.fixture
def project(session_folder):
    with Project.open(session_folder) as project:
        project.begin(1)
    return session_folder


@pytest.mark.parametrize("number", range(3))
def test_no_reader_meets_what_it_does_not_expect(tmp_path, run, project, number):
    (path, read) = [*readers(tmp_path, run, project).items()][number]
    text = path.read_text()
    values = json.loads(text)
    spoilt = [
        *spoilt_texts(text),
        *(json.dumps(v).encode() for v in spoilt_values(values, few=True)),
    ]
    told = 0
    for data in spoilt:
        path.write_bytes(data)
        try:
            read()
        except CopnetError:
            told += 1
    assert len(spoilt) > 60 and told > 40
    path.write_text(text)
    read()


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")
def test_pipes_and_links_in_place_of_files_are_not_waited_for(tmp_path, run, project):
    from napari_copnet.io.read import read_stack

    pipe = tmp_path / "pipe.tif"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        with pytest.raises(InputError, match="neither a file nor a folder"):
            read_stack(path)
    for path, read in readers(tmp_path, run, project).items():
        kept = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(CopnetError):
            read()
        path.unlink()
        path.write_bytes(kept)


def test_a_session_on_a_disk_that_refuses_says_so(project, monkeypatch):
    import errno

    import filelock

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with Project.open(project) as opened:
        assert "another window" not in opened.session.notice
        with pytest.raises(CopnetError, match="read-only file system"):
            opened.begin(0)
    with pytest.raises(CopnetError, match="can't be written: Read-only file system"):
        recover(project)


def test_forms():
    form = {"a": Range(0, 3), "b?": [float], "c": {"d": (str, None)}, "e?": Fixed(int, 2)}
    good = {"a": 3, "b": [1, 2.5], "c": {"d": None}, "further": object}
    assert unfit(good, form) is None
    assert unfit({**good, "a": True}, form) == "a"
    assert unfit({**good, "b": [float("inf")]}, form) == "b"
    assert unfit({**good, "c": {"d": 1}}, form) == "c.d"
    assert unfit({**good, "c": {}}, form) == "c.d"
    assert unfit({**good, "e": [1, 2, 3]}, form) == "e"


def test_a_record_is_no_larger_than_records_are(tmp_path):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match="too large"):
        read_record(tmp_path / "large.json")


def test_settings_of_another_type_are_refused():
    for value in ("4", [], True, None, -1):
        with pytest.raises(CopnetError):
            from_dict(CellParams, {"min_size": value})


def test_damaged_records_of_trainings_count_as_none(tmp_path):
    work = work_folder(tmp_path / "model")
    work.mkdir()
    for text in ("", "{", "[]", '{"name": 1}', '{"params": []}'):
        (work / "finetune.json").write_text(text)
        (work / "config.json").write_text(text)
        assert unfinished(tmp_path) == [] and _previous(work) is None


def test_a_run_whose_record_is_damaged_is_told_before_it_is_replaced(run):
    (run / "run.json").write_text("{")
    with pytest.raises(CopnetError, match="Remove it"):
        write_run(run, 1)


@pytest.mark.parametrize("statement", ["DELETE FROM head", "UPDATE head SET current = 0, tip = 0"])
def test_where_a_session_stands_is_not_guessed(tmp_path, run, statement):
    from trust_inputs import write_session

    folder = write_session(tmp_path / "edited", run, 5)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        database.execute(statement)
        database.commit()
    before = set(threading.enumerate())
    with pytest.raises(InputError, match="session recover"):
        Session.open(folder)
    assert set(threading.enumerate()) <= before
    assert recover(folder).edits == 5
    with Session.open(folder) as session:
        assert session.history.position == 5


def test_a_journal_that_failed_to_the_end_writes_no_more(session_folder, monkeypatch):
    from napari_copnet.proofreading import journal
    from napari_copnet.proofreading.edits import Edit, Flip, Patch

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(journal, "_PATIENCE", 0.3)
    monkeypatch.setattr(journal, "_RETRY", 0.01)
    monkeypatch.setattr(journal, "_commit", full)
    before = set(threading.enumerate())
    session = Session.open(session_folder)
    session.apply(Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1)))),)))
    with pytest.raises(CopnetError, match="disk is full"):
        session.close()
    assert set(threading.enumerate()) <= before
    # The disk has room again: another window writes now, and this one never.
    monkeypatch.undo()
    with Session.open(session_folder) as again:
        time.sleep(0.1)
        assert len(again.history) == 0
