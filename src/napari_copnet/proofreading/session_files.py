"""The files of a session: made whole, read back, and snapshots of what edits have made.

A session's folder holds::

    session.json     shape, voxel size, cell settings, where the image is, the record of each run
    image.npy        the image, unless it is only referred to by its hash
    runs/N/          contours.npy, iterations.npy, closed.npy, converged.npy of run N
    start.npz        the state before the first edit
    snapshot.npz     the state after some edit, so that opening need not make all of them again
    journal.sqlite   every edit
    session.lock     held by the one who writes
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError, OutputError
from napari_copnet.files import check_writable, sha256, whole_file, whole_folder
from napari_copnet.params import CellParams, as_dict, from_dict
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import Edit, Judge
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.packing import from_plain, to_plain
from napari_copnet.proofreading.relabel import first_pixels
from napari_copnet.proofreading.session_model import SessionModel
from napari_copnet.proofreading.session_start import Start
from napari_copnet.runs.run_record import described
from napari_copnet.steps.cells import label_cells, label_slice
from napari_copnet.steps.linking import link_slices
from napari_copnet.types import VoxelSize

FORMAT = 1
FACTS, JOURNAL, LOCK = "session.json", "journal.sqlite", "session.lock"
START, SNAPSHOT = "start.npz", "snapshot.npz"


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
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is not empty.", "Choose another folder for the session.")
    shape = tuple(int(n) for n in start.contour.shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(
            f"A session needs contours with axes (Z, Y, X), not an array of shape {shape}.",
            "Give the results of a run.",
        )
    check_writable(folder.parent, 8 * int(np.prod(shape)))
    model = yield from _first_model(start)
    stack = start.stack
    with whole_folder(folder) as beside:
        image: dict[str, Any] = {"kept": False}
        if stack is not None:
            image = {**described(stack), "kept": keep_image or stack.source is None}
            if image["kept"]:
                _write_slices(beside / "image.npy", stack.data, stack.data.dtype)
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
        _write_run(beside / "runs" / "0", start)
        write_facts(beside, facts)
        write_state(beside / START, pack_state(model, 0, start.excluded))
    return folder


def _write_run(folder: Path, start: Start) -> None:
    folder.mkdir(parents=True)
    _write_slices(folder / "contours.npy", start.step1, np.float32)
    _write_slices(folder / "closed.npy", _packed(np.asarray(start.contour)), np.uint8)
    if start.iterations is not None:
        _write_slices(folder / "iterations.npy", start.iterations, np.float16)
    if start.converged is not None:
        np.save(folder / "converged.npy", start.converged)


def add_run(folder: Path, facts: Facts, start: Start) -> Facts:
    """Write the results of another run beside those before; return the new facts."""
    number = len(facts.runs)
    with whole_folder(folder / "runs" / str(number)) as beside:
        _write_run(beside / "in", start)
        for path in sorted((beside / "in").iterdir()):
            path.rename(beside / path.name)
        (beside / "in").rmdir()
    facts = Facts(**{**vars(facts), "runs": (*facts.runs, start.record)})
    write_facts(folder, facts)
    return facts


def write_facts(folder: Path, facts: Facts) -> None:
    """Write `session.json` whole."""
    values = {"format": FORMAT, **vars(facts), "cells": as_dict(facts.cells)}
    with whole_file(folder / FACTS) as beside:
        beside.write_text(json.dumps(values, indent=1) + "\n")


def read_facts(folder: Path) -> Facts:
    """Read `session.json`.

    Raises
    ------
    InputError
        Missing, damaged, or written by a newer version.
    """
    folder = Path(folder)
    if not is_session(folder):
        raise InputError(f"{folder} is not a session.", f"Name a folder that holds {FACTS}.")
    try:
        values = json.loads((folder / FACTS).read_text())
        if values.pop("format") > FORMAT:
            raise InputError(
                f"The session {folder.name} was written by a newer version.",
                "Update napari-copnet.",
            )
        return Facts(
            shape=tuple(values["shape"]),
            voxel_size=VoxelSize(*values["voxel_size"]),
            translate=tuple(values["translate"]),
            axes=values["axes"],
            name=values["name"],
            cells=from_dict(CellParams, values["cells"]),
            image=values["image"],
            runs=tuple(values["runs"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / FACTS} is damaged.", "Restore it from a copy.") from error


def facts_stamp(folder: Path) -> tuple[int, ...]:
    """Return what is another one whenever `session.json` was written anew; empty without it."""
    try:
        found = (folder / FACTS).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_array(path: Path) -> np.ndarray | None:
    """Return an array of a session, left on disk; None where there is none.

    Raises
    ------
    InputError
        The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is damaged.", "Restore it from a copy.") from error


def find_image(folder: Path, facts: Facts) -> np.ndarray | None:
    """Return the copy of the image, or else the file it was read from if that is unchanged."""
    if facts.image.get("kept"):
        return read_array(folder / "image.npy")
    path = facts.image.get("path")
    if not path or not Path(path).exists() or sha256(path) != facts.image.get("sha256"):
        return None
    from napari_copnet.io.read import read_stack

    stack = read_stack(path)
    return stack.data if stack.shape == facts.shape else None


# State ---------------------------------------------------------------------


def pack_state(
    model: SessionModel, at: int, excluded: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return a copy of what edits have made, packed, as of edit `at`."""
    seeds = [np.fromiter(ids.keys(), np.int64, len(ids)) for ids in model.ids]
    called = [np.fromiter(ids.values(), np.uint32, len(ids)) for ids in model.ids]
    marked = [z for z, marks in enumerate(model.marks) if marks.any()]
    marks = [zlib.compress(model.marks[z].tobytes(), 1) for z in marked]
    verdicts = Edit("", tuple(Judge(None, verdict) for verdict in model.verdicts.values()))
    state = {
        "at": np.array(at),
        "shape": np.array(model.shape),
        "contour": _packed(model.contour),
        "marked": np.array(marked, np.int64),
        "marks_end": np.cumsum([len(data) for data in marks], dtype=np.int64),
        "marks": np.frombuffer(b"".join(marks), np.uint8),
        "counts": np.array([len(ids) for ids in model.ids], np.int64),
        "seeds": np.concatenate(seeds),
        "names": np.concatenate(called),
        "places": model.places().copy(),
        "links": np.array(list(model.links), np.int64).reshape(-1, 2),
        "verdicts": np.array(json.dumps(to_plain(verdicts))),
    }
    if excluded is not None:
        state["excluded"] = _packed(excluded)
    return state


def write_state(path: Path, state: dict[str, np.ndarray]) -> None:
    """Write a packed state whole."""
    with whole_file(path) as beside:
        np.savez(beside, allow_pickle=False, **state)


def read_state(path: Path) -> tuple[SessionModel, int, np.ndarray | None]:
    """Return a model, the edit it is as of, and where there can be no cells.

    Raises
    ------
    InputError
        Missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as state:
            shape = tuple(int(n) for n in state["shape"])
            model = SessionModel(_unpacked(state["contour"], shape))
            data, end = state["marks"].tobytes(), 0
            for z, stop in zip(state["marked"].tolist(), state["marks_end"].tolist(), strict=True):
                marks = np.frombuffer(zlib.decompress(data[end:stop]), np.uint8)
                model.marks[z] = marks.reshape(shape[1:])
                end = stop
            seeds, ids = state["seeds"].tolist(), state["names"].tolist()
            first = 0
            for z, count in enumerate(state["counts"].tolist()):
                last = first + count
                model.ids[z] = dict(zip(seeds[first:last], ids[first:last], strict=True))
                first = last
            places = state["places"]
            model.restore_places(places)
            model.next_id = len(places)
            model.links = Links(state["links"], len(places))
            for change in from_plain(json.loads(str(state["verdicts"]))).changes:
                change.apply(model)
            excluded = state.get("excluded")
            at = int(state["at"])
            return model, at, None if excluded is None else _unpacked(excluded, shape).view(bool)
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is missing or damaged.", "Recover the session with `copnet session recover`."
        ) from error


def _first_model(start: Start) -> Steps[SessionModel]:
    """Derive cells and links of a run's contours, as `steps.cells` does."""
    model = SessionModel((np.asarray(start.contour) > 0).astype(np.uint8))
    depth = len(model.contour)
    slices = np.zeros(model.shape, np.uint32)
    offsets = np.zeros(depth + 1, np.int64)
    for z, contour in enumerate(model.contour):
        excluded = None if start.excluded is None else start.excluded[z]
        slices[z] = label_slice(contour, start.cells, excluded=excluded)
        seeds = first_pixels(slices[z]).tolist()
        ids = range(int(offsets[z]) + 1, int(offsets[z]) + 1 + len(seeds))
        model.ids[z] = dict(zip(seeds, ids, strict=True))
        for name in ids:
            model.place(name, z)
        offsets[z + 1] = offsets[z] + len(seeds)
        yield Progress("session", z + 1, depth, "slices")
    model.next_id = int(offsets[-1]) + 1
    pairs = np.zeros((0, 2), np.int64)
    if start.cells.mode == "linked":
        pairs = _linked_pairs(slices, offsets, start.cells.link_overlap)
    elif start.cells.mode == "3d":
        pairs = yield from _joined_pairs(slices, offsets, start)
    model.links = Links(pairs, model.next_id)
    return model


def _linked_pairs(slices: np.ndarray, offsets: np.ndarray, link_overlap: float) -> np.ndarray:
    pairs = []
    last: dict[int, int] = {}
    for z, (_, lookup) in enumerate(link_slices(slices, link_overlap)):
        for local, cell in enumerate(lookup.tolist()):
            if local:
                name = int(offsets[z]) + local
                if cell in last:
                    pairs.append((last[cell], name))
                last[cell] = name
    return np.array(pairs, np.int64).reshape(-1, 2)


def _joined_pairs(slices: np.ndarray, offsets: np.ndarray, start: Start) -> Steps[np.ndarray]:
    """Link slice cells that are one in 3D, each with the next one of its cell."""
    cells = yield from label_cells(np.asarray(start.contour), start.cells, excluded=start.excluded)
    pairs = []
    last: dict[int, int] = {}
    for z, image in enumerate(slices):
        seeds = first_pixels(image)
        for local, cell in enumerate(cells.labels[z].ravel()[seeds].tolist(), start=1):
            name = int(offsets[z]) + local
            if cell and cell in last:
                pairs.append((last[cell], name))
            if cell:
                last[cell] = name
    return np.array(pairs, np.int64).reshape(-1, 2)


def _packed(mask: np.ndarray) -> np.ndarray:
    """Pack a mask, shape (Z, Y, X), at one bit a pixel: shape (Z, bytes), uint8."""
    return np.packbits(mask.reshape(len(mask), -1) != 0, axis=1)


def _unpacked(bits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.unpackbits(bits, axis=1, count=shape[1] * shape[2]).reshape(shape)


def unpacked_slice(bits: np.ndarray, z: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return slice z of a packed mask, shape (Y, X), bool."""
    plane = np.unpackbits(np.asarray(bits[z]), count=shape[1] * shape[2])
    return plane.reshape(shape[1:]).view(bool)


def _write_slices(path: Path, data: Any, dtype: Any) -> None:
    """Write an array that may be lazy, one slice at a time."""
    out = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), tuple(data.shape))
    for index in range(len(data)):
        out[index] = np.asarray(data[index])
    out.flush()
    del out
