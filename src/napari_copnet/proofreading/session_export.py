"""What a session gives away: contours, cells, marks, and the list of edits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.files import check_writable, whole_file
from napari_copnet.io.write import write_image
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import MARKS
from napari_copnet.proofreading.packing import to_plain
from napari_copnet.proofreading.session import Session
from napari_copnet.runs.run_record import surroundings
from napari_copnet.steps.cells import renumbered


def export(session: Session, out: Path | str, format: str = "tiff") -> Steps[dict[str, Any]]:
    """Write a session's contours, cells, marks and edits into a folder, each whole.

    Parameters
    ----------
    session : Session
    out : path
        Folder; made when missing.
    format : str
        ``"tiff"``, ``"ome-zarr"`` or ``"nifti"``.

    Yields
    ------
    Progress
        In files.

    Returns
    -------
    dict
        The record, as written to ``run.json``; ``files`` maps names to paths. Cells have one
        number through the stack, consecutive from 1.

    Raises
    ------
    OutputError
        No right or no room to write.
    """
    out, facts = Path(out), session.facts
    check_writable(out, 8 * int(np.prod(session.shape)))
    marked = [name for name, bit in MARKS.items() if (session.marks & bit).any()]
    total = 4 + len(marked)
    files: dict[str, str] = {}

    def write(name: str, data: np.ndarray, kind: str) -> Progress:
        path = write_image(
            out / name,
            data,
            voxel_size=facts.voxel_size,
            translate=facts.translate,
            axes=facts.axes,
            kind=kind,
            format=format,
        )
        files[name] = str(path)
        return Progress("export", len(files), total, "files")

    cells = renumbered(session.all_cells())
    yield write("closed", session.contour, "closed")
    yield write("cells", cells, "cells")
    for name in marked:
        yield write(name, (session.marks & MARKS[name] > 0).astype(np.uint8), "closed")
    files["edits"] = str(out / "edits.json")
    with whole_file(out / "edits.json") as beside:
        beside.write_text(json.dumps(edits_as_plain(session), indent=1) + "\n")
    yield Progress("export", len(files), total, "files")
    record = {
        "command": "session export",
        **surroundings(),
        "session": str(session.folder),
        "edits": session.history.position,
        "cells": int(cells.max(initial=0)),
        "cells_by_slice": [len(session.present(z)) for z in range(session.shape[0])],
        "runs": list(facts.runs),
    }
    files["run.json"] = str(out / "run.json")
    record["files"] = files
    with whole_file(out / "run.json") as beside:
        beside.write_text(json.dumps(record, indent=1) + "\n")
    yield Progress("export", total, total, "files")
    return record


def edits_as_plain(session: Session) -> list[dict[str, Any]]:
    """Return the edits that are applied, oldest first, in types that JSON knows."""
    history = session.history
    return [
        {"made": entry.made, "text": entry.text, **to_plain(history.edit(index))}
        for index, entry in enumerate(history[at] for at in range(history.position))
    ]
