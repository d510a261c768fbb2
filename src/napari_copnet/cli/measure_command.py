"""`copnet measure`: tables of cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.params import MeasureParams, ReadParams


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "measure", measure_command)


def measure_command(
    cells: Annotated[
        Path, typer.Argument(help="Folder of a run or a session, or an image of labelled cells.")
    ],
    out: Out,
    *,
    read: ReadParams,
    measure: MeasureParams,
    format: Annotated[
        Literal["both", "csv", "parquet"], typer.Option("--format", help="Files to write.")
    ] = "both",
    as_json: Json = False,
) -> None:
    """Measure cells: areas, volumes, shapes and neighbours, as tables in physical units."""
    from napari_copnet.measures.files import measure_files
    from napari_copnet.measures.table import FORMATS

    formats = FORMATS if format == "both" else (format,)
    record = watched(measure_files(cells, out, measure, read, formats))
    lines = [
        f"{record['slice_cells']} cells in slices"
        + ("" if record["cells"] is None else f", {record['cells']} cells in 3D")
        + ("." if record["pairs"] is None else f", {record['pairs']} pairs of neighbours."),
        *record["notes"],
        *(f"  {name:<20}{path}" for name, path in record["files"].items()),
    ]
    show(record, as_json, lines)
