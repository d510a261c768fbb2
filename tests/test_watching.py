"""Progress in a terminal and in a notebook."""

import sys
import types

import pytest

from napari_copnet import watch
from napari_copnet.progress import Progress


def steps():
    yield Progress("contours", 1, 2, "slices")
    yield Progress("contours", 2, 2, "slices", note="Slice <3> is blank.")
    yield Progress("cells", 1, 4, "slices")
    return "made"


def test_a_terminal_shows_each_part_and_each_note(capsys):
    assert watch(steps()) == "made"
    said = capsys.readouterr().err
    assert "contours" in said and "cells" in said and said.count("is blank") == 1


class Handle:
    def __init__(self):
        self.pages = []

    def update(self, shown):
        self.pages.append(shown._repr_html_())


@pytest.fixture
def notebook(monkeypatch):
    """What a cell of a notebook shows, as far as a kernel would tell."""
    handle = Handle()
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display.display = lambda shown, display_id: handle
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return handle


def test_a_notebook_shows_bars_below_the_cell(notebook):
    assert watch(steps()) == "made"
    assert len(notebook.pages) == 3
    last = notebook.pages[-1]
    assert last.count("<progress") == 2 and 'value="1" max="4"' in last
    assert "Slice &lt;3&gt; is blank." in last


def test_an_interrupted_cell_closes_the_work(notebook):
    closed = []

    def interrupted():
        try:
            yield Progress("contours", 1, 2, "slices")
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        watch(interrupted())
    assert closed == [True]
