"""Run several background tasks one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_copnet.gui.background.jobs import Job
from napari_copnet.progress import Steps


class Task(QObject):
    """A task, and the signals that report on it on the main thread.

    Parameters
    ----------
    name : str
        A task takes the place of a waiting one of the same name.
    work : callable
        Returns the generator.

    Attributes
    ----------
    progressed : Signal
        A list of `Progress`.
    finished : Signal
        The result.
    failed : Signal
        A `CopnetError`.
    """

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(object)

    def __init__(self, name: str, work: Callable[[], Steps[Any]]) -> None:
        super().__init__()
        self.name, self.work = name, work


# Has something computed, by its name, beside the window.
Compute = Callable[[str, Callable[[], Steps[Any]]], Task]


class TaskQueue:
    """Run tasks one after the other.

    Parameters
    ----------
    last : str
        Name of a task that waits for all others.
    behind : bool
        As of `Job`.

    Attributes
    ----------
    job : Job or None
        What runs now.
    """

    def __init__(self, last: str = "", behind: bool = True) -> None:
        self.job: Job | None = None
        self._behind = behind
        self._last = last
        self._waiting: list[Task] = []
        self._is_closed = False

    def add(self, name: str, work: Callable[[], Steps[Any]]) -> Task:
        """Run a task as soon as those before it are done.

        Returns
        -------
        Task
            Nothing is told of it before the event loop goes on, so that it can be listened to.
        """
        task = Task(name, work)
        self._waiting = [other for other in self._waiting if other.name != name]
        self._waiting.append(task)
        self._next()
        return task

    def shut_down(self) -> None:
        """Stop all work and wait for its thread."""
        self._is_closed = True
        self._waiting.clear()
        if self.job is not None:
            self.job.give_up(wait=True)
            self.job = None

    def _next(self) -> None:
        if self.job is not None or not self._waiting or self._is_closed:
            return
        self._waiting.sort(key=lambda task: task.name == self._last)
        task = self._waiting.pop(0)
        job = self.job = Job(task.work, f"copnet-{task.name}", self._behind)
        job.progressed.connect(lambda news: task.progressed.emit(news))
        job.finished.connect(lambda result: self._on_end(task.finished, result))
        job.failed.connect(lambda error: self._on_end(task.failed, error))
        job.start()

    def _on_end(self, end: Any, value: Any) -> None:
        self.job = None
        if not self._is_closed:
            end.emit(value)
            self._next()
