"""Garbage is collected on the main thread while other threads are at work."""

import gc
import threading
import time
import weakref

from napari_copnet.gui.background import garbage
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


def test_a_whole_collection_waits_until_the_user_rests(qtbot, monkeypatch):
    monkeypatch.setattr(garbage, "CALM_SECONDS", 0.5)
    qtbot.waitUntil(gc.isenabled, timeout=60000)
    presses, whole = [], []

    def note(phase, info):
        if phase == "start" and info["generation"] == 2:
            whole.append(time.monotonic())

    gc.callbacks.append(note)
    monkeypatch.setattr(garbage, "WHOLE_SECONDS", 0.0)
    # As if much had been made since the last one.
    monkeypatch.setattr(garbage.gc, "get_count", lambda: (0, 0, 10000))
    try:
        at_work = [True]
        garbage.note_press()
        garbage.collect_on_main_thread(lambda: at_work[0])
        for n in range(10):
            garbage.note_press()
            presses.append(time.monotonic())
            at_work[0] = n < 5
            qtbot.wait(100)
        assert not whole and not gc.isenabled()
        qtbot.waitUntil(gc.isenabled, timeout=60000)
    finally:
        gc.callbacks.remove(note)
    assert whole and whole[0] - presses[-1] >= 0.5


def test_keys_and_clicks_count_as_presses(monkeypatch):
    from types import SimpleNamespace

    from napari_copnet.gui.proofreading.keys import _ignoring
    from napari_copnet.gui.proofreading.mouse import Mouse

    seen = []
    monkeypatch.setattr(garbage, "_last_press", -1e9)
    _ignoring(lambda: seen.append(garbage._last_press))(None)
    assert time.monotonic() - seen[0] < 60
    monkeypatch.setattr(garbage, "_last_press", -1e9)
    mouse = Mouse.__new__(Mouse)
    mouse.tool_controller = SimpleNamespace(tool=None)
    next(mouse._on_press(None, SimpleNamespace(button=2)), None)
    assert time.monotonic() - garbage._last_press < 60
