"""Jobs: one end, nothing after it, and no thread left behind."""

import os
import sys
import threading
import time

import pytest

from napari_copnet.errors import InputError
from napari_copnet.gui.background.jobs import Job, State, threads_alive
from napari_copnet.progress import Progress


@pytest.fixture
def told(qtbot):
    """Start a job and collect what it tells."""

    def start(work):
        job = Job(work)
        heard = []
        job.progressed.connect(lambda news: heard.append(("progress", news)))
        job.finished.connect(lambda result: heard.append(("finished", result)))
        job.failed.connect(lambda error: heard.append(("failed", error)))
        job.cancelled.connect(lambda: heard.append(("cancelled", None)))
        return job.start(), heard

    return start


def test_result_and_last_progress_arrive_on_the_main_thread(told, qtbot):
    where = []

    def work():
        where.append(threading.current_thread())
        for n in range(1000):
            yield Progress("contours", n + 1, 1000, "slices", partial=n)
        return "done"

    job, heard = told(work)
    job.progressed.connect(lambda news: where.append(threading.current_thread()))
    qtbot.waitUntil(lambda: not job.is_running)
    assert heard[-1] == ("finished", "done")
    assert job.state is State.FINISHED
    assert where[0] is not threading.main_thread()
    assert set(where[1:]) == {threading.main_thread()}
    # Nothing that carries a partial result is lost, however few updates there are.
    partials = [p.partial for kind, news in heard if kind == "progress" for p in news]
    assert partials == list(range(1000))
    assert len([kind for kind, _ in heard if kind == "progress"]) < 50


def test_plain_progress_is_thinned_out_but_the_last_comes(told, qtbot):
    def work():
        for n in range(1000):
            yield Progress("contours", n + 1, 1000, "slices")

    job, heard = told(work)
    qtbot.waitUntil(lambda: not job.is_running)
    news = [p for kind, news in heard if kind == "progress" for p in news]
    assert len(news) < 50
    assert news[-1].done == 1000


@pytest.mark.parametrize("error", [RuntimeError("no kernel"), SystemExit(3), ValueError()])
def test_any_error_becomes_one_sentence(told, qtbot, error):
    def work():
        yield Progress("contours", 1, 2, "slices")
        raise error

    job, heard = told(work)
    qtbot.waitUntil(lambda: not job.is_running)
    ends = [(kind, value) for kind, value in heard if kind != "progress"]
    assert [kind for kind, _ in ends] == ["failed"]
    assert ends[0][1].message.endswith(".") and type(error).__name__ in ends[0][1].message
    assert not threads_alive()


def test_own_errors_are_told_as_they_are(told, qtbot):
    def work():
        raise InputError("The stack is empty.", "Choose another.")
        yield

    job, heard = told(work)
    qtbot.waitUntil(lambda: not job.is_running)
    assert str(heard[-1][1]) == "The stack is empty. Choose another."


def test_running_out_of_memory_says_what_to_do(told, qtbot):
    def work():
        raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        yield

    job, heard = told(work)
    qtbot.waitUntil(lambda: not job.is_running)
    assert heard[-1][1].message == "There is not enough memory."


def test_cancel_closes_the_generator(told, qtbot):
    closed = []

    def work():
        try:
            while True:
                time.sleep(0.01)
                yield Progress("closing", 1, 50, "iterations")
        finally:
            closed.append(threading.current_thread())

    job, heard = told(work)
    qtbot.waitUntil(lambda: bool(heard))
    job.cancel()
    qtbot.waitUntil(lambda: not job.is_running, timeout=2000)
    assert heard[-1][0] == "cancelled"
    assert closed and closed[0] is not threading.main_thread()
    assert not threads_alive()


def test_cancel_acts_even_when_the_work_does_not_come_back(told, qtbot):
    free = threading.Event()

    def work():
        yield Progress("contours", 0, 1, "slices")
        free.wait()
        yield Progress("contours", 1, 1, "slices")
        return "too late"

    job, heard = told(work)
    qtbot.waitUntil(lambda: bool(heard))
    job.cancel()
    try:
        qtbot.waitUntil(lambda: not job.is_running)
    finally:
        free.set()
    assert heard[-1][0] == "cancelled"
    qtbot.waitUntil(lambda: not threads_alive())
    qtbot.wait(100)
    assert [kind for kind, _ in heard].count("cancelled") == 1
    assert "finished" not in [kind for kind, _ in heard]


def test_nothing_is_told_after_giving_up(told, qtbot):
    def work():
        for n in range(200):
            time.sleep(0.005)
            yield Progress("contours", n, 200, "slices")

    job, heard = told(work)
    qtbot.waitUntil(lambda: bool(heard))
    job.give_up(wait=True)
    count = len(heard)
    assert not threads_alive()
    qtbot.wait(300)
    assert len(heard) == count


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux")
def test_work_and_the_threads_it_starts_stand_behind_the_window(told, qtbot):
    def priority():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own, found = priority(), []

    def work():
        found.append(priority())
        thread = threading.Thread(target=lambda: found.append(priority()))
        thread.start()
        thread.join()
        yield Progress("contours", 1, 1)

    job, _ = told(work)
    qtbot.waitUntil(lambda: not job.is_running)
    # 10, wherever the tests themselves were started
    assert found == [max(own, 10)] * 2 and priority() == own
