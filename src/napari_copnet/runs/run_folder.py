"""What the folder of a run holds."""

from __future__ import annotations

import os
from pathlib import Path

from napari_copnet.errors import InputError
from napari_copnet.io.formats import SUFFIXES
from napari_copnet.runs.generation import REPEAT, read_generation
from napari_copnet.runs.known_files import RECORD, is_intact, named_files

RESULTS = ("contours", "closed", "iterations", "cells")
# Where there are none.
PADDING = "padding"


def read_run(folder: Path | str, *, thorough: bool = True) -> dict[str, Path]:
    """Return the path of each result in a run folder, in whatever format it was written.

    Parameters
    ----------
    folder : path
    thorough : bool
        Whether to read files that were copied since the run, to compare their hashes; else their
        size has to do.

    Returns
    -------
    dict
        Any of ``contours``, ``closed``, ``iterations``, ``cells``, ``padding`` and ``run``
        (run.json).

    Raises
    ------
    InputError
        No such folder, one without a result, or one that holds results of two runs.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", "Choose the folder of a run.")
    record = read_generation(folder)
    named = named_files(record) if record is not None else {}
    found: dict[str, Path] = {}
    for name in (*RESULTS, PADDING):
        # What a record does not name is of another run.
        path = folder / named[name] if name in named else None
        if not named:
            path = newest(folder, name)
        if path is None or not os.path.lexists(path):
            continue
        if record is not None and not is_intact(path, record, thorough=thorough):
            raise InputError(
                f"{path} has changed since the run wrote it.",
                f"{REPEAT} If you changed it yourself, remove {RECORD}, and its settings.",
            )
        found[name] = path
    if not set(found) & set(RESULTS):
        raise InputError(
            f"The folder {folder.name} holds no result of a run.",
            f"It should contain one of {', '.join(RESULTS)}.",
        )
    if record is not None:
        found["run"] = folder / RECORD
    return found


def newest(folder: Path, name: str) -> Path | None:
    """Return the image of this name in a folder, in whatever format; None where there is none.

    Of several the newest counts, should a run have been repeated in another format.
    """
    there = [path for suffix in SUFFIXES if (path := folder / (name + suffix)).exists()]
    return max(there, key=lambda path: path.stat().st_mtime_ns) if there else None
