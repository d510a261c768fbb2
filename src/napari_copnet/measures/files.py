"""Measure what lies on disk, and write the tables."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_copnet.files import check_writable
from napari_copnet.measures.measure import Measures, measure
from napari_copnet.measures.open_source import opened_source
from napari_copnet.measures.schema import MEASURED
from napari_copnet.measures.source import Source
from napari_copnet.measures.table import FORMATS, write_table
from napari_copnet.params import MeasureParams, ReadParams
from napari_copnet.progress import Steps
from napari_copnet.runs.generation import check_results, new_generation
from napari_copnet.runs.run_record import surroundings

RECORD = "measures.json"


def measure_files(
    path: Path | str,
    out: Path | str,
    params: MeasureParams = MeasureParams(),
    read: ReadParams = ReadParams(),
    formats: tuple[str, ...] = FORMATS,
) -> Steps[dict[str, Any]]:
    """Measure the cells of a run, a session or a file of labels, and write the tables.

    Parameters
    ----------
    path : path
        Folder of a run or a session, or an image of labels.
    out : path
        Folder; created if missing.
    params : MeasureParams
    read : ReadParams
    formats : tuple of str
        Of ``"csv"`` and ``"parquet"``.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    dict
        The record, as written to ``measures.json``; ``files`` maps names to paths.

    Raises
    ------
    InputError
        There is nothing, or no cells.
    OutputError
        No permission or no space to write, or files of other origin in the way.
    """
    out = Path(out)
    check_writable(out)
    check_tables(out, formats)
    with opened_source(path, read, params) as source:
        made = yield from measure(source, surface=params.surface)
        return write_measures(made, source, out, formats, params)


def write_measures(
    made: Measures,
    source: Source,
    out: Path,
    formats: tuple[str, ...] = FORMATS,
    params: MeasureParams = MeasureParams(),
) -> dict[str, Any]:
    """Write tables and their record into a folder, all together; see `measure_files`."""
    slices = made.tables["slices"]
    record = {
        "command": "measure",
        **surroundings(),
        "inputs": source.facts,
        "settings": asdict(params),
        "reach": source.reach,
        "voxel_size": list(source.voxel_size),
        "axes": source.axes,
        "cells": len(made.tables["cells"]) if "cells" in made.tables else None,
        "slice_cells": len(slices),
        "pairs": len(made.tables["pairs"]) if "pairs" in made.tables else None,
        "notes": list(made.notes),
    }
    with new_generation(out, RECORD) as anew:
        files = {
            (name if len(formats) == 1 else f"{name}.{format}"): str(
                write_table(table, anew.folder, format)
            )
            for name, table in made.tables.items()
            for format in formats
        }
        anew.write(record | {"files": files | {"record": str(anew.folder / RECORD)}})
    return anew.record


def check_tables(out: Path, formats: tuple[str, ...] = FORMATS) -> None:
    """Check before work starts that tables may be written into a folder.

    Raises
    ------
    OutputError
        A file of this name was not written by us, or was changed since.
    """
    check_results(
        out,
        [f"{name}.{format}" for name in MEASURED for format in formats],
        RECORD,
        replaces="measure",
    )
