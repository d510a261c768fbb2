"""Garbage is collected on the main thread while other threads are at work."""

import gc
import threading
import weakref

from napari_copnet.gui.background.jobs import Job
from napari_copnet.progress import Progress


class _Knot:
    def __init__(self):
        self.me = self


def test_no_thread_but_the_main_one_collects_garbage(qtbot):
    where, knots = [], []

    def note(phase, _):
        if phase == "start":
            where.append(threading.current_thread())

    def work():
        for n in range(200):
            many = [_Knot() for _ in range(1000)]
            knots.append(weakref.ref(many[0]))
            del many
            yield Progress("knots", n + 1, 200, "knots")
            # As long as it takes the window to have its turns.
            if n % 20 == 0:
                threading.Event().wait(0.06)

    # Threads of tests before may still be at work.
    qtbot.waitUntil(gc.isenabled, timeout=60000)
    gc.callbacks.append(note)
    try:
        job = Job(work).start()
        assert not gc.isenabled()
        qtbot.waitUntil(lambda: not job.is_alive, timeout=60000)
    finally:
        gc.callbacks.remove(note)
    assert where and set(where) == {threading.main_thread()}
    # It is collected all the same, and afterwards by Python itself again.
    assert any(knot() is None for knot in knots)
    qtbot.waitUntil(gc.isenabled, timeout=60000)
