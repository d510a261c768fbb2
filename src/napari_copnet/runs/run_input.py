"""Read the input of a run again, as the run read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_copnet.io.check import check_pixels
from napari_copnet.io.read import read_stack
from napari_copnet.params import ReadParams, from_dict
from napari_copnet.types import Stack


def read_params(record: Mapping[str, Any]) -> ReadParams:
    """Return how the stack of a run was read; earlier records say only which voxel size it had.

    Parameters
    ----------
    record : mapping
        As in ``run.json``.

    Raises
    ------
    CopnetError
        The record has settings that can't be.
    """
    if "read" in record:
        return from_dict(ReadParams, record["read"])
    sizes = record.get("inputs", {}).get("stack", {}).get("voxel_size") or [None]
    known = all(isinstance(size, int | float) for size in sizes)
    return ReadParams(voxel_size=",".join(map(repr, sizes)) if known else None)


def read_input(path: Path, record: Mapping[str, Any]) -> Stack:
    """Return the stack of a run from its file: the same channel, time point and grey values.

    Parameters
    ----------
    path : Path
    record : mapping
        As in ``run.json``.

    Raises
    ------
    CopnetError
        It can't be read so.
    """
    params = read_params(record)
    stack = read_stack(path, params)
    return check_pixels(stack, True) if params.repair else stack
