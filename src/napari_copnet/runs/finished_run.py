"""Tell whether a folder already holds just what a run would write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError
from napari_copnet.io.formats import FORMATS, FormatName
from napari_copnet.records import unfit
from napari_copnet.runs.generation import read_generation
from napari_copnet.runs.known_files import is_intact, named_files

_FORM = {
    "key": str,
    "frame": {"results": str},
    "files": dict,
    "settings": {"closing": {"keep_iterations": bool}},
}


def finished_run(
    out: Path, key: str, frame: str, format: FormatName, outputs: Sequence[str]
) -> dict[str, Any] | None:
    """Return the record of a run in a folder if the same run wrote all of it; else None.

    Parameters
    ----------
    out : Path
        The folder.
    key : str
        `pipeline.RunResult.key`.
    frame : str
        ``"original"`` or ``"processed"``.
    format : str
        Of the files.
    outputs : sequence of str
        Names of the images that are wanted. Iterations count only where they were written.
    """
    try:
        record = read_generation(out)
    except InputError:
        return None
    if record is None or unfit(record, _FORM) is not None:
        return None
    if record["key"] != key or record["frame"]["results"] != frame:
        return None
    files, suffix = named_files(record), FORMATS[format][0]
    for name in outputs:
        local = files.get(name)
        if local is None and name == "iterations" and not _kept(record):
            continue
        if local is None or not local.endswith(suffix) or not is_intact(out / local, record):
            return None
    return record


def _kept(record: dict[str, Any]) -> bool:
    return bool(record["settings"]["closing"]["keep_iterations"])
