"""Tasks beside the window: one after the other, each told by its own signals."""

import pytest

from napari_copnet.errors import InputError
from napari_copnet.gui.background.task_queue import TaskQueue
from napari_copnet.progress import Progress


@pytest.fixture
def queue(qtbot):
    made = TaskQueue(last="count")
    yield made
    made.shut_down()


def work(result, error=None):
    def steps():
        yield Progress("count", 0, 1, "slices", partial=result)
        if error is not None:
            raise error
        return result

    return steps


@pytest.fixture
def told(queue):
    """Add a task and collect what it tells."""
    heard = []

    def add(name, steps):
        task = queue.add(name, steps)
        task.progressed.connect(lambda news: heard.append((name, [p.partial for p in news])))
        task.finished.connect(lambda result: heard.append((name, "finished", result)))
        task.failed.connect(lambda error: heard.append((name, "failed", error)))
        return heard

    return add


def ends(heard):
    return [event for event in heard if event[1] in ("finished", "failed")]


def test_a_task_tells_its_progress_and_its_result(told, qtbot):
    heard = told("fit", work(7))
    assert heard == []  # nothing before somebody could listen
    qtbot.waitUntil(lambda: ends(heard) == [("fit", "finished", 7)])
    assert ("fit", [7]) in heard


def test_tasks_take_turns_and_the_last_one_waits_for_all(told, qtbot):
    heard = told("first", work(1))
    told("count", work(2))
    told("second", work(3))
    told("third", work(4))
    qtbot.waitUntil(lambda: len(ends(heard)) == 4, timeout=10000)
    assert [name for name, *_ in ends(heard)] == ["first", "second", "third", "count"]


def test_a_waiting_task_gives_way_to_one_of_its_name(told, qtbot):
    heard = told("first", work(1))
    told("preview", work(2))
    told("preview", work(3))
    qtbot.waitUntil(lambda: len(ends(heard)) == 2, timeout=10000)
    assert ends(heard) == [("first", "finished", 1), ("preview", "finished", 3)]


def test_after_an_error_the_next_task_runs(told, qtbot):
    error = InputError("It went wrong.", "Try another.")
    heard = told("first", work(1, error))
    told("second", work(2))
    qtbot.waitUntil(lambda: len(ends(heard)) == 2, timeout=10000)
    assert ends(heard) == [("first", "failed", error), ("second", "finished", 2)]


def test_nothing_is_told_after_it_was_shut_down(queue, told, qtbot):
    heard = told("first", work(1))
    told("second", work(2))
    queue.shut_down()
    qtbot.wait(300)
    assert heard == [] and queue.job is None
