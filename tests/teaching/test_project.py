"""A project: states of slices, what was reviewed, and that both survive."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from conftest import begin, grid
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.session import Session
from napari_copnet.teaching import project_view
from napari_copnet.teaching.project import DONE, IN_WORK, UNTOUCHED, Project, is_project
from napari_copnet.teaching.slice_choice import Proposal


def stroke(z, y, x, plane="contour", height=1, width=1):
    return Edit("draw", (Flip(plane, Patch.of(z, np.ones((height, width)), (y, x))),))


def test_states_go_from_untouched_to_done(project):
    project.choose([Proposal(0, "one in 10"), Proposal(10, "one in 10")])
    assert project.chosen == [0, 10]
    assert [project.state(z) for z in project.chosen] == [UNTOUCHED, UNTOUCHED]
    project.begin(10)
    assert project.state(10) == IN_WORK
    assert project.finish(10) == []
    assert project.state(10) == DONE and project.done == [10]
    assert project.counts() == {UNTOUCHED: 1, IN_WORK: 0, DONE: 1}
    project.reopen(10)
    assert project.state(10) == IN_WORK and project.done == []
    project.drop(10)
    assert project.chosen == [0]


def test_an_edit_takes_done_away_and_undo_gives_it_back(project):
    project.finish(3)
    seen = []
    project.on_change.append(seen.append)
    project.session.apply(stroke(3, 5, 5))
    assert project.state(3) == IN_WORK and 3 in seen
    project.session.undo()
    assert project.state(3) == DONE
    # edits elsewhere are none of its business
    project.session.apply(stroke(4, 5, 5))
    assert project.state(3) == DONE and project.state(4) == IN_WORK


def test_what_another_thread_saw_of_a_slice_before_an_edit_is_not_kept(project, monkeypatch):
    project.finish(3)
    project._forget(3)
    seen = project_view.fingerprint

    def slow(contour, marks):
        """The thread has read the slice, and is still at it when the edit is done."""
        value = seen(np.array(contour), np.array(marks))
        monkeypatch.setattr(project_view, "fingerprint", seen)
        project.session.apply(stroke(3, 5, 5))
        return value

    monkeypatch.setattr(project_view, "fingerprint", slow)
    project.state(3)
    assert project.state(3) == IN_WORK
    project.session.undo()
    assert project.state(3) == DONE


def test_findings_keep_a_slice_from_being_done_unless_told_otherwise(project):
    project.session.apply(stroke(2, 5, 5))
    found = project.finish(2)
    assert [(one.kind, one.y, one.x) for one in found] == [("tiny island", 5, 5)]
    assert project.state(2) == IN_WORK
    assert project.finish(2, despite=True) == found
    assert project.state(2) == DONE and project.slice(2).left == 1


def test_truth_is_the_contour_and_ignores_what_was_not_reviewed(project):
    part = np.zeros((48, 48), bool)
    part[:24] = True
    project.set_reviewed(7, part)
    project.finish(7)
    truth = project.truth(7)
    assert np.array_equal(truth[:24], project.session.contour[7][:24])
    assert (truth[24:] == 2).all()
    # all of a slice that is done, nothing of one that is not
    project.finish(8)
    assert np.array_equal(project.truth(8), project.session.contour[8])
    assert (project.truth(9) == 2).all()


def test_haemorrhage_is_ignored_and_a_vessel_teaches_that_it_has_no_contour(project):
    session = project.session
    session.apply(edit_tools.mark_cell(session, [5], (6, 6), "haemorrhage"))
    session.apply(edit_tools.mark_cell(session, [5], (6, 18), "vessel"))
    project.finish(5)
    truth = project.truth(5)
    assert (truth[1:12, 1:12] == 2).all()
    assert (truth[1:12, 13:24] == 0).all()


def test_blank_slices_and_what_alignment_hid_are_ignored(tmp_path):
    contour = grid(2)
    hidden = np.zeros(contour.shape, bool)
    hidden[0, :, :10] = True
    with Project.create(tmp_path / "p", begin(contour, excluded=hidden)) as project:
        project.finish(0)
        assert (project.truth(0)[:, :10] == 2).all()
        assert (project.truth(0)[:, 10:] < 2).all()


def test_everything_is_there_after_reopening(tmp_path):
    part = np.random.default_rng(0).random((48, 48)) < 0.5
    with Project.create(tmp_path / "p", begin(grid(12))) as project:
        project.choose([Proposal(4, "31 open items (median 9)", 2.0)])
        project.set_reviewed(6, part)
        project.finish(6, despite=True)
        project.session.apply(stroke(9, 5, 5))
    assert is_project(tmp_path / "p")
    with Project.open(tmp_path / "p", read_only=True) as again:
        assert again.chosen == [4, 6]
        assert again.slice(4).reason == "31 open items (median 9)"
        assert again.state(6) == DONE and again.state(9) == IN_WORK
        assert np.array_equal(again.reviewed(6), part)
        with pytest.raises(CopnetError):
            again.begin(4)


def test_a_session_becomes_a_project(tmp_path):
    with Session.create(tmp_path / "s", begin(grid(3))) as session:
        project = Project(session)
        project.finish(1)
        project.close()
        # the session is still its opener's
        session.apply(stroke(0, 5, 5))
    with Project.open(tmp_path / "s", read_only=True) as again:
        assert again.done == [1]


def test_a_killed_process_loses_nothing_that_was_saved(tmp_path):
    with Project.create(tmp_path / "p", begin(grid(5))):
        pass
    code = (
        "import sys, time, numpy as np\n"
        "from napari_copnet.teaching.project import Project\n"
        "project = Project.open(sys.argv[1])\n"
        "contour = np.array(project.session.contour[2]); contour[5, 5] = 1\n"
        "project.draw(2, contour)\n"
        "project.finish(2, despite=True)\n"
        "project.session.wait_saved()\n"
        "print('saved', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "p")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "saved\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    time.sleep(0.1)
    with Project.open(tmp_path / "p") as again:
        assert again.done == [2] and again.truth(2)[5, 5] == 1


def test_a_contour_from_elsewhere_is_one_edit(project):
    drawn = np.zeros((48, 48), np.uint8)
    drawn[10] = 255
    before = project.session.contour[1].copy()
    project.draw(1, drawn)
    assert np.array_equal(project.session.contour[1], drawn > 0)
    project.session.undo()
    assert np.array_equal(project.session.contour[1], before)
    with pytest.raises(InputError, match="same size"):
        project.draw(1, drawn[:, :9])


def test_new_results_leave_slices_that_are_kept(project):
    project.finish(0, despite=True)
    new = begin(np.zeros_like(grid(31)))
    project.session.add_run(new, keep=project.done)
    assert project.state(0) == DONE
    assert not project.session.contour[1].any()


@pytest.mark.parametrize("text", ["{", '{"format": 1}', '{"format": 1, "slices": [{"y": 3}]}'])
def test_a_damaged_file_is_named(tmp_path, text):
    with Project.create(tmp_path / "p", begin(grid(2))):
        pass
    (tmp_path / "p" / "annotation" / "annotation.json").write_text(text)
    with pytest.raises(InputError, match="damaged"):
        Project.open(tmp_path / "p")
