"""Several things to compute beside the window, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import Job
from napari_copnet.progress import Progress, Steps


@dataclass(frozen=True)
class Task:
    """Something to compute, and who is told.

    Attributes
    ----------
    name : str
        A task takes the place of a waiting one of the same name.
    work : callable
        Returns the generator.
    came, finished, failed : callable
        Take a list of `Progress`, the result, and a `CopnetError`, on the main thread.
    """

    name: str
    work: Callable[[], Steps[Any]]
    came: Callable[[list[Progress]], None]
    finished: Callable[[Any], None]
    failed: Callable[[CopnetError], None]


class TaskQueue:
    """Run tasks one after the other.

    Parameters
    ----------
    last : str
        Name of a task that waits for all others.

    Attributes
    ----------
    job : Job or None
        What runs now.
    """

    def __init__(self, last: str = "") -> None:
        self.job: Job | None = None
        self._last = last
        self._waiting: list[Task] = []
        self._is_closed = False

    def add(self, task: Task) -> None:
        """Run a task as soon as those before it are done."""
        self._waiting = [other for other in self._waiting if other.name != task.name]
        self._waiting.append(task)
        self._next()

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
        job = self.job = Job(task.work, f"copnet-{task.name}")
        job.progressed.connect(task.came)
        job.finished.connect(lambda result: self._on_end(task.finished, result))
        job.failed.connect(lambda error: self._on_end(task.failed, error))
        job.start()

    def _on_end(self, tell: Callable[[Any], None], value: Any) -> None:
        self.job = None
        if not self._is_closed:
            tell(value)
            self._next()
