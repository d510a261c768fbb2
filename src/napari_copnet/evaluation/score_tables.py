"""Scores as tables: by cell, by slice, and by size of cell."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.score_names import CELL_SCORES, CONTOUR_SCORES, SCORES
from napari_copnet.evaluation.scores import FATES, Evaluation
from napari_copnet.files import whole_file
from napari_copnet.foreign_text import plain_cell

CELL_COLUMNS = (
    "slice", "cell", "label", "y", "x", "size", "fate", "predicted", "covered", "elsewhere",
)  # fmt: skip
SLICE_COLUMNS = ("slice", *CELL_SCORES, "cells", *CONTOUR_SCORES, "neighbour_cldice")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Path:
    """Write rows as CSV, whole or not at all; None becomes an empty field."""
    with whole_file(path) as beside, beside.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="raise")
        writer.writeheader()
        writer.writerows({key: plain_cell(row[key]) for key in row} for row in rows)
    return Path(path)


def write_cells(path: Path, evaluation: Evaluation) -> Path:
    """Write a row for each true cell of each slice: see `Evaluation.cell_rows`."""
    extra = () if evaluation.baseline is None else ("baseline_fate",)
    return write_rows(path, evaluation.cell_rows(), (*CELL_COLUMNS, *extra))


def is_cells(path: Path) -> bool:
    """Whether a file is a table that `write_cells` wrote."""
    start = ",".join(CELL_COLUMNS).encode()
    with path.open("rb") as file:
        return file.read(len(start)) == start


def write_slices(path: Path, evaluation: Evaluation) -> Path:
    """Write a row for each slice, with the scores of the baseline as well."""
    rows = [scores.as_dict() for scores in evaluation.slices]
    columns = list(SLICE_COLUMNS)
    if evaluation.baseline is not None:
        kept = (*SCORES, "neighbour_cldice")
        columns += [f"baseline_{name}" for name in kept]
        for row, theirs in zip(rows, evaluation.baseline.slices, strict=True):
            row.update({f"baseline_{name}": getattr(theirs, name) for name in kept})
    return write_rows(path, rows, columns)


def by_size(evaluation: Evaluation, groups: int = 4) -> list[list[str]]:
    """Return the outcomes of cells by size, as rows of text with a header.

    Parameters
    ----------
    evaluation : Evaluation
    groups : int
        How many groups of equally many cells, from small to large.
    """
    found = [scores.by_cell.fates for scores in evaluation.slices if scores.by_cell is not None]
    sizes = np.concatenate([f.sizes for f in found]) if found else np.zeros(0, np.int64)
    fates = np.concatenate([f.fates for f in found]) if found else np.zeros(0, np.uint8)
    rows = [["size of cell, px", "cells", *(f"{name}, %" for name in FATES.values())]]
    for part in np.array_split(np.argsort(sizes, kind="stable"), groups):
        if part.size:
            shares = [f"{100 * float(np.mean(fates[part] == fate)):.1f}" for fate in FATES]
            limits = f"{sizes[part].min()} to {sizes[part].max()}"
            rows.append([limits, str(part.size), *shares])
    return rows
