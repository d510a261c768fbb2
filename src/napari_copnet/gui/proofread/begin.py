"""What the proofreading dock computes in a thread before a session opens."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import label_colormap

from napari_copnet.errors import InputError
from napari_copnet.pipeline import RunResult, Settings, restore
from napari_copnet.progress import Progress, Steps
from napari_copnet.review import store
from napari_copnet.review.start import from_result, from_run_folder


def begin_from_result(
    folder: Path,
    result: RunResult,
    settings: Settings,
    contour: np.ndarray | None,
    iterations: Any = None,
) -> Steps[Path]:
    """Make a session of a finished run.

    Parameters
    ----------
    folder : Path
        Of the new session; must not exist, or be empty.
    result : RunResult
    settings : Settings
        Of the run.
    contour : ndarray, shape (Z, Y, X), or None
        The closed contour where it was painted on since, in the frame of the stack.
    iterations : array, shape (I, Z, Y, X), or None
        Those of the dock, in the frame of the stack, for a run that did not keep its own.
    """
    yield from ready()
    restored = yield from restore(result)
    start = from_result(result, restored, settings)
    if contour is not None:
        start = dataclasses.replace(start, contour=contour)
    if start.iterations is None:
        start = dataclasses.replace(start, iterations=iterations)
    return (yield from store.make(folder, start))


def begin_from_folder(folder: Path, run: Path) -> Steps[Path]:
    """Make a session of the folder of a run."""
    yield from ready()
    return (yield from store.make(folder, from_run_folder(run)))


def check(folder: Path) -> Steps[Path]:
    """Make ready to open a session.

    Raises
    ------
    InputError
        It is none.
    """
    if not store.is_session(folder):
        raise InputError(
            f"The folder {folder.name} holds no session.",
            "Choose one with a session.json, or begin a new session.",
        )
    yield from ready()
    return folder


def ready() -> Steps[None]:
    """Have napari import and compile what it needs for labels, which takes it seconds once."""
    yield Progress("open", 0, 1, "files")
    Labels(np.zeros((1, 1), np.uint8))
    for shape in ((2, 2), (2, 2, 2)):
        label_colormap().map(np.zeros(shape, np.uint32))
    yield Progress("open", 1, 1, "files")
