"""What the proofreading dock computes in a thread until a session is open."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.gui.background.first_layers import load_layers
from napari_copnet.gui.napari_compat.line_dashes import compute_dashes
from napari_copnet.gui.proofreading.painted_contour import PaintedContour
from napari_copnet.gui.viewer.palette import cell_colours
from napari_copnet.params import Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.edits import CONTOUR, Edit, Flip, Patch
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start, from_result, from_run_folder
from napari_copnet.restored import restore


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
    start = yield from _start_of(result, settings, iterations)
    yield from session_files.make(folder, start)
    with Session.open(folder) as session:
        _paint(session, start, contour)
    return folder


def begin_from_folder(folder: Path, run: Path) -> Steps[Path]:
    """Make a session of the folder of a run."""
    yield from ready()
    return (yield from session_files.make(folder, from_run_folder(run)))


def add_run(
    folder: Path,
    result: RunResult,
    settings: Settings,
    contour: np.ndarray | None,
    iterations: Any = None,
) -> Steps[Path]:
    """Take a finished run into a session that is open nowhere; what was decided by hand stays.

    Parameters are as for `begin_from_result`.

    Raises
    ------
    CopnetError
        The run is of another image, or the session can't be written to.
    """
    yield Progress("session", 0, 2, "steps")
    start = yield from _start_of(result, settings, iterations)
    return (yield from _add(folder, start, contour))


def add_run_from_folder(folder: Path, run: Path) -> Steps[Path]:
    """Take the folder of a run into a session; see `add_run`."""
    yield Progress("session", 0, 2, "steps")
    return (yield from _add(folder, from_run_folder(run), None))


def _add(folder: Path, start: Start, contour: np.ndarray | None) -> Steps[Path]:
    with Session.open(folder) as session:
        image = session.image
        if start.stack is not None and image is not None and image.shape == start.stack.shape:
            middle = len(image) // 2
            if not np.array_equal(image[middle], np.asarray(start.stack.data[middle])):
                raise InputError(
                    "The run and this session belong to different images.",
                    "Create a new session for the run.",
                )
        yield Progress("session", 1, 2, "steps")
        session.add_run(start)
        _paint(session, start, contour)
    return folder


@dataclass(frozen=True)
class Ready:
    """A session that was opened in a thread, with what its layers begin with.

    Attributes
    ----------
    session : Session
    image : array, shape (Z, Y, X), or None
        None where it was not found.
    contour : PaintedContour
        For napari to paint on.
    marked : frozenset of int
        Slices with marks.
    """

    session: Session
    image: Any
    contour: PaintedContour
    marked: frozenset[int]


def open_session(folder: Path, made: list[Ready]) -> Steps[Ready]:
    """Open a session where it was left, in a thread: a large one takes seconds.

    Parameters
    ----------
    folder : Path
    made : list of Ready
        The session is added to it, so that whoever asked can close it when the result no longer
        finds its way.

    Raises
    ------
    InputError
        It is none.
    """
    if not session_files.is_session(folder):
        raise no_session(folder)
    yield from ready()
    yield Progress("open", 0, 3, "steps")
    session = Session.open(folder)
    try:
        yield Progress("open", 1, 3, "steps")
        image = session.image
        contour = PaintedContour(session)
        yield Progress("open", 2, 3, "steps")
        marked = frozenset(session.marked_slices())
        # The slice that is shown first.
        session.ids(session.shape[0] // 2)
        yield Progress("open", 3, 3, "steps")
    except BaseException:
        session.close()
        raise
    opened = Ready(session, image, contour, marked)
    made.append(opened)
    return opened


def no_session(folder: Path) -> InputError:
    """Return the error for a folder that is no session."""
    return InputError(
        f"The folder {folder.name} is not a session.",
        "Choose a folder with a session.json, or create a new session.",
    )


def ready() -> Steps[None]:
    """Have napari import and compile what it needs for labels, which takes it seconds once."""
    yield Progress("open", 0, 1, "files")
    compute_dashes()
    load_layers()
    for shape in ((2, 2), (2, 2, 2)):
        cell_colours().map(np.zeros(shape, np.uint32))
    yield Progress("open", 1, 1, "files")


def _start_of(result: RunResult, settings: Settings, iterations: Any) -> Steps[Start]:
    restored = yield from restore(result)
    start = from_result(result, restored, settings)
    if start.iterations is None:
        start = dataclasses.replace(start, iterations=iterations)
    return start


def _paint(session: Session, start: Start, contour: np.ndarray | None) -> None:
    """Make an edit of what was painted on the contour of a run: it counts as done by hand."""
    if contour is None:
        return
    changes = []
    for z in range(session.shape[0]):
        plane = np.asarray(contour[z]) > 0
        change = plane != (np.asarray(start.contour[z]) > 0)
        change &= plane != session.contour[z].view(bool)
        if change.any():
            changes.append(Flip(CONTOUR, Patch.of(z, change)))
    session.apply(Edit("painted in the workflow", tuple(changes)))
