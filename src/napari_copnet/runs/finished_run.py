"""Tell whether a folder already holds just what a run would write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_copnet.io.formats import FORMATS, FormatName


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
        record = json.loads((out / "run.json").read_text())
        files = {name: Path(path) for name, path in record["files"].items()}
        if record["key"] != key or record["frame"]["results"] != frame:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    suffix = FORMATS[format][0]
    for name in outputs:
        path = files.get(name)
        if path is None and name == "iterations" and not _kept(record):
            continue
        if path is None or not path.name.endswith(suffix) or not path.exists():
            return None
    return record


def _kept(record: dict[str, Any]) -> bool:
    return bool(record["settings"]["closing"]["keep_iterations"])
