"""Run long work, a generator of `Progress`, in a thread beside the window.

The thread never touches Qt. It leaves its progress in a mailbox, and a timer on the main thread
empties it: so the window is updated at most once an interval however fast the work yields, and
nothing can arrive after the job was given up.
"""

from __future__ import annotations

import atexit
import contextlib
import enum
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from qtpy.QtCore import QObject, QTimer, Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.garbage import collect_on_main_thread
from napari_copnet.gui.background.quick_turns import quick_turns
from napari_copnet.progress import Progress, Steps

log = logging.getLogger(__name__)

UPDATE_SECONDS = 0.15
# Work that has not stopped by then is left to stop by itself, and its result dropped.
CANCEL_SECONDS = 0.8
CLOSE_SECONDS = 10.0
# In all, when the user closes the window in the midst of work. The program then waits for threads
# before it ends: one that is ended in the midst of PyTorch's C++ aborts it.
HURRY_SECONDS = 1.5
# Of threads that compute, added to the window's own: a tenth of its share where both want one core.
NICE = 10

_WAIT_SECONDS = 0.05
Value = TypeVar("Value")

_alive: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class State(enum.Enum):
    """Where a job stands."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Job(QObject):
    """Run a generator of `Progress` in a thread and report on the main thread.

    Parameters
    ----------
    work : callable
        Returns the generator. It is called, run and closed in the thread; closing runs its
        ``finally`` blocks.
    name : str
        Of the thread.
    behind : bool
        Whether it takes what the window leaves of the processors; not so for what the user waits
        for, and which is soon done.

    Notes
    -----
    Signals, all on the main thread: `progressed` with the list of `Progress` since the last
    time, at most one each `UPDATE_SECONDS` and always the last before the end; then exactly one
    of `finished` (result), `failed` (a `CopnetError`) and `cancelled`. None comes after `give_up`.
    """

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(
        self, work: Callable[[], Steps[Any]], name: str = "copnet", behind: bool = True
    ) -> None:
        super().__init__()
        self.state = State.RUNNING
        self._mailbox = _Mailbox()
        self._stop = threading.Event()
        self._asked_to_stop: float | None = None
        self._last_update = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._look)
        given = (work, self._mailbox, self._stop, behind)
        self._thread = threading.Thread(target=_run, args=given, name=name, daemon=True)
        _alive.add(self._thread)

    def start(self) -> Job:
        """Start the thread."""
        collect_on_main_thread(self._thread.is_alive)
        self._thread.start()
        self._timer.start()
        return self

    @property
    def is_running(self) -> bool:
        """Whether none of the closing signals has been sent."""
        return self.state is State.RUNNING

    @property
    def is_alive(self) -> bool:
        """Whether the thread is still at work, which it may be for a while after `cancelled`."""
        return self._thread.is_alive()

    @property
    def worker(self) -> threading.Thread:
        """The thread; once it has ended it holds nothing of the work."""
        return self._thread

    def cancel(self) -> None:
        """Ask the work to stop; `cancelled` follows within a second."""
        if self.is_running and self._asked_to_stop is None:
            self._asked_to_stop = time.monotonic()
            self._stop.set()

    def give_up(self, wait: bool = False) -> None:
        """Stop without another signal; `wait` until the thread has ended (when closing)."""
        self._stop.set()
        self._timer.stop()
        if self.is_running:
            self.state = State.CANCELLED
        if wait and self._thread.is_alive():
            self._thread.join(_patience())

    def _look(self) -> None:
        over = self._mailbox.over
        now = time.monotonic()
        if over or now - self._last_update >= UPDATE_SECONDS:
            news = self._mailbox.empty()
            if news:
                self._last_update = now
                self.progressed.emit(news)
                if not self.is_running:  # given up by whoever listened
                    return
        if over:
            # The last results come one after the other, each in a turn of its own.
            if self._mailbox.is_empty or self._stop.is_set():
                self._end()
        elif self._asked_to_stop is not None and now - self._asked_to_stop > CANCEL_SECONDS:
            self._close(State.CANCELLED)
            self.cancelled.emit()

    def _end(self) -> None:
        box = self._mailbox
        if box.error is not None:
            self._close(State.FAILED)
            self.failed.emit(box.error)
        elif box.stopped or self._stop.is_set():
            self._close(State.CANCELLED)
            self.cancelled.emit()
        else:
            self._close(State.FINISHED)
            self.finished.emit(box.result)

    def _close(self, state: State) -> None:
        self._timer.stop()
        self.state = state


def after(thread: threading.Thread | None, work: Steps[Value]) -> Steps[Value]:
    """Do work that must not meet what a cancelled job still has in hand in its thread."""
    while thread is not None and thread.is_alive():
        yield Progress("wait", 0, 1, "steps")
        time.sleep(_WAIT_SECONDS)
    return (yield from work)


class _Mailbox:
    """What the thread leaves for the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news: list[Progress] = []
        self.over = False
        self.stopped = False
        self.result: Any = None
        self.error: CopnetError | None = None

    def put(self, progress: Progress) -> None:
        with self._lock:
            # Without a partial result or a note only the newest matters.
            if self._news and _is_plain(progress) and _is_plain(self._news[-1]):
                self._news[-1] = progress
            else:
                self._news.append(progress)

    def empty(self) -> list[Progress]:
        """Take what came, up to the first end of a stage: to show its layers takes long enough."""
        with self._lock:
            ends = (n for n, progress in enumerate(self._news, 1) if _ends_stage(progress))
            end = next(ends, len(self._news))
            news, self._news = self._news[:end], self._news[end:]
        return news

    @property
    def is_empty(self) -> bool:
        return not self._news


def behind_the_window() -> None:
    """Let this thread, and those that it starts, have what the window leaves of the processors.

    Where all of them compute, drawing the window else waits for its share. Linux gives threads a
    priority of their own; elsewhere nothing is changed. A program that was started further behind
    stays there.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            behind = max(NICE, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, behind)


def _is_plain(progress: Progress) -> bool:
    return progress.partial is None and not progress.note


def _ends_stage(progress: Progress) -> bool:
    return progress.partial is not None and not progress.unit


def _run(
    work: Callable[[], Steps[Any]], box: _Mailbox, stop: threading.Event, behind: bool
) -> None:
    if behind:
        behind_the_window()
    with quick_turns():
        _work(work, box, stop)


def _work(work: Callable[[], Steps[Any]], box: _Mailbox, stop: threading.Event) -> None:
    steps: Generator[Progress, None, Any] | None = None
    try:
        steps = work()
        while not stop.is_set():
            try:
                progress = next(steps)
            except StopIteration as end:
                box.result = end.value
                return
            box.put(progress)
            # Hands the window its turn when the work itself never waits.
            time.sleep(0)
        box.stopped = True
    # Whatever happens in the thread has to reach the user, SystemExit included.
    except BaseException as error:
        if stop.is_set():
            box.stopped = True
        else:
            box.error = explained(error)
    finally:
        try:
            if steps is not None:
                steps.close()
        except BaseException as error:
            log.warning("Cleaning up after a job failed.", exc_info=error)
        # A traceback of the work would keep its arrays alive.
        steps = None
        box.over = True


def explained(error: BaseException) -> CopnetError:
    """Return any error as a sentence and a hint; the details go to the log."""
    if isinstance(error, CopnetError):
        return error
    log.error("A job failed.", exc_info=error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return CopnetError(
            "There is not enough memory.",
            "Use a smaller Size in Preprocess, fewer slices, or the CPU.",
        )
    text = " ".join(str(error).split())
    text = (text[:200] + " ...") if len(text) > 200 else text
    return CopnetError(
        f"An unexpected problem occurred ({type(error).__name__}"
        + (f": {text.rstrip('.')}" if text else "")
        + ").",
        "Try again. If it happens again, please report it with the text above.",
    )


def free_cores() -> int:
    """Return how many threads a network may take so that the window keeps a core."""
    return max(1, (os.cpu_count() or 2) - 1)


_hurry_until: float | None = None


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """Wait for threads no longer than `HURRY_SECONDS` in all while jobs are given up inside."""
    global _hurry_until
    _hurry_until = time.monotonic() + HURRY_SECONDS
    try:
        yield
    finally:
        _hurry_until = None


def _patience() -> float:
    if _hurry_until is None:
        return CLOSE_SECONDS
    return max(0.0, _hurry_until - time.monotonic())


@atexit.register
def _await_threads() -> None:
    end = time.monotonic() + CLOSE_SECONDS
    for thread in threads_alive():
        thread.join(max(0.0, end - time.monotonic()))


def threads_alive() -> list[threading.Thread]:
    """Return the threads of jobs that are still at work, for tests and for closing."""
    return [thread for thread in _alive if thread.is_alive()]
