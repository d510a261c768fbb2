"""Write a run's results as a step: it tells how far it is, and can be stopped."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import ReadParams, Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps
from napari_copnet.restored import Restored
from napari_copnet.runs.run_record import OUTPUTS, save_run

# How often it tells how far it is.
_SECONDS = 0.1


def saving(
    result: RunResult,
    restored: Restored | None,
    settings: Settings,
    out: Path,
    format: str = "tiff",
    outputs: Sequence[str] = OUTPUTS,
    read: ReadParams | None = None,
    read_contours: ReadParams | None = None,
) -> Steps[dict[str, Any]]:
    """Write a run's images and its record; see `run_record.save_run`.

    Closing the generator stops at the next slice, and leaves what was there before.

    Yields
    ------
    Progress
        In slices, of all images together. Without `restored`, only that it goes on.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    OutputError
        No permission or no space to write.
    """
    watch = _Watch()
    total = 1
    if restored is not None:
        wanted = [getattr(restored, name) for name in outputs]
        total = sum(math.prod(array.shape[:-2]) for array in wanted if array is not None)
        arrays = {field.name: getattr(restored, field.name) for field in fields(restored)}
        restored = Restored(**{name: watch.over(array) for name, array in arrays.items()})
    made: list[dict[str, Any]] = []
    problems: list[BaseException] = []

    def save() -> None:
        try:
            made.append(
                save_run(result, restored, settings, out, format, outputs, read, read_contours)
            )
        except BaseException as error:
            problems.append(error)

    # The writers of file formats ask for slices, so they can't hand out progress themselves.
    thread = threading.Thread(target=save, name="copnet-save", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            yield Progress("write", min(watch.done, total), total, "slices")
            thread.join(_SECONDS)
    finally:
        watch.stop.set()
        thread.join()
    if problems:
        raise problems[0]
    yield Progress("write", total, total, "slices")
    return made[0]


class _StoppedError(Exception):
    """Ends the thread that writes."""


class _Watch:
    """Counts the slices that are asked for, and hands out no more once `stop` is set."""

    def __init__(self) -> None:
        self.done = 0
        self.stop = threading.Event()

    def over(self, array: Any) -> Any:
        """Return an array whose slices are watched; None stays None."""
        if array is None:
            return None

        def plane(*at: int) -> np.ndarray:
            if self.stop.is_set():
                raise _StoppedError
            image = np.asarray(array[at])
            self.done += 1
            return image

        return LazyArray(array.shape, array.dtype, plane)
