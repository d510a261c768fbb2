"""An import in a thread rests between two modules, and never for ever."""

import builtins
import sys
import threading
import time

import pytest

from napari_copnet.gui.background.import_pause import pausing

TWO = "import {name}_one\nimport {name}_two\n"


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A module that imports two others, each of which notes that it came."""
    monkeypatch.syspath_prepend(tmp_path)
    come = []
    monkeypatch.setattr(sys, "come", come, raising=False)
    name = f"paused_{tmp_path.name}".replace("-", "_")
    for part in ("one", "two"):
        (tmp_path / f"{name}_{part}.py").write_text(f"import sys\nsys.come.append('{part}')\n")
    (tmp_path / f"{name}.py").write_text(TWO.format(name=name))
    return name, come


def begin(name, is_held, longest=60.0):
    def work():
        with pausing(is_held, longest):
            __import__(name)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(holds):
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("It did not happen within a minute.")


def test_it_rests_between_two_modules(modules):
    name, come = modules
    free = threading.Event()
    thread = begin(name, lambda: bool(come) and not free.is_set())
    until(lambda: come)
    thread.join(0.3)
    assert thread.is_alive() and come == ["one"]
    # what has been imported, and what nobody imports, are there for others meanwhile
    import colorsys  # noqa: F401

    free.set()
    thread.join(60)
    assert come == ["one", "two"]


def test_who_waits_for_the_same_module_is_not_held_up(modules):
    name, come = modules
    thread = begin(name, lambda: bool(come))
    until(lambda: come)
    __import__(name)
    assert come == ["one", "two"]
    thread.join(60)
    assert not thread.is_alive()


def test_it_rests_no_longer_than_it_may(modules):
    name, come = modules
    thread = begin(name, lambda: True, longest=0.1)
    thread.join(60)
    assert come == ["one", "two"]


def test_other_threads_and_later_imports_do_not_rest(modules):
    name, come = modules
    before = builtins.__import__
    with pausing(lambda: True, 0.05):
        thread = threading.Thread(target=__import__, args=(name,))
        thread.start()
        thread.join(60)
        assert come == ["one", "two"]
    assert builtins.__import__ is before
