"""`copnet export`: cells in formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_copnet.cli.console import Json, Out, show, watched
from napari_copnet.cli.options import add_command
from napari_copnet.params import ReadParams


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "export", export_command)


def export_command(
    cells: Annotated[
        Path, typer.Argument(help="Folder of a run or a session, or an image of labelled cells.")
    ],
    out: Out,
    *,
    read: ReadParams,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Formats, with commas between them: rois (ZIP for ImageJ and Fiji), labels16 "
            "(16-bit TIFF), ome-zarr (with colours and properties), precomputed (Neuroglancer, "
            "webKnossos), stl, obj and ply (meshes).",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Export cells for Fiji, OME-Zarr viewers and mesh programs."""
    from napari_copnet.export.export import export_files

    wanted = [name.strip() for name in to.split(",") if name.strip()]
    record = watched(export_files(cells, out, wanted, read))
    lines = [*record["notes"], *(f"  {name:<12}{path}" for name, path in record["files"].items())]
    show(record, as_json, lines)
