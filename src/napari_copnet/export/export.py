"""Write cells in formats of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_copnet.errors import InputError
from napari_copnet.export.formats import FORMATS
from napari_copnet.export.labels import write_labels16, write_zarr_labels
from napari_copnet.export.meshes import write_meshes
from napari_copnet.export.precomputed import write_precomputed
from napari_copnet.export.rois import write_rois
from napari_copnet.files import check_writable
from napari_copnet.measures.open_source import opened_source
from napari_copnet.measures.source import Source
from napari_copnet.params import MeasureParams, ReadParams
from napari_copnet.progress import Steps
from napari_copnet.runs.generation import check_results, new_generation
from napari_copnet.runs.run_record import surroundings

RECORD = "export.json"


def export_files(
    path: Path | str,
    out: Path | str,
    to: Sequence[str],
    read: ReadParams = ReadParams(),
    params: MeasureParams = MeasureParams(),
) -> Steps[dict[str, Any]]:
    """Write the cells of a run, a session or a file of labels in formats of other programs.

    Parameters
    ----------
    path : path
        Folder of a run or a session, or an image of labels.
    out : path
        Folder; created if missing.
    to : sequence of str
        Of `FORMATS`.
    read : ReadParams
    params : MeasureParams
        Only `numbers` is used.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    dict
        The record, as written to ``export.json``; ``files`` maps formats to what was written.
        Earlier exports to other formats are kept.

    Raises
    ------
    InputError
        An unknown format, no cells, or a voxel size that is needed and unknown.
    CopnetError
        A package that the format needs is not installed.
    OutputError
        Files of other origin in the way, or no permission or no space to write.
    """
    out, to = Path(out), tuple(dict.fromkeys(to))
    _check(out, to)
    files: dict[str, str] = {}
    with (
        opened_source(path, read, params) as source,
        new_generation(out, RECORD, keep=True) as made,
    ):
        for name in to:
            files |= yield from _written(source, name, made.folder / FORMATS[name][1])
        made.write(
            {
                "command": "export",
                **surroundings(),
                "inputs": source.facts,
                "notes": list(source.notes),
                "files": files,
            }
        )
    return made.record


def _check(out: Path, to: Sequence[str]) -> None:
    """Refuse formats that are unknown, and a folder that can't take their files."""
    for name in to:
        if name not in FORMATS:
            raise InputError(
                f"There is no format {name!r} to export to.", f"Choose from {', '.join(FORMATS)}."
            )
    if not to:
        raise InputError(
            "No format was given.", f"Choose from {', '.join(FORMATS)}, as in --to rois."
        )
    check_writable(out)
    check_results(out, [FORMATS[name][1] for name in to], RECORD, replaces="export")


def _written(source: Source, name: str, target: Path) -> Steps[dict[str, str]]:
    if name == "rois":
        return {name: str((yield from write_rois(source, target)))}
    if name == "ome-zarr":
        return {name: str((yield from write_zarr_labels(source, target)))}
    if name == "precomputed":
        return {name: str((yield from write_precomputed(source, target)))}
    if name == "labels16":
        paths = yield from write_labels16(source, target)
        return dict(zip((name, "numbers"), map(str, paths), strict=False))
    return {name: str((yield from write_meshes(source, target, name)))}
