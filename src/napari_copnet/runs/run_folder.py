"""What the folder of a run holds."""

from __future__ import annotations

from pathlib import Path

from napari_copnet.errors import InputError
from napari_copnet.io.formats import SUFFIXES

RESULTS = ("contours", "closed", "iterations", "cells")
# Where there are none.
PADDING = "padding"


def read_run(folder: Path | str) -> dict[str, Path]:
    """Return the path of each result in a run folder, in whatever format it was written.

    Returns
    -------
    dict
        Any of ``contours``, ``closed``, ``iterations``, ``cells``, ``padding`` and ``run``
        (run.json).

    Raises
    ------
    InputError
        No such folder, or one without a result.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", "Choose the folder of a run.")
    found = {name: path for name in RESULTS if (path := newest(folder, name)) is not None}
    if not found:
        raise InputError(
            f"The folder {folder.name} holds no result of a run.",
            f"It should contain one of {', '.join(RESULTS)}.",
        )
    padding = newest(folder, PADDING)
    if padding is not None:
        found[PADDING] = padding
    if (folder / "run.json").is_file():
        found["run"] = folder / "run.json"
    return found


def newest(folder: Path, name: str) -> Path | None:
    """Return the image of this name in a folder, in whatever format; None where there is none.

    Of several the newest counts, should a run have been repeated in another format.
    """
    there = [path for suffix in SUFFIXES if (path := folder / (name + suffix)).exists()]
    return max(there, key=lambda path: path.stat().st_mtime_ns) if there else None
