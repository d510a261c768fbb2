"""A slice that was checked in a thread is finished with what was found there."""

import numpy as np

from conftest import SIDE
from napari_copnet.teaching.slice_check import Finding, check_slice


def test_what_is_checked_is_a_copy_and_the_same(project):
    part = np.ones((SIDE, SIDE), bool)
    part[:, :20] = False
    project.set_reviewed(3, part)
    contour, out = project.to_check(3)
    assert np.array_equal(out, ~part)
    assert check_slice(contour, excluded=out) == project.check(3)
    contour[:] = 0
    assert project.session.contour[3].any()
    assert project.to_check(4)[1] is None


def test_known_findings_are_not_looked_for_again(project):
    wrong = [Finding("tiny island", 1, 1, "", 2.0)]
    assert project.finish(3, findings=wrong) == wrong
    assert project.state(3) == "in work"
    project.finish(3, despite=True, findings=wrong)
    assert project.state(3) == "done" and project.slice(3).left == 1
    project.reopen(3)
    assert project.finish(3, findings=[]) == []
    assert project.state(3) == "done"
