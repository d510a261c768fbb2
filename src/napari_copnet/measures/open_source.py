"""Open what is to be measured or exported: a run's folder, a session, or a file of labels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.contour_kinds import image_kind, image_values
from napari_copnet.io.read import read_image
from napari_copnet.lazy_array import by_slice
from napari_copnet.measures.run_facts import mode_of, reach_of
from napari_copnet.measures.session_source import of_session
from napari_copnet.measures.source import Source
from napari_copnet.params import MeasureParams, ReadParams
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_files import is_session
from napari_copnet.runs.generation import read_generation
from napari_copnet.runs.known_files import RECORD
from napari_copnet.runs.run_folder import read_run
from napari_copnet.types import Stack

_MOST = 2**32 - 1


@contextlib.contextmanager
def opened_source(
    path: Path | str, read: ReadParams = ReadParams(), params: MeasureParams = MeasureParams()
) -> Iterator[Source]:
    """Open the cells of a run, a session or a file; a session is open as long as they are.

    Parameters
    ----------
    path : path
        Folder of a run or a session, or an image of labels in any format that is read.
    read : ReadParams
        A voxel size given here goes before the one in the file.
    params : MeasureParams

    Raises
    ------
    InputError
        Nothing there, no labels, or more than 32 bits can number.
    """
    path = Path(path)
    if is_session(path):
        with Session.open(path, read_only=True) as session:
            yield _chosen(of_session(session), params, read)
        return
    if path.is_dir() and not _is_image(path):
        yield _chosen(_of_run(path, read), params, read)
    else:
        yield _chosen(_of_labels(path, read), params, read)


def _is_image(folder: Path) -> bool:
    """Whether a folder is an image itself: OME-Zarr, or numbered slices."""
    if any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        return True
    if os.path.lexists(folder / RECORD):
        # Of a damaged run, or of two: its results are not the slices of one stack.
        return False
    try:
        read_run(folder)
    except InputError:
        return True
    return False


def _chosen(source: Source, params: MeasureParams, read: ReadParams) -> Source:
    changes: dict[str, Any] = {}
    if params.reach is not None:
        changes["reach"] = params.reach
    if params.numbers != "auto":
        changes["joined"] = params.numbers == "stack"
    if read.voxel_size is not None:
        from napari_copnet.io.arrange import parse_voxel_size

        changes["voxel_size"] = parse_voxel_size(read.voxel_size)
    return replace(source, **changes)


def _of_run(folder: Path, read: ReadParams) -> Source:
    found = read_run(folder)
    if "cells" not in found:
        raise InputError(
            f"The folder {folder.name} has no cells.", "Run it again with --outputs cells,closed."
        )
    record = read_generation(folder) or {}
    cells = read_image(found["cells"], read, lazy=True)
    beside = {
        name: read_image(found[name], lazy=True).data
        for name in ("closed", "contours")
        if name in found
    }
    for name, image in beside.items():
        if image.shape != cells.shape:
            raise InputError(
                f"In the folder {folder.name}, cells and {name} differ in size.", "Run it again."
            )
    return _of_stack(
        cells,
        joined=mode_of(record) != "slice",
        walls=beside.get("closed"),
        contours=beside.get("contours"),
        reach=reach_of(record),
        name=folder.name,
        facts={"run": str(folder), "key": record.get("key"), "models": record.get("models")},
    )


def _of_labels(path: Path, read: ReadParams) -> Source:
    stack = read_image(path, read, lazy=True)
    values = image_values(stack.data)
    lone = values.two and values.whole and float(values.low) == 0 and float(values.high) > 1
    kind = "labels" if lone and not _is_usual_mask(stack, values.high) else None
    kind = kind or image_kind(stack.data, values)
    if kind != "labels":
        raise InputError(
            f"{path.name} holds a {kind}, not labelled cells.",
            "Label the cells first: copnet cells.",
        )
    if float(values.high) > _MOST:
        raise InputError(
            f"{path.name} has labels up to {int(values.high)}, more than 32 bits can number.",
            "Number the cells anew, from 1 upwards.",
        )
    if np.dtype(stack.data.dtype).kind == "f":
        # Whole numbers, as some programs save them.
        stack = replace(stack, data=by_slice(stack.data, lambda plane: plane, np.uint32))
    return _of_stack(stack, name=stack.name, facts={"labels": str(path)})


def _is_usual_mask(stack: Stack, high: Any) -> bool:
    kind = np.dtype(stack.data.dtype)
    return float(high) == 255 or (kind.kind == "u" and int(high) == np.iinfo(kind).max)


def _of_stack(stack: Stack, **rest: Any) -> Source:
    return Source(
        stack.data,
        stack.voxel_size,
        stack.translate,
        stack.axes,
        notes=stack.notes,
        **rest,
    )
