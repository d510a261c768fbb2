"""`make bench NAME=window`: how soon and how smoothly does a newcomer get to corrected cells?

The sample is opened, its correction begun and the review queue answered in a real window, by mouse
and keys. Needs a display (``xvfb-run make bench NAME=window`` where there is none).
"""

from __future__ import annotations

import compileall
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import napari_copnet
from benchmarks.bench_dock import gaps, until, wait
from benchmarks.figure import Figure, machine_name
from napari_copnet.errors import CopnetError
from napari_copnet.gui.display import has_display

_ANSWERS, _QUICK_ANSWERS = 30, 6
_LONGEST_MS = 200
# Slices of the file that is opened, of 1024 × 1024 px.
_DEEP = 64


def run(quick: bool = False) -> list[Figure]:
    """Measure the walk from napari's start to answers of the review queue.

    Parameters
    ----------
    quick : bool
        A few answers only.

    Returns
    -------
    list of Figure
        Clicks and keys, times, and the longest gaps of the event loop.

    Raises
    ------
    CopnetError
        There is no display.
    """
    if not has_display():
        raise CopnetError(
            "The window can't be measured without a display.", "Run it under xvfb-run."
        )
    # As when it is installed: a dock that opens shall not be compiled first.
    compileall.compile_dir(str(Path(napari_copnet.__file__).parent), quiet=1)
    with tempfile.TemporaryDirectory() as account:
        # Its own account: sessions of the benchmark are not those of the user.
        before = os.environ.get("NAPARI_COPNET_MODELS")
        os.environ["NAPARI_COPNET_MODELS"] = account
        (Path(account) / "tour-seen").touch()
        try:
            return _Walk(_QUICK_ANSWERS if quick else _ANSWERS).figures()
        finally:
            if before is None:
                del os.environ["NAPARI_COPNET_MODELS"]
            else:
                os.environ["NAPARI_COPNET_MODELS"] = before


class _Walk:
    """One walk in a window of its own, with the clicks and keys that it took."""

    def __init__(self, answers: int) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self._qt: Any = Qt
        self._test: Any = QTest
        self._answers = answers
        self._made: list[Figure] = []
        self._acts = 0

    def figures(self) -> list[Figure]:
        """Walk, and return what was measured."""
        import napari

        self.viewer = napari.Viewer(show=True)
        try:
            wait(1.0)
            self._open()
            self._begin()
            self._answer()
            self.dock.shut_down()
            self.viewer.window.remove_dock_widget(self.dock)
        finally:
            self.viewer.close()
            wait(0.2)
        self._files()
        return self._made

    def _files(self) -> None:
        """From a file that is opened in the menu to its layer, ours and by napari's own reader."""
        rng = np.random.default_rng(0)
        smooth = rng.integers(0, 16, (_DEEP, 1024, 1024), np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stack.tif"
            tifffile.imwrite(path, smooth, compression="zlib")
            found = {plugin: self._opened(path, plugin) for plugin in ("napari-copnet", "napari")}
        ours, theirs = found.values()
        self._gap("opening a file", ours, f"napari's own reader: {max(theirs):.0f} ms")

    def _opened(self, path: Path, plugin: str) -> list[float]:
        import napari
        from qtpy.QtCore import QTimer

        viewer = napari.Viewer(show=True)
        try:
            wait(1.0)
            with gaps() as found:
                QTimer.singleShot(0, lambda: viewer.open(str(path), plugin=plugin))
                until(lambda: len(viewer.layers) == 1, 120)
                wait(0.5)
        finally:
            viewer.close()
            wait(0.2)
        return found

    def _open(self) -> None:
        """From the menu to cells of the sample."""
        from napari_copnet.gui.commands import open_stage

        start = time.monotonic()
        self.dock = open_stage("", self.viewer)
        wait(0)
        self.dock.repaint()
        self._add("dock ready", time.monotonic() - start, "s", 1, "imports included")
        wait(0.5)
        # Plugins > COp-Net are the two clicks before.
        self._acts = 2
        spent, start = time.thread_time(), time.monotonic()
        with gaps() as opening:
            self._press(self.dock.findChild(type(self.dock.next_button), "welcome_sample"))
            until(lambda: self.dock.panels.finished is not None, 120)
            took, spent = time.monotonic() - start, time.thread_time() - spent
            wait(1.0)
        self._add("clicks from napari's start to cells of the sample", self._acts, "clicks", 3)
        self._add("sample there", took, "s", 2, f"{spent:.2f} s of it the window's own work")
        self._gap("opening the sample", opening)

    def _begin(self) -> None:
        """From cells to the first question."""
        self._acts = 0
        with gaps() as opening:
            until(lambda: self.dock.next_button.text() == "Correct the cells", 60)
            self._press(self.dock.next_button)
            until(lambda: self.dock.panels.session is not None, 120)
            wait(0.5)
        self._gap("beginning a session", opening)
        until(lambda: self.dock.next_button.text().startswith("Review"), 300)
        until(lambda: self.dock.panels.proofreading.tasks.job is None, 600)

    def _answer(self) -> None:
        """Answer questions by keys as fast as the next one is there."""
        panel = self.dock.panels.proofreading
        state = panel.controller.queue.state
        self._press(self.dock.next_button)
        until(lambda: state.current is not None, 30)
        wait(0.5)
        canvas = _canvas(self.dock)
        drawn: list[float] = []
        start = time.monotonic()
        with gaps() as busy:
            for number in range(self._answers):
                asked = state.current
                key = self._qt.Key.Key_Backspace if number % 2 else self._qt.Key.Key_Return
                self._test.keyClick(canvas, key)
                self._acts += 1
                if not number:
                    until(lambda: panel.session.history.position > 0, 30)
                    self._add(
                        "clicks and keys from cells to the first correction",
                        self._acts,
                        "clicks",
                        4,
                    )
                # The state after an answer is shown for a moment before the view moves on.
                drawn.append(until(_changed(state, asked), 30))
        rate = 60 * self._answers / (time.monotonic() - start)
        holds = rate >= 60
        said = f"{self._answers} answers, half of them corrections"
        self._made.append(
            Figure(
                "questions answered by keys",
                rate,
                "a minute",
                ">= 60",
                holds,
                said,
                "",
                machine_name(),
            )
        )
        pause = panel.controller.queue.pause
        late = 1000 * max(0.0, float(np.median(drawn)) - pause)
        self._add("next question after the pause, median", late, "ms", 100, f"pause {pause} s")
        self._gap("answering", busy)

    def _press(self, button: Any) -> None:
        """Click a button with the mouse."""
        self._acts += 1
        self._test.mouseClick(button, self._qt.MouseButton.LeftButton)

    def _add(
        self, name: str, value: float, unit: str, goal: float, ours: str = "", theirs: str = ""
    ) -> None:
        holds, machine = value <= goal, machine_name()
        self._made.append(Figure(name, value, unit, f"<= {goal:g}", holds, ours, theirs, machine))

    def _gap(self, doing: str, found: list[float], theirs: str = "") -> None:
        """Add the longest gap of the event loop."""
        said = f"p99 {np.percentile(found, 99):.0f} ms"
        self._add(f"longest event-loop gap, {doing}", max(found), "ms", _LONGEST_MS, said, theirs)


def _changed(state: Any, asked: Any) -> Callable[[], bool]:
    return lambda: state.current is not asked


def _canvas(inside: Any) -> Any:
    from napari_copnet.gui.napari_compat.canvas_widget import canvas_of

    return canvas_of(inside.window())
