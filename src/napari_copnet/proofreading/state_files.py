"""States of a session on disk: tables of cells, links and verdicts, and slices packed one by one.

A state is a NumPy archive. Beside its tables it holds one member for each slice that differs from
what it builds on: ``contour/12``, ``marks/12``, ``excluded/12``, as `planes.pack` makes them. The
start holds every slice of the contour, and they are read from it one by one for as long as the
session is open: it never changes. A snapshot holds those that edits have changed since.

The start's contour is that of the first run, whose folder has it too: where the start is damaged,
it is read from there. A start that was rebuilt by a recovery is like no run, and snapshots beside
it hold every slice, as do those beside starts that earlier versions wrote.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.files import whole_file
from napari_copnet.proofreading.edits import Edit, Judge, Verdict
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.packing import from_plain, to_plain
from napari_copnet.proofreading.planes import Planes, pack, unpack
from napari_copnet.proofreading.session_model import SessionModel
from napari_copnet.proofreading.slice_ids import SliceIds
from napari_copnet.proofreading.start_contour import (
    DAMAGE,
    START,
    PackedRows,
    StartContour,
    damaged,
    opened_zip,
)
from napari_copnet.proofreading.stored_array import StoredArray

SNAPSHOT = "snapshot.npz"
# A start of no more bytes is checked whole when it is opened, a larger one slice by slice.
CHECKED_BYTES = 64 << 20


@dataclass(frozen=True)
class PackedState:
    """A state to be written, which no edit changes any more.

    Attributes
    ----------
    tables : dict of str to ndarray
    contour, marks : Planes
    excluded : Planes or None
    slices : tuple of int
        Slices of the contour that are written.
    """

    tables: dict[str, np.ndarray]
    contour: Planes
    marks: Planes
    excluded: Planes | None
    slices: tuple[int, ...]


# Writing ---------------------------------------------------------------------


class StateWriter:
    """Writes a state: slices in any order, tables at the end.

    Parameters
    ----------
    path : Path
        A file that is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w")

    def __enter__(self) -> StateWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self._zip.close()

    def plane(self, name: str, z: int, data: bytes) -> None:
        """Write a packed slice of ``contour``, ``marks`` or ``excluded``."""
        self._zip.writestr(f"{name}/{z}", data)

    def tables(self, tables: dict[str, np.ndarray]) -> None:
        """Write the tables."""
        for name, table in tables.items():
            with self._zip.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, table, allow_pickle=False)


def tables_of(
    shape: tuple[int, ...],
    ids: SliceIds,
    links: Links,
    places: np.ndarray,
    verdicts: dict[str, Verdict] | None = None,
    at: int = 0,
    is_first_run: bool = False,
) -> dict[str, np.ndarray]:
    """Return the tables of a state.

    Parameters
    ----------
    shape : tuple of int
        (Z, Y, X).
    ids, links, verdicts
        As in `SessionModel`.
    places : ndarray, shape (ids,), int32
        The slice of each id.
    at : int
        The edit it is as of.
    is_first_run : bool
        Whether its contour is that of the first run.
    """
    counts, seeds, names = ids.tables()
    judged = Edit("", tuple(Judge(None, verdict) for verdict in (verdicts or {}).values()))
    return {
        "format": np.array(2),
        "at": np.array(at),
        "shape": np.array(shape),
        "counts": counts,
        "seeds": seeds,
        "names": names,
        "places": places,
        "links": links.pairs(),
        "cells": links.lookup(len(places)).copy(),
        "verdicts": np.array(json.dumps(to_plain(judged))),
        "is_first_run": np.array(is_first_run),
    }


def pack_state(
    model: SessionModel, at: int, excluded: Planes | None = None, *, whole: bool = False
) -> PackedState:
    """Return what edits have made, as of edit `at`, for another thread to write.

    Parameters
    ----------
    model : SessionModel
    at : int
    excluded : Planes, optional
        Where there can be no cells.
    whole : bool
        Write every slice, also those that are as in the first run.
    """
    contour = model.contour.still()
    on_first_run = getattr(contour.base, "is_first_run", False)
    changed = contour.changed()
    slices = range(model.shape[0]) if whole or not on_first_run else sorted(changed)
    tables = tables_of(
        model.shape, model.ids, model.links, model.places().copy(), model.verdicts, at
    )
    kept = None if excluded is None else excluded.still()
    return PackedState(tables, contour, model.marks.still(), kept, tuple(slices))


def write_state(path: Path, state: PackedState) -> None:
    """Write a packed state whole."""
    with whole_file(path) as beside, StateWriter(beside) as out:
        for z in state.slices:
            out.plane("contour", z, state.contour.packed(z))
        for name, planes in (("marks", state.marks), ("excluded", state.excluded)):
            for z in range(state.contour.shape[0]):
                if planes is not None and planes.is_set(z):
                    out.plane(name, z, planes.packed(z))
        out.tables(state.tables)


# Reading ---------------------------------------------------------------------


def read_state(path: Path, *, check: bool = False) -> tuple[SessionModel, int, Planes | None]:
    """Return a model, the edit it is as of, and where there can be no cells.

    Parameters
    ----------
    path : Path
        `START` or `SNAPSHOT` in the folder of a session.
    check : bool
        Unpack all of it, whatever its size.

    Raises
    ------
    InputError
        Missing or damaged.
    """
    with _explained(path), _loaded(path) as state:
        shape = tuple(int(n) for n in state["shape"])
        if "format" in state:
            contour, marks, excluded = _planes(path, state.zip, shape, check)
        else:
            contour, marks, excluded = _planes_before(state, shape)
        model = SessionModel(contour, marks)
        model.ids = SliceIds(shape[0], state["counts"], state["seeds"], state["names"])
        places = state["places"]
        model.restore_places(places)
        model.next_id = len(places)
        model.links = Links(state["links"], len(places), state.get("cells"))
        for change in from_plain(json.loads(str(state["verdicts"]))).changes:
            change.apply(model)
        return model, int(state["at"]), excluded


@contextmanager
def _loaded(path: Path) -> Iterator[Any]:
    opened_zip(path).close()
    with np.load(path, allow_pickle=False) as state:
        yield state


def _planes(
    path: Path, archive: zipfile.ZipFile, shape: tuple[int, ...], check: bool
) -> tuple[Planes, Planes, Planes | None]:
    whole = check or path.stat().st_size <= CHECKED_BYTES

    def members(name: str, is_mask: bool = True) -> dict[int, bytes]:
        found = _members(archive, name)
        for packed in found.values() if whole else ():
            unpack(packed, shape[1:], is_mask=is_mask)
        return found

    marks, excluded = members("marks", is_mask=False), members("excluded")
    if path.name == START:
        base: Callable[[int], np.ndarray | None] | None = _start(path, shape, check)
        contour = Planes(shape, base)
    else:
        changed = members("contour")
        contour = Planes(shape, _first_run(path.parent, shape, changed), changed)
    return (
        contour,
        Planes(shape, changed=marks, is_mask=False),
        Planes(shape, changed=excluded) if excluded else None,
    )


def _members(archive: zipfile.ZipFile, name: str) -> dict[int, bytes]:
    """Return the packed slices of a kind by their number."""
    there = (member for member in archive.namelist() if member.startswith(f"{name}/"))
    return {int(member.split("/")[1]): archive.read(member) for member in there}


def _start(path: Path, shape: tuple[int, ...], check: bool) -> StartContour:
    start = StartContour(path, shape)
    if check or path.stat().st_size <= CHECKED_BYTES:
        try:
            start.check()
        except BaseException:
            # On Windows a file that is open can't be set aside.
            start.close()
            raise
    return start


def _first_run(
    folder: Path, shape: tuple[int, ...], changed: dict[int, bytes]
) -> StartContour | PackedRows | None:
    """Return the contour on which a snapshot builds; None for one that holds every slice."""
    if len(changed) == shape[0]:
        return None
    try:
        start = _start(folder / START, shape, False)
        if start.is_first_run:
            return start
    except DAMAGE:
        pass
    return PackedRows(StoredArray(folder / "runs" / "0" / "closed.npy"), shape, True)


def _planes_before(state: Any, shape: tuple[int, ...]) -> tuple[Planes, Planes, Planes | None]:
    """Return the slices in a state as earlier versions wrote it: a bit a pixel, uncompressed."""
    contour = Planes(shape, PackedRows(state["contour"], shape, False))
    data, end = state["marks"].tobytes(), 0
    marks = {}
    for z, stop in zip(state["marked"].tolist(), state["marks_end"].tolist(), strict=True):
        marks[z] = data[end:stop]
        unpack(marks[z], shape[1:], is_mask=False)
        end = stop
    excluded = state.get("excluded")
    return (
        contour,
        Planes(shape, changed=marks, is_mask=False),
        None if excluded is None else Planes(shape, PackedRows(excluded, shape, False)),
    )


def pack_mask(plane: np.ndarray) -> bytes:
    """Return a slice of which what is above 0 is set, shape (Y, X), packed."""
    return pack((np.asarray(plane) > 0).view(np.uint8))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise damaged(path) from error
