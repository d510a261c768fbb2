"""The files of a session: created whole, read back, and snapshots of its edited state.

A session's folder holds::

    session.json     shape, voxel size, cell settings, where the image is, the record of each run
    image.npy        the image, unless it is only referred to by its hash
    runs/N/          contours.npy, iterations.npy, closed.npy, converged.npy of run N
    start.npz        the state before the first edit: see `state_files`
    snapshot.npz     the state after some edit, so that opening need not make all of them again
    journal.sqlite   every edit
    session.lock     held by the one who writes
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.files import check_writable, whole_file
from napari_copnet.folders import check_free, holds_only, whole_folder
from napari_copnet.params import CellParams, as_dict, from_dict
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.first_cells import first_cells
from napari_copnet.proofreading.journal import Journal
from napari_copnet.proofreading.planes import pack
from napari_copnet.proofreading.session_start import EAGER_BYTES, Start
from napari_copnet.proofreading.start_contour import DAMAGE
from napari_copnet.proofreading.state_files import START, StateWriter, pack_mask, tables_of
from napari_copnet.proofreading.stored_array import StoredArray, packed_masks, write_slices
from napari_copnet.records import SHAPE, Fixed, is_plain_file, read_record, unfit
from napari_copnet.runs.generation import FORM
from napari_copnet.runs.run_record import described, is_described
from napari_copnet.types import VoxelSize

# 2: states hold slices one by one, see `state_files`.
FORMAT = 2
FACTS, JOURNAL, LOCK = "session.json", "journal.sqlite", "session.lock"
CONVERGED = "converged.npy"
_FORM = {
    "shape": SHAPE,
    "voxel_size": Fixed((float, None), 3),
    "translate": Fixed(float, 3),
    "axes": str,
    "name": str,
    "cells": dict,
    "image": {"kept?": bool, "path?": (str, None), "sha256?": (str, None)},
    "runs": [FORM],
}


@dataclass(frozen=True)
class Facts:
    """What `session.json` says.

    Attributes
    ----------
    shape : tuple of int
        (Z, Y, X).
    voxel_size : VoxelSize
        In µm.
    translate : tuple of float
        Position of the first voxel's centre, µm.
    axes, name : str
        As in `types.Stack`.
    cells : CellParams
        How cells are derived; sizes in pixels of the session.
    image : dict
        Path and hash of the image, and whether a copy lies in the folder.
    runs : tuple of dict
        The record of each run, the last one in use.
    """

    shape: tuple[int, int, int]
    voxel_size: VoxelSize
    translate: tuple[float, float, float]
    axes: str
    name: str
    cells: CellParams
    image: dict[str, Any]
    runs: tuple[dict[str, Any], ...]


def is_session(folder: Path | str) -> bool:
    """Whether a folder holds a session."""
    return (Path(folder) / FACTS).is_file()


def make(folder: Path, start: Start, keep_image: bool = True) -> Steps[Path]:
    """Write the folder of a new session, whole or not at all.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.
    start : Start
    keep_image : bool
        Put a copy of the image into the folder; else it is referred to by path and hash.

    Yields
    ------
    Progress
        In slices.

    Raises
    ------
    OutputError
        The folder is in use, or there is no right or room.
    """
    folder = Path(folder)
    check_free(folder)
    shape = tuple(int(n) for n in start.contour.shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(
            f"A session needs contours with axes (Z, Y, X), not an array of shape {shape}.",
            "Give the results of a run.",
        )
    check_writable(folder.parent, 8 * int(np.prod(shape)))
    stack = start.stack
    with whole_folder(folder) as beside:
        image: dict[str, Any] = {"kept": False}
        planes = _planes_of(start)
        if stack is not None:
            kept = keep_image or stack.source is None
            image = {**described(stack), "kept": kept}
            if stack.placed is not None:
                image["placed"] = stack.placed
            planes += shape[0] * kept
        done = yield from _write_results(beside, start, planes)
        if stack is not None and image["kept"]:
            written = write_slices(beside / "image.npy", stack.data, stack.data.dtype)
            for _ in written:
                done += 1
                yield Progress("session", done, planes, "slices")
        facts = Facts(
            shape,
            stack.voxel_size if stack else VoxelSize(),
            stack.translate if stack else (0.0, 0.0, 0.0),
            stack.axes if stack else "zyx",
            stack.name if stack else folder.name,
            start.cells,
            image,
            (start.record,),
        )
        write_facts(beside, facts)
        Journal.create(beside / JOURNAL)
    return folder


def _planes_of(start: Start) -> int:
    """Return how many slices the results of a run are made of, those of each iteration apart."""
    depth, kept = start.contour.shape[0], start.iterations
    return depth * (2 + (0 if kept is None else kept.shape[0]))


def _write_results(folder: Path, start: Start, planes: int) -> Steps[int]:
    """Write the start of a session, and its first run, while cells are derived.

    Of `planes` slices to be written; returns how many these were.
    """
    shape = tuple(int(n) for n in start.contour.shape)
    run = folder / "runs" / "0"
    run.mkdir(parents=True)
    with StateWriter(folder / START) as state, packed_masks(run / "closed.npy", shape) as put:

        def taken(z: int, contour: np.ndarray) -> None:
            put(contour)
            state.plane("contour", z, pack(contour))
            unseen = None if start.excluded is None else np.asarray(start.excluded[z])
            if unseen is not None and unseen.any():
                state.plane("excluded", z, pack_mask(unseen))

        cells = yield from first_cells(start, taken, planes)
        state.tables(tables_of(shape, *cells, is_first_run=True))
    done = shape[0]
    for _ in _write_probability(run, start):
        done += 1
        yield Progress("session", done, planes, "slices")
    return done


def _write_run(folder: Path, start: Start) -> None:
    folder.mkdir(parents=True)
    with packed_masks(folder / "closed.npy", start.contour.shape) as put:
        for z in range(start.contour.shape[0]):
            put(np.asarray(start.contour[z]) > 0)
    for _ in _write_probability(folder, start):
        pass


def _write_probability(folder: Path, start: Start) -> Iterator[None]:
    yield from write_slices(folder / "contours.npy", start.step1, np.float32)
    if start.iterations is not None:
        yield from write_slices(folder / "iterations.npy", start.iterations, np.float16)
    if start.converged is not None:
        np.save(folder / CONVERGED, start.converged)


def add_run(folder: Path, facts: Facts, start: Start) -> Facts:
    """Write the results of another run beside those before; return the new facts."""
    number = len(facts.runs)
    # One of this number was left by a process that was killed before it could note the run.
    with whole_folder(folder / "runs" / str(number), _is_run) as beside:
        _write_run(beside / "in", start)
        for path in sorted((beside / "in").iterdir()):
            path.rename(beside / path.name)
        (beside / "in").rmdir()
    facts = Facts(**{**vars(facts), "runs": (*facts.runs, start.record)})
    write_facts(folder, facts)
    return facts


def _is_run(folder: Path) -> bool:
    ids = {f"{name}.npy" for name in ("contours", "closed", "iterations", "converged")}
    return holds_only(folder, ids)


def write_facts(folder: Path, facts: Facts) -> None:
    """Write `session.json` whole."""
    values = {"format": FORMAT, **vars(facts), "cells": as_dict(facts.cells)}
    with whole_file(folder / FACTS) as beside:
        beside.write_text(json.dumps(values, indent=1) + "\n")


def renew_format(folder: Path) -> None:
    """Note in `session.json` that states are written as now: earlier versions can't read them."""
    values = read_record(folder / FACTS, {"format": int})
    if values["format"] < FORMAT:
        with whole_file(folder / FACTS) as beside:
            beside.write_text(json.dumps({**values, "format": FORMAT}, indent=1) + "\n")


def read_facts(folder: Path) -> Facts:
    """Read `session.json`.

    Raises
    ------
    InputError
        Missing, damaged, or written by a newer version.
    """
    folder = Path(folder)
    if not is_session(folder):
        raise InputError(f"{folder} is not a session.", f"Choose a folder that contains {FACTS}.")
    path = folder / FACTS
    values = read_record(path, {"format": int})
    if values["format"] > FORMAT:
        raise InputError(
            f"The session {folder.name} was written by a newer version.", "Update napari-copnet."
        )
    place = unfit(values, _FORM) or (None if values["runs"] else "runs")
    if place is not None:
        raise InputError(f"{path} is damaged: {place} can't be that.", "Restore it from a copy.")
    try:
        cells = from_dict(CellParams, values["cells"])
    except (CopnetError, TypeError) as error:
        raise InputError(f"{path} is damaged: cells can't be that.", "Restore it.") from error
    return Facts(
        shape=tuple(values["shape"]),
        voxel_size=VoxelSize(*values["voxel_size"]),
        translate=tuple(values["translate"]),
        axes=values["axes"],
        name=values["name"],
        cells=cells,
        image=values["image"],
        runs=tuple(values["runs"]),
    )


def check_links(folder: Path) -> None:
    """Refuse a session that would write elsewhere: links and pipes in place of its files.

    Raises
    ------
    InputError
        It has some.
    """
    written = (
        FACTS,
        JOURNAL,
        f"{JOURNAL}-wal",
        f"{JOURNAL}-shm",
        LOCK,
        "start.npz",
        "snapshot.npz",
    )
    for name in written:
        path = folder / name
        if os.path.lexists(path) and not is_plain_file(path):
            raise InputError(
                f"{path} is a link, or no plain file, and is not followed.",
                "Copy the whole session into one folder.",
            )
    for name in ("runs", "annotation"):
        if (folder / name).is_symlink():
            raise InputError(
                f"{folder / name} is a link, and is not followed.",
                "Copy the whole session into one folder.",
            )


def facts_stamp(folder: Path) -> tuple[int, ...]:
    """Return what is another one whenever `session.json` was written anew; empty without it."""
    try:
        found = (folder / FACTS).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_array(path: Path) -> Any:
    """Return an array of a session; None where there is none.

    One of two axes or more stays on disk, and is read plane by plane: see `StoredArray`.

    Raises
    ------
    InputError
        The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        if path.name == CONVERGED:
            return np.load(path, allow_pickle=False)
        return StoredArray(path)
    except DAMAGE as error:
        raise InputError(f"{path} is damaged.", "Restore it from a copy.") from error


def find_image(folder: Path, facts: Facts) -> Any:
    """Return the copy of the image, or else the file it was read from if that is unchanged.

    Returns
    -------
    array, shape (Z, Y, X), or None
        A large one is read slice by slice.
    """
    if facts.image.get("kept"):
        return read_array(folder / "image.npy")
    path = facts.image.get("path")
    if not path or not is_described(Path(path), facts.image):
        return None
    from napari_copnet.io.raw import lazy_above
    from napari_copnet.runs.run_input import read_input

    try:
        with lazy_above(EAGER_BYTES):
            stack = read_input(Path(path), facts.runs[0])
    except CopnetError:
        return None
    return stack.data if stack.shape == facts.shape else None


def unpacked_slice(bits: Any, z: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return slice z of a packed mask, shape (Y, X), bool."""
    plane = np.unpackbits(np.asarray(bits[z]), count=shape[1] * shape[2])
    return plane.reshape(shape[1:]).view(bool)
