"""Slices to annotate: every n-th, and those that stand out for a reason that is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from conftest import begin, grid
from napari_copnet.errors import InputError
from napari_copnet.params import ChooseParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.session import Session
from napari_copnet.teaching.slice_choice import by_need, every_nth, looks, looks_of, propose


@pytest.fixture
def session(tmp_path):
    """31 slices; closing took 9 passes in slice 20, and slice 7 is of another texture."""
    contour = grid(31)
    passes = [2] * 31
    passes[20] = 9
    start = begin(contour, record={"iterations_by_slice": passes})
    start.stack.data[7] = np.kron(
        np.random.default_rng(1).integers(0, 255, (12, 12)), np.ones((4, 4))
    )
    with Session.create(tmp_path / "s", start) as opened:
        yield opened


def test_every_tenth_slice(session):
    found = finish(propose(session, ChooseParams()))
    assert [one.z for one in found] == [0, 10, 20, 30]
    assert [one.z for one in every_nth(25, 7, first=3)] == [3, 10, 17, 24]
    with pytest.raises(InputError, match="no slice 25"):
        every_nth(25, 7, first=25)


def test_need_names_the_slices_that_stand_out_and_why(session):
    items = [SimpleNamespace(z=13, verdict="") for _ in range(40)]
    items += [SimpleNamespace(z=26, verdict="accepted") for _ in range(40)]
    found = finish(by_need(session, 3, items=items))
    reasons = {one.z: one.reason for one in found}
    assert set(reasons) == {7, 13, 20}
    assert reasons[20] == "closing took 9 passes (usual 2)"
    assert reasons[13] == "40 open items (usual 0)"
    assert "looks unlike most" in reasons[7]


def test_annotated_slices_and_their_neighbours_are_passed_over(session):
    found = finish(by_need(session, 4, done=[20]))
    taken = [one.z for one in found]
    assert 7 in taken and 20 not in taken
    assert all(abs(z - 20) >= 5 for z in taken)
    assert all(abs(a - b) >= 5 for a in taken for b in taken if a != b)


def test_a_slice_like_those_trained_on_is_not_unlike(session):
    known = looks_of(session, [7])
    unlike = {one.z: one.reason for one in finish(by_need(session, 6, trained_on=known))}
    assert "looks unlike" not in unlike.get(7, "")


def test_asked_for_more_than_there_are_it_gives_all(tmp_path):
    with Session.create(tmp_path / "s", begin(grid(4))) as session:
        found = finish(by_need(session, 9))
    assert sorted(one.z for one in found) == [0, 1, 2, 3]


def test_looks_do_not_depend_on_brightness_and_contrast():
    rng = np.random.default_rng(0)
    image, step1 = rng.normal(0, 1, (64, 64)), rng.random((64, 64))
    assert looks(3 * image + 40, step1) == pytest.approx(looks(image, step1), abs=1e-4)
    assert looks(np.zeros((8, 8)), step1)[:5].tolist() == [0] * 5
