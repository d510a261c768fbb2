"""The part of `make bench NAME=proofread` in a window: is it quick while one edits in a run?

A session of synthetic tissue is edited by mouse and keys, one gesture after the other, while the
workflow dock runs the default models on the same image.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_dock import gaps, until, wait
from benchmarks.figure import Figure, machine_name
from napari_copnet.errors import CopnetError
from napari_copnet.gui.viewer.add_stack import add_stack
from napari_copnet.params import TissueParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session_start import Start
from napari_copnet.synthetic import make_tissue

_PAUSE_SECONDS = 0.25


def run(quick: bool = False) -> list[Figure]:
    """Measure the event loop while a session opens, and while it is edited during a run.

    Parameters
    ----------
    quick : bool
        A smaller stack.
    """
    import napari

    from napari_copnet.gui.commands import open_stage

    size = 256 if quick else 512
    tissue = make_tissue(TissueParams(slices=6 if quick else 12, size=size), seed=1)
    contour = np.asarray(tissue.cells == 0)
    punched = _punched(contour)
    step1 = np.maximum(punched * np.float32(0.9), contour * np.float32(0.35))
    viewer = napari.Viewer(show=True)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = finish(
                session_files.make(Path(name) / "session", Start(punched, step1, tissue.stack))
            )
            add_stack(viewer, tissue.stack)
            whole = open_stage("correct", viewer)
            workflow, dock = whole.panels.workflow, whole.panels.proofreading
            workflow.sections["preprocess"].form.rows["size"].value = 0
            wait(1.0)
            with gaps() as opening:
                dock.open(folder)
                until(lambda: dock.session is not None)
                until(lambda: dock.tasks.job is None)
            hand = _Hand(viewer, dock)
            with gaps() as resting:
                count, _ = hand.edit_until(lambda: False, seconds=4 if quick else 10)
            start = dock.session.history.position
            with gaps() as busy:
                workflow.run()
                made, took = hand.edit_until(lambda: workflow.job is None, seconds=1800)
            if workflow.source is None or workflow.source.result is None:
                raise CopnetError(
                    "The run of the benchmark failed.", workflow.run_controls.message.text()
                )
            if dock.session.history.position == start:
                raise CopnetError("No edit was made during the run.", dock.message.text)
            with gaps() as plain:
                viewer.add_labels(np.zeros(contour.shape, np.uint8))
                wait(1.0)
            whole.shut_down()
            viewer.window.remove_dock_widget(whole)
    finally:
        viewer.close()
        wait(0.2)
    what = f"{made} gestures in a run of {took:.0f} s, {size}×{size}"
    without = (
        f"{count} gestures without a run: p99 {_p99(resting):.0f} ms, longest {max(resting):.0f} ms"
    )
    alone = f"napari adding one plain labels layer to this window: {max(plain):.0f} ms"
    return [
        _figure("event-loop gap while editing in a run, p99", _p99(busy), 50, what, without),
        _figure(
            "event-loop gap while editing in a run, longest",
            max(busy),
            200,
            what,
            f"{without}; {alone}",
        ),
        _figure(
            "event-loop gap while a session opens, longest",
            max(opening),
            200,
            f"{len(contour)} slices, until the queue is there",
            alone,
        ),
    ]


class _Hand:
    """Mouse and keys on the canvas of an open session, one gesture after the other."""

    def __init__(self, viewer: Any, dock: Any) -> None:
        from qtpy.QtTest import QTest

        from napari_copnet.gui.napari_compat.canvas_widget import canvas_of

        self.viewer, self.dock = viewer, dock
        canvas = canvas_of(dock.window())
        if canvas is None:
            raise CopnetError("The window has no canvas.", "Look at the log above.")
        self.canvas = canvas
        # PyQt6's stubs have its static methods as methods of an object.
        self.test: Any = QTest

    def edit_until(self, over: Callable[[], bool], seconds: float) -> tuple[int, float]:
        """Make gestures until something holds or time is up; return how many, and the time."""
        start, made = time.monotonic(), 0
        for gesture in cycle(self._gestures()):
            if over() or time.monotonic() - start > seconds:
                break
            gesture()
            made += 1
            wait(_PAUSE_SECONDS)
        return made, time.monotonic() - start

    def _gestures(self) -> Iterator[Callable[[], None]]:
        from qtpy.QtCore import Qt

        key = Qt.Key
        middle = self.dock.session.shape[0] // 2
        height, width = self.dock.session.shape[1:]
        rng = np.random.default_rng(0)

        def to_slice() -> None:
            self.viewer.dims.set_point(self.viewer.dims.ndim - 3, self._world(middle))
            self.viewer.reset_view()

        def stroke() -> None:
            start = rng.uniform(0.2, 0.7, 2) * (height, width)
            self._drag(start, start + 0.1 * np.array([height, width]))

        def click() -> None:
            self._click(rng.uniform(0.2, 0.8, 2) * (height, width))

        for _ in range(3):
            yield to_slice
            for tool in (key.Key_E, key.Key_D, key.Key_S):
                yield partial(self._key, tool)
                yield stroke
            yield lambda: self._key(key.Key_G)
            yield click
            yield lambda: self._key(key.Key_Return)
            yield lambda: self._key(key.Key_X)
            yield click
            for _ in range(3):
                yield lambda: self._key(key.Key_U)
            yield lambda: self._key(key.Key_Escape)
            for other in (key.Key_N, key.Key_Return, key.Key_N, key.Key_Backspace):
                yield partial(self._key, other)

    def _world(self, z: int) -> float:
        return float(self.dock.controller.layers.contour.data_to_world((z, 0, 0))[-3])

    def _place(self, point: Any) -> Any:
        from qtpy.QtCore import QPoint

        from napari_copnet.gui.napari_compat.viewer_camera import camera_of

        layer, camera = self.dock.controller.layers.contour, camera_of(self.viewer)
        world = np.asarray(layer.data_to_world((0, *point)), float)[-2:]
        y, x = (world - np.asarray(camera.center, float)[-2:]) * camera.zoom
        return QPoint(round(self.canvas.width() / 2 + x), round(self.canvas.height() / 2 + y))

    def _key(self, key: Any) -> None:
        self.test.keyClick(self.canvas, key)

    def _click(self, point: Any) -> None:
        from qtpy.QtCore import Qt

        place = self._place(point)
        self.test.mouseMove(self.canvas, place)
        wait(0)
        self.test.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=place)

    def _drag(self, start: Any, end: Any, steps: int = 12) -> None:
        from qtpy.QtCore import Qt

        places = [self._place(start + (end - start) * t) for t in np.linspace(0, 1, steps)]
        self.test.mouseMove(self.canvas, places[0])
        self.test.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=places[0])
        for place in places:
            self.test.mouseMove(self.canvas, place)
            # As often as a mouse tells of itself on most screens.
            wait(0.016)
        self.test.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=places[-1])


def _punched(contour: np.ndarray) -> np.ndarray:
    """Return contour with round gaps, the same places in all slices."""
    rng = np.random.default_rng(1)
    _, height, width = contour.shape
    y, x = np.mgrid[:height, :width]
    keep = np.ones((height, width), bool)
    for centre in rng.uniform(0, (height, width), (40, 2)):
        keep &= np.hypot(y - centre[0], x - centre[1]) > 4
    return (contour & keep).astype(np.uint8)


def _figure(name: str, value: float, goal: int, what: str, theirs: str) -> Figure:
    ours = f"{what}: {value:.0f} ms"
    return Figure(name, value, "ms", f"<= {goal}", value <= goal, ours, theirs, machine_name())


def _p99(values: list[float]) -> float:
    return float(np.percentile(values, 99))
