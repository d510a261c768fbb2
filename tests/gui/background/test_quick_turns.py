"""The window gets Python's lock soon while a thread works, and Python is left as it was."""

import sys
import threading

import pytest

from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.background.quick_turns import TURN_SECONDS, quick_turns


def test_it_is_as_before_once_the_last_one_is_out():
    before = sys.getswitchinterval()
    with quick_turns():
        with quick_turns():
            assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
        assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
    assert sys.getswitchinterval() == pytest.approx(before)


def test_it_is_as_before_after_an_error():
    before = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError), quick_turns():
        raise ZeroDivisionError
    assert sys.getswitchinterval() == pytest.approx(before)


def test_a_shorter_turn_is_kept():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with quick_turns():
            assert sys.getswitchinterval() == pytest.approx(1e-5)
    finally:
        sys.setswitchinterval(before)


def test_while_a_job_works(qtbot):
    goes_on, seen = threading.Event(), []

    def work():
        seen.append(sys.getswitchinterval())
        goes_on.wait(60)
        return
        yield

    before = sys.getswitchinterval()
    job = Job(work).start()
    with qtbot.waitSignal(job.finished):
        goes_on.set()
    job.worker.join(60)
    assert seen == [pytest.approx(TURN_SECONDS)]
    assert sys.getswitchinterval() == pytest.approx(before)
