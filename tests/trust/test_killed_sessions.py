"""What is killed, or fails, while something besides an edit is written into a session."""

import shutil
import threading

import numpy as np
import pytest
import trust_inputs
from trust_inputs import contour_of, leftovers, write_run

from napari_copnet.errors import OutputError
from napari_copnet.proofreading import journal, session_files
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.teaching import state_folder
from napari_copnet.teaching.carrying.carried import CarriedSlice
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.project import UNTOUCHED, Project, is_project
from napari_copnet.teaching.slice_choice import Proposal


def by_hand(session):
    """Return where the contour is not that of the last run, bool."""
    now = np.array(session.contour[:]) > 0
    return now != np.stack([session.run_contour(z) for z in range(session.shape[0])])


def killed_between(folder, newer):
    """Write a newer run into a session, but not the edit that takes it."""
    with Session.open(folder) as session:
        session_files.add_run(folder, session.facts, newer, session.history.upcoming)


def test_a_run_that_was_not_taken_makes_no_pixel_one_edited_by_hand(tmp_path, run):
    folder = trust_inputs.write_session(tmp_path / "session", run, 3)
    write_run(tmp_path / "newer", 4)
    newer = from_run_folder(tmp_path / "newer")
    with Session.open(folder, read_only=True) as session:
        before = by_hand(session)
    whole = shutil.copytree(folder, tmp_path / "whole")
    killed_between(folder, newer)
    with Session.open(folder, read_only=True) as session:
        np.testing.assert_array_equal(by_hand(session), before)
    with Session.open(folder) as session:
        assert len(session.facts.runs) == 1
        # An edit of the same number is not the one that was to take the run.
        session.undo()
        session.redo()
    with Session.open(folder) as session, Session.open(whole) as other:
        assert len(session.facts.runs) == 1
        session.add_run(newer)
        other.add_run(newer)
        assert len(session.facts.runs) == 2
        np.testing.assert_array_equal(session.contour[:], other.contour[:])
        np.testing.assert_array_equal(by_hand(session), by_hand(other))
    with Session.open(folder) as session:
        assert len(session.facts.runs) == 2


def test_a_reader_sees_a_run_once_its_edit_is_made(tmp_path, run):
    folder = trust_inputs.write_session(tmp_path / "session", run, 3)
    write_run(tmp_path / "newer", 4)
    newer = from_run_folder(tmp_path / "newer")
    with Session.open(folder) as writer:
        facts = session_files.add_run(folder, writer.facts, newer, writer.history.upcoming)
        with Session.open(folder, read_only=True) as reader:
            assert len(reader.facts.runs) == 1
            writer.facts = facts
            trust_inputs.dot(writer)
            assert writer.wait_saved()
            reader.follow()
            assert len(reader.facts.runs) == 2


# A disk that fails for a while ------------------------------------------------


@pytest.fixture
def failing(monkeypatch):
    """Let files of some names fail to be written as long as they are in the set returned."""
    names, real = set(), state_folder.__dict__.copy()

    def guarded(write):
        def call(path, *rest):
            if any(path.match(name) for name in names):
                raise OutputError(f"There is no space to write {path}.", "")
            return write(path, *rest)

        return call

    for name in ("write_part", "write_states", "write_carried", "write_prefilled"):
        monkeypatch.setattr(state_folder, name, guarded(real[name]))
    return names


def test_a_reviewed_part_that_could_not_be_written_is_written_later(session_folder, failing):
    part = contour_of()[0] > 0
    with Project.open(session_folder) as project:
        failing.add("reviewed-*")
        project.set_reviewed(0, part)
        project.session.wait_saved()
        assert not is_project(session_folder), "a state speaks of a part that is not there"
        failing.clear()
        project.choose([Proposal(1, "another")])
    with Project.open(session_folder) as project:
        np.testing.assert_array_equal(project.reviewed(0), part)
        assert project.chosen == [0, 1]


def test_a_part_that_can_not_be_written_at_all_is_told(session_folder, failing):
    project = Project.open(session_folder)
    failing.add("reviewed-*")
    project.set_reviewed(0, contour_of()[0] > 0)
    with pytest.raises(OutputError, match="no space"):
        project.close()
    with Project.open(session_folder) as project:
        assert project.chosen == []


@pytest.mark.parametrize("how", ["carried", "prefilled"])
def test_contours_whose_file_can_not_be_written_are_not_drawn(session_folder, failing, how):
    """Drawn without it, they would count as drawn by hand."""
    contour = contour_of(4)[0] > 0

    def take(project):
        if how == "carried":
            return project.take_carried(CarriedSlice(0, (1,), contour, contour, (), 3))
        return project.take_prefilled(PrefilledSlice(0, "a" * 64, contour))

    def known(project):
        return project.carried(0) if how == "carried" else project.prefilled(0)

    with Project.open(session_folder) as project:
        before = project.session.contour[0].copy()
        failing.add(f"{how}-*")
        with pytest.raises(OutputError):
            take(project)
        assert known(project) is None and project.state(0) == UNTOUCHED
        assert np.array_equal(project.session.contour[0], before)
    with Project.open(session_folder) as project:
        assert known(project) is None and project.state(0) == UNTOUCHED
        failing.clear()
        assert take(project)
    with Project.open(session_folder) as project:
        assert known(project) is not None and project.state(0) == UNTOUCHED
        assert np.array_equal(project.session.contour[0] > 0, contour)


def test_states_do_not_come_before_the_edits_that_they_speak_of(session_folder, monkeypatch):
    """A state that is asked for while the disk is slow waits for the edits made before it."""
    seen = []
    real = state_folder.write_states

    def watched(path, packed):
        with Session.open(session_folder, read_only=True) as session:
            seen.append((len(packed["slices"]), len(session.history)))
        real(path, packed)

    monkeypatch.setattr(state_folder, "write_states", watched)
    with Project.open(session_folder) as project:
        hold = threading.Event()
        project.session.after_saving(hold.wait)
        project.begin(0)
        for x in range(5):
            trust_inputs.dot(project.session, x=x)
        project.begin(1)
        hold.set()
    assert seen[-1] == (2, 5)
    assert all(edits == 5 for slices, edits in seen if slices == 2)


def test_a_session_on_a_full_disk_is_told_in_a_sentence(tmp_path, run, monkeypatch):
    real = journal._connected

    def full(path):
        database = real(path)
        database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(journal, "_connected", full)
    with pytest.raises(OutputError, match=r"can't be written: .* full"):
        Session.create(tmp_path / "new", from_run_folder(run))
    assert not (tmp_path / "new").exists() and not leftovers(tmp_path)
