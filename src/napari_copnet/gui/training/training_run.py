"""A training in the background: start, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_copnet.errors import InputError
from napari_copnet.gui.background.jobs import Job
from napari_copnet.networks.package import ModelPackage, load_package, models_folder
from napari_copnet.progress import Progress, Steps
from napari_copnet.records import read_record
from napari_copnet.teaching.fine_tuning import Unfinished, forget, resume, unfinished
from napari_copnet.training import child
from napari_copnet.training.losses import read_losses
from napari_copnet.training.work import work_folder

LOOK_MS = 100


class TrainingRun(QObject):
    """At most one training at a time. It runs in a process of its own, which a thread watches.

    Attributes
    ----------
    out : Path or None
        The model folder of the training that runs, or ran last.
    progressed : Signal
        List of `Progress`.
    finished : Signal
        The new `ModelPackage`.
    failed : Signal
        A `CopnetError`.
    stopped : Signal
        What is left to go on with (`Unfinished`), or None. Only when the process has ended.
    """

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(object)
    stopped = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.out: Path | None = None
        self._job: Job | None = None
        self._drop = False
        # A cancelled job tells so before its process has saved: then another can't go on yet.
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def is_running(self) -> bool:
        """Whether a training runs, or is being stopped."""
        return self._job is not None

    def begin(self, out: Path, work: Callable[[], Steps[ModelPackage]]) -> None:
        """Start a training that writes the model folder `out`."""
        assert self._job is None
        self.out, self._drop = out, False
        job = self._job = Job(work, "copnet-train")
        job.progressed.connect(self.progressed.emit)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._timer.start)
        job.start()

    def go_on(self, one: Unfinished) -> None:
        """Go on with one that was stopped."""
        self.begin(one.out, lambda: resume(one.out))

    def pause(self) -> None:
        """Stop with a checkpoint."""
        if self._job is not None:
            self._job.cancel()

    def cancel(self) -> None:
        """Stop, and throw away what was learnt."""
        self._drop = True
        self.pause()

    def shut_down(self) -> None:
        """Stop with a checkpoint and wait until the process has ended."""
        self._timer.stop()
        job, self._job = self._job, None
        if job is not None:
            job.give_up(wait=True)

    def _look(self) -> None:
        if self._job is not None and self._job.is_alive:
            return
        self._timer.stop()
        self._job = None
        left = self.left()
        if self._drop and left is not None:
            forget(left)
            left = None
        self.stopped.emit(left)

    def left(self) -> Unfinished | None:
        """Return what is left of the last training to go on with, or None."""
        if self.out is None:
            return None
        return next((one for one in unfinished(self.out.parent) if one.out == self.out), None)

    def _on_finished(self, package: ModelPackage) -> None:
        self._job = None
        self.finished.emit(package)

    def _on_failed(self, error: Any) -> None:
        self._job = None
        self.failed.emit(error)


def minutes_of(out: Path) -> float | None:
    """Return for how long a training was meant to run, or None."""
    try:
        form = {"params": {"minutes": float}}
        return float(read_record(work_folder(out) / child.CONFIG, form)["params"]["minutes"])
    except InputError:
        return None


def seconds_a_step(kind: str) -> float | None:
    """Return how long a training step took on this machine the last time, or None.

    From the trainings that were made or begun here, the newest of the kind.
    """
    works = sorted(
        models_folder().glob("*.training"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    for work in works:
        out = work.with_name(work.name.removesuffix(".training"))
        rows = read_losses(out)
        if rows and rows[-1].get("seconds") and _kind_of(out) == kind:
            return rows[-1]["seconds"] / rows[-1]["step"]
    return None


def _kind_of(out: Path) -> str:
    try:
        return str(read_record(work_folder(out) / child.CONFIG, {"kind": str})["kind"])
    except InputError:
        return load_package(out, verify=False).kind if out.is_dir() else ""


def share_of(progress: Progress) -> float:
    """Return how much of a training is done, 0 to 1."""
    return min(1.0, progress.done / progress.total) if progress.total else 0.0
