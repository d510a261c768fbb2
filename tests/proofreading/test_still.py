"""A session taken along by a thread: what it was, whatever the session becomes, and no file."""

import builtins
import io
import sqlite3
import threading
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files, state_files
from napari_copnet.proofreading.closing_history import scores_by_edit
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.queue import build_queue, slices_for
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.proofreading.still import StillView
from napari_copnet.types import Stack

WORKER = "worker"
GAP = (1, slice(20, 24), 50)


@pytest.fixture
def session(tmp_path):
    """Twelve slices of two rooms with an open gap in slice 1, and all that a run can leave."""
    contour = two_rooms(slices=12, height=60, width=101)
    contour[:, :, 50] = 1
    contour[GAP] = 0
    step1 = contour * np.float32(0.9)
    step1[GAP] = 0.3
    begun = Start(
        contour,
        step1,
        Stack(np.full(contour.shape, 120, np.uint8)),
        iterations=np.stack([step1, step1]).astype(np.float16),
        converged=np.ones(len(contour), bool),
        cells=CellParams(min_size=0),
    )
    with Session.create(tmp_path / "rooms", begun) as opened:
        yield opened


def opening(z=3):
    gap = np.zeros((60, 101), bool)
    gap[15:45, 50] = True
    return Edit("flip", (Flip("contour", Patch.of(z, gap)),))


@pytest.fixture
def no_files(monkeypatch):
    """Refuse to open anything in the worker's thread."""

    def refuse(name, real):
        def opened(*args, **kwargs):
            if threading.current_thread().name == WORKER:
                raise AssertionError(f"{name} was called for {args[:1]}")
            return real(*args, **kwargs)

        return opened

    for module, name in (
        (builtins, "open"),
        (io, "open"),
        (np, "load"),
        (sqlite3, "connect"),
        (session_files, "read_array"),
        (state_files, "read_state"),
        (zipfile, "ZipFile"),
    ):
        monkeypatch.setattr(module, name, refuse(name, getattr(module, name)))


def in_a_thread(work):
    made, failed = [], []

    def run():
        try:
            made.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name=WORKER)
    thread.start()
    thread.join(60)
    if failed:
        raise failed[0]
    return made[0]


@pytest.mark.parametrize("slices", [None, [1, 3]])
def test_the_queue_is_found_without_a_file_as_in_the_session(session, no_files, slices):
    session.apply(opening())
    taken = None if slices is None else slices_for(slices, session.shape[0])
    still = StillView(session, taken)
    expected = finish(build_queue(session, slices))
    assert any(item.kind == "gap" for item in expected)
    assert in_a_thread(lambda: finish(build_queue(still, slices))) == expected


def test_what_is_edited_meanwhile_does_not_show(session, no_files):
    before, ids = session.contour.copy(), session.ids(3).copy()
    still = StillView(session, [3])
    session.apply(opening())
    assert in_a_thread(lambda: np.array_equal(still.contour[3], before[3]))
    assert in_a_thread(lambda: np.array_equal(still.ids(3), ids))
    with pytest.raises(ValueError, match="slice 4"):
        still.ids(4)


def test_edits_are_scored_without_a_file_also_before_they_are_saved(session, no_files):
    truth = np.zeros(session.shape, np.uint8)
    truth[:, :, :50], truth[:, :, 51:] = 1, 2
    session.apply(opening())
    contour, edits = np.array(session.contour), session.history.packed()
    session.undo()
    told = in_a_thread(lambda: [p.partial for p in scores_by_edit(contour, edits, truth)])
    scores = [partial[1]["merged"] for partial in told if partial is not None]
    assert len(scores) == 2 and scores[0] < scores[1]


def test_the_run_in_use_is_another_after_it_was_added(session):
    old = session.step1[0].copy()
    begun = Start(np.array(session.contour), np.asarray(session.step1) / 2)
    still = StillView(session)
    session.add_run(replace(begun, record={"settings": {}}))
    np.testing.assert_array_equal(session.step1[0], old / 2)
    np.testing.assert_array_equal(still.step1[0], old)
