"""What the folder of a run holds."""

from __future__ import annotations

from pathlib import Path

from napari_copnet.errors import InputError
from napari_copnet.io.formats import SUFFIXES

RESULTS = ("contours", "closed", "iterations", "cells")


def read_run(folder: Path | str) -> dict[str, Path]:
    """Return the path of each result in a run folder, in whatever format it was written.

    Returns
    -------
    dict
        Any of ``contours``, ``closed``, ``iterations``, ``cells`` and ``run`` (run.json).

    Raises
    ------
    InputError
        No such folder, or one without a result.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", "Name the folder of a run.")
    found: dict[str, Path] = {}
    for name in RESULTS:
        there = [path for suffix in SUFFIXES if (path := folder / (name + suffix)).exists()]
        if there:
            # The newest, should a run have been repeated in another format.
            found[name] = max(there, key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise InputError(
            f"The folder {folder.name} holds no result of a run.",
            f"It should hold one of {', '.join(RESULTS)}.",
        )
    if (folder / "run.json").is_file():
        found["run"] = folder / "run.json"
    return found
