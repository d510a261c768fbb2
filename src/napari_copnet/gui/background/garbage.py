"""Collect garbage on the main thread only, for as long as other threads are at work.

Python collects garbage in whichever thread makes the next object. A thread that compiles or imports
makes hundreds of thousands, and so comes to delete what a window left behind when it was closed:
widgets that Qt allows to be deleted on the main thread alone. The process crashes then. A whole
collection also holds up all threads for a third of a second once PyTorch is loaded: it waits until
the user rests.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from qtpy.QtCore import QTimer

LOOK_MS = 50
# Collections of all objects, which the window feels, are no more frequent than so, s.
WHOLE_SECONDS = 120.0
# They wait until the user has pressed nothing for so long, but no longer than that in all.
CALM_SECONDS = 2.0
LONGEST_SECONDS = 600.0

_keeper: _Keeper | None = None
_last_press = -CALM_SECONDS


def collect_on_main_thread(is_at_work: Callable[[], bool]) -> None:
    """Keep other threads from collecting garbage; to be called on the main thread.

    Parameters
    ----------
    is_at_work : callable
        Asked now and then; once it and all those given before say False, Python collects by itself
        again.
    """
    global _keeper
    if threading.current_thread() is not threading.main_thread():
        return
    if _keeper is None:
        _keeper = _Keeper()
    _keeper.add(is_at_work)


def note_press() -> None:
    """Tell that the user has pressed something, and will want to see what it does."""
    global _last_press
    _last_press = time.monotonic()


def is_calm() -> bool:
    """Whether the user has pressed nothing for `CALM_SECONDS`."""
    return time.monotonic() - _last_press > CALM_SECONDS


class _Keeper:
    """Collects garbage in turns of the event loop while there are threads at work."""

    def __init__(self) -> None:
        self._at_work: list[Callable[[], bool]] = []
        self._is_ours = False
        self._last_whole = time.monotonic()
        self._timer = QTimer()
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def add(self, is_at_work: Callable[[], bool]) -> None:
        self._at_work.append(is_at_work)
        if gc.isenabled():
            gc.disable()
            self._is_ours = True
            self._last_whole = time.monotonic()
        if self._is_ours:
            self._timer.start()

    def _look(self) -> None:
        self._at_work = [is_at_work for is_at_work in self._at_work if is_at_work()]
        now = time.monotonic()
        since = now - self._last_whole
        may_take_long = is_calm() or since > LONGEST_SECONDS
        counts, most = gc.get_count(), gc.get_threshold()
        if not self._at_work and may_take_long:
            self._timer.stop()
            self._is_ours = False
            if counts[2] > most[2]:
                # Python would soon, and then in the midst of something.
                gc.collect(2)
            gc.enable()
            return
        if counts[2] > most[2] and since > WHOLE_SECONDS and may_take_long:
            self._last_whole = now
            gc.collect(2)
        elif counts[1] > most[1]:
            gc.collect(1)
        elif counts[0] > most[0]:
            gc.collect(0)
