"""What is killed, or fails, while something besides an edit is written into a session."""

import shutil

import numpy as np
import trust_inputs
from trust_inputs import write_run

from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import from_run_folder


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
