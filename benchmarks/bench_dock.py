"""`make bench NAME=dock`: is the window quick while a run streams in, and does it let go after?

Needs a display (``xvfb-run make bench NAME=dock`` where there is none). All on synthetic tissue and
the default models, with as many threads as the dock takes of itself.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_teach import thin_sliced
from benchmarks.figure import Figure, machine_name
from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.preload import is_loading, preload
from napari_copnet.gui.display import has_display
from napari_copnet.params import TissueParams
from napari_copnet.synthetic import make_tissue
from napari_copnet.teaching import loop
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.project_start import start_from_images

_TICK_MS = 5
_IDLE_SECONDS = 5.0
_MB = 1e6


def run(quick: bool = False) -> list[Figure]:
    """Measure the dock in a window of its own.

    Parameters
    ----------
    quick : bool
        10 cancellations and 10 openings instead of 100 and 50, and a smaller stack.

    Returns
    -------
    list of Figure
        Gaps of the event loop in a run (p99, longest) and while a slice is learnt (p99), time until
        the dock is ready, time to cancel, and memory and threads left by opening and closing.

    Raises
    ------
    CopnetError
        There is no display.
    """
    if not has_display():
        raise CopnetError("The dock can't be measured without a display.", "Run it under xvfb-run.")
    import napari

    size = 256 if quick else 512
    tissue = make_tissue(TissueParams(slices=6 if quick else 12, size=size), seed=1)
    viewer = napari.Viewer(show=True)
    try:
        wait(1.0)
        figures = [_ready(viewer)]
        figures += _gaps(viewer, tissue.stack.data)
        figures.append(_taught(viewer, 256 if quick else 512))
        figures.append(_cancel(viewer, tissue.stack.data[:4, :256, :256], 10 if quick else 100))
        figures += _leaks(viewer, 10 if quick else 50)
    finally:
        viewer.close()
        wait(0.2)
    return figures


def wait(seconds: float) -> None:
    """Let the event loop work for a time."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()


def until(holds: Callable[[], bool], seconds: float = 1800) -> float:
    """Let the event loop work until something holds; return how long it took in seconds."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > seconds:
            raise CopnetError("The dock did not answer in time.", "Look at the log above.")
        wait(0.01)
    return time.monotonic() - start


def _has_ended(job: Any) -> Callable[[], bool]:
    return lambda: not job.is_running


@contextmanager
def gaps() -> Any:
    """Gather the times between turns of the event loop, in ms, less the timer's own interval."""
    from qtpy.QtCore import Qt, QTimer

    found: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        found.append(max(0.0, 1000 * (now - last[0]) - _TICK_MS))
        last[0] = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(_TICK_MS)
    timer.timeout.connect(tick)
    timer.start()
    try:
        yield found
    finally:
        timer.stop()


def _open(viewer: Any, image: np.ndarray) -> tuple[Any, Any]:
    """Return the dock, its iterations in view, and its workflow, on an image."""
    from napari_copnet.gui.commands import open_stage

    viewer.add_image(image, name="synthetic tissue")
    dock = open_stage("iterations", viewer)
    panel = dock.panels.workflow
    panel.sections["preprocess"].form.rows["size"].value = 0
    wait(0.3)
    return dock, panel


def _close(viewer: Any, *docks: Any) -> None:
    for dock in docks:
        dock.shut_down()
        viewer.window.remove_dock_widget(dock)
        dock.deleteLater()
    viewer.layers.clear()
    wait(0.1)
    gc.collect()


def _ready(viewer: Any) -> Figure:
    """Measure from the menu to a dock that has been drawn."""
    times: list[float] = []
    for _ in range(2):
        start = time.monotonic()
        from napari_copnet.gui.commands import open_stage

        dock = open_stage("", viewer)
        wait(0)
        dock.repaint()
        times.append(time.monotonic() - start)
        _close(viewer, dock)
    took, again = times
    return Figure(
        "dock ready after napari is up",
        took,
        "s",
        "< 1",
        took < 1,
        f"first opening, imports included: {took:.2f} s",
        f"opened again: {again:.2f} s",
        machine_name(),
    )


def _gaps(viewer: Any, image: np.ndarray) -> list[Figure]:
    """Measure the event loop idle and while a whole run streams into window and plots."""
    # The dock that was opened before has begun to load the networks, as it does for users.
    preload()
    until(lambda: not is_loading())
    with gaps() as idle:
        wait(_IDLE_SECONDS)
    # What napari takes by itself for one layer of the shape of iterations.
    with gaps() as plain:
        viewer.add_image(np.zeros((2, *image.shape), np.float16), name="plain")
        wait(1.0)
    viewer.layers.clear()
    wait(0.5)
    dock, panel = _open(viewer, image)
    with gaps() as busy:
        panel.run()
        took = until(lambda: panel.job is None)
    if panel.source is None or panel.source.result is None:
        raise CopnetError("The run of the benchmark failed.", panel.run_controls.message.text())
    count = len(panel.source.result.closing.changed)
    _close(viewer, dock)
    shape = " × ".join(str(n) for n in image.shape)
    what = f"{shape} px, {count} iterations, {took:.0f} s"
    made = []
    for name, value, theirs, goal in (
        ("event-loop gap in a run, p99", _p99(busy), f"idle window: {_p99(idle):.0f} ms", 50),
        (
            "event-loop gap in a run, longest",
            max(busy),
            f"napari adding one plain layer of this shape with iterations: {max(plain):.0f} ms",
            200,
        ),
    ):
        ours = f"{what}: {value:.0f} ms"
        machine = machine_name()
        made.append(Figure(name, value, "ms", f"<= {goal}", value <= goal, ours, theirs, machine))
    return made


def _taught(viewer: Any, size: int) -> Figure:
    """Measure the event loop while a slice that is done is scored, carried and learnt."""
    tissue = thin_sliced(13, size, 60.0, 1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        with Project.create(folder, start_from_images(tissue.stack, None, size)) as project:
            project.draw(6, tissue.contours[6])
            project.finish(6, despite=True)
        from napari_copnet.gui.napari_compat.bare_viewer import bare_viewer
        from napari_copnet.gui.training.training_panel import TrainingPanel

        panel = TrainingPanel(bare_viewer(viewer))
        dock = viewer.window.add_dock_widget(panel, name="COp-Net training", area="right")
        proofread = panel.link.open_dock()
        proofread.open(folder)
        until(lambda: panel.link.project is not None)
        until(lambda: proofread.tasks.job is None)
        section = panel.loop
        section.form.rows["minutes"].value = 0.5
        wait(2.0)
        with gaps() as busy:
            section.switch.click()
            took = until(
                lambda: (
                    section.adopt_button.isEnabled()
                    and section.next_slice is not None
                    and not section.is_at_work
                )
            )
        taught = panel.link.project
        assert taught is not None
        points, carried = loop.curve(taught), len(taught.carried_slices)
        panel.shut_down()
        viewer.window.remove_dock_widget(dock)
        _close(viewer)
    if not points:
        raise CopnetError("The loop of the benchmark failed.", "Look at the log above.")
    value = _p99(busy)
    return Figure(
        "event-loop gap while a slice is learnt, p99",
        value,
        "ms",
        "<= 50",
        value <= 50,
        f"{len(tissue.contours)} slices of {size} px, {carried} carried to, {took:.0f} s; "
        f"longest {max(busy):.0f} ms",
        "",
        machine_name(),
    )


def _cancel(viewer: Any, image: np.ndarray, times: int) -> Figure:
    """Measure from the press of Cancel to a dock that can run again, at random moments."""
    rng = np.random.default_rng(0)
    dock, panel = _open(viewer, image)
    whole = 0.0
    took: list[float] = []
    for _ in range(times + 1):
        # Every run starts from the beginning.
        panel.sources.clear()
        panel.run()
        if not whole:
            whole = until(lambda: panel.job is None)
            continue
        wait(whole * rng.random())
        if panel.job is None:
            continue  # was ready before it could be cancelled
        job = panel.job
        job.cancelled.connect(lambda start=time.monotonic(): took.append(time.monotonic() - start))
        panel.cancel()
        until(_has_ended(job), 60)
        until(lambda: panel.job is None, 60)
    _close(viewer, dock)
    value = float(np.percentile(took, 99))
    return Figure(
        "time to cancel, p99",
        value,
        "s",
        "<= 1",
        value <= 1,
        f"{len(took)} at random moments: median {np.median(took):.2f} s, longest {max(took):.2f} s",
        f"letting the run end: up to {whole:.1f} s",
        machine_name(),
    )


def _leaks(viewer: Any, times: int) -> list[Figure]:
    """Measure what opening and closing the dock leaves behind."""
    import psutil

    from napari_copnet.gui.background.jobs import threads_alive

    process = psutil.Process()
    image = np.zeros((4, 64, 64), np.uint8)

    def once() -> None:
        _close(viewer, _open(viewer, image)[0])

    for _ in range(5):  # what is loaded once is loaded now
        once()
    before = process.memory_info().rss
    for _ in range(times):
        once()
    each = (process.memory_info().rss - before) / _MB / times
    before = process.memory_info().rss
    for _ in range(times):
        viewer.add_image(image)
        wait(0.3)
        viewer.layers.clear()
        wait(0.1)
        gc.collect()
    plain = (process.memory_info().rss - before) / _MB / times
    threads = len(threads_alive())
    return [
        Figure(
            "memory left by an open-and-close",
            each,
            "MB",
            "< 1",
            each < 1,
            f"the dock and an image, {times} times: {each:.2f} MB each",
            f"napari with the image alone: {plain:.2f} MB each",
            machine_name(),
        ),
        Figure(
            "threads left",
            float(threads),
            "threads",
            "= 0",
            threads == 0,
            f"after {times} openings, a run and its cancellations",
            "none before",
            machine_name(),
        ),
    ]


def _p99(values: list[float]) -> float:
    return float(np.percentile(values, 99))
