"""Export a session: contours, cells, marks, and the list of edits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.files import check_writable, whole_file
from napari_copnet.io.formats import FORMATS
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import ACCEPTED, MARKS, REJECTED
from napari_copnet.proofreading.packing import to_plain
from napari_copnet.proofreading.session import Session
from napari_copnet.runs.generation import check_results, new_generation
from napari_copnet.runs.run_record import surroundings, write_record


def export(session: Session, out: Path | str, format: str = "tiff") -> Steps[dict[str, Any]]:
    """Write a session's contours, cells, marks and edits into a folder, all together.

    Parameters
    ----------
    session : Session
    out : path
        Folder; created if missing.
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
        No permission or no space to write, or another file has the name of a result.
    """
    out, facts = Path(out), session.facts
    check_writable(out, 8 * int(np.prod(session.shape)))
    names = [name + FORMATS[format][0] for name in ("closed", "cells") if format in FORMATS]
    check_results(out, [*names, "edits.json"], replaces="session export")
    slices = sorted(session.marked_slices())
    marked = [n for n, bit in MARKS.items() if any((session.marks[z] & bit).any() for z in slices)]
    total = 4 + len(marked)
    files: dict[str, str] = {}

    def lazy(dtype: Any, plane: Callable[[int], np.ndarray]) -> LazyArray:
        return LazyArray(session.shape, dtype, plane)

    def mark(bit: int) -> LazyArray:
        return lazy(np.uint8, lambda z: (session.marks[z] & bit > 0).view(np.uint8))

    def write(folder: Path, name: str, data: LazyArray, kind: str) -> Progress:
        path = write_image(
            folder / name,
            data,
            voxel_size=facts.voxel_size,
            translate=facts.translate,
            axes=facts.axes,
            kind=kind,
            format=format,
        )
        files[name] = str(path)
        return Progress("export", len(files), total, "files")

    numbers = _consecutive(session)
    closed = lazy(np.uint8, session.contour.__getitem__)
    cells = lazy(np.uint32, lambda z: numbers[session.cells(z)])
    with new_generation(out) as made:
        yield write(made.folder, "closed", closed, "closed")
        yield write(made.folder, "cells", cells, "cells")
        for name in marked:
            yield write(made.folder, name, mark(MARKS[name]), "closed")
        files["edits"] = str(made.folder / "edits.json")
        with whole_file(made.folder / "edits.json") as beside:
            beside.write_text(json.dumps(edits_as_plain(session), indent=1) + "\n")
        yield Progress("export", len(files), total, "files")
        record = {
            "command": "session export",
            **surroundings(),
            "session": str(session.folder),
            "edits": session.history.position,
            "cells": int(numbers.max(initial=0)),
            "cells_by_slice": [session.cell_count(z) for z in range(session.shape[0])],
            "counts": who_did_what(session),
            "models_by_run": [run.get("models", {}) for run in facts.runs],
            "runs": list(facts.runs),
            "files": files,
        }
        write_record(made.folder, record)
    yield Progress("export", total, total, "files")
    return made.record


def _consecutive(session: Session) -> np.ndarray:
    """Return a number for each cell of a session, consecutive from 1 by its first pixel."""
    numbers, used = np.zeros(1, np.uint32), 0
    for z in range(session.shape[0]):
        labels = session.cells(z).ravel()
        if labels.max(initial=0) >= numbers.size:
            more = np.zeros(max(int(labels.max()) + 1, 2 * numbers.size) - numbers.size, np.uint32)
            numbers = np.concatenate([numbers, more])
        cells, first = np.unique(labels, return_index=True)
        new = (numbers[cells] == 0) & (cells > 0)
        cells = cells[new][np.argsort(first[new])]
        numbers[cells] = used + 1 + np.arange(cells.size, dtype=np.uint32)
        used += cells.size
    return numbers


def who_did_what(session: Session) -> dict[str, Any]:
    """Return how much of a session the networks made, and how much was made by hand.

    Returns
    -------
    dict
        ``edits``: applied edits by tool. ``items``: decided items of the review queue by verdict.
        ``contour_pixels``: those of the last run (``networks``), those added and removed since
        (``added``, ``removed``). ``edited_slices``: slices in which there are any of these.
    """
    history = session.history
    pixels = {"networks": 0, "added": 0, "removed": 0}
    edited = 0
    for z in range(session.shape[0]):
        run, now = session.run_contour(z), session.contour[z] > 0
        added, removed = int(np.sum(now & ~run)), int(np.sum(run & ~now))
        pixels["networks"] += int(np.sum(run))
        pixels["added"] += added
        pixels["removed"] += removed
        edited += bool(added or removed)
    tools = Counter(history[index].tool for index in range(history.position))
    verdicts = Counter(verdict.verdict for verdict in session.verdicts.values())
    return {
        "edits": dict(tools.most_common()),
        "items": {name: verdicts[name] for name in (ACCEPTED, REJECTED)},
        "contour_pixels": pixels,
        "edited_slices": edited,
    }


def edits_as_plain(session: Session) -> list[dict[str, Any]]:
    """Return the edits that are applied, oldest first, in types that JSON knows."""
    history = session.history
    return [
        {"made": entry.made, "text": entry.text, **to_plain(history.edit(index))}
        for index, entry in enumerate(history[at] for at in range(history.position))
    ]
