"""Cells as label images: 16-bit TIFF, and OME-Zarr with colours and properties."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import OutputError
from napari_copnet.io.write import write_image
from napari_copnet.io.write_omezarr import write_omezarr
from napari_copnet.lazy_array import LazyArray
from napari_copnet.measures.source import Source
from napari_copnet.measures.table import Table, write_table
from napari_copnet.progress import Progress, Steps

_MOST = 2**16 - 1
# Turns of the hue from cell to cell: neighbouring numbers look different.
_GOLDEN = 0.61803398875


def count_cells(labels: Any) -> Steps[dict[str, np.ndarray]]:
    """Return the numbers of the cells of a stack, sorted, their voxels, first and last slice.

    Parameters
    ----------
    labels : array, shape (Z, Y, X), unsigned int
        May be lazy.

    Yields
    ------
    Progress
        In slices.
    """
    parts: list[np.ndarray] = []
    for z in range(labels.shape[0]):
        cells, pixels = np.unique(np.asarray(labels[z]), return_counts=True)
        there = cells > 0
        part = np.stack([cells[there].astype(np.int64), pixels[there]], axis=1)
        parts.append(np.insert(part, 2, z, axis=1))
        yield Progress("cells", z + 1, labels.shape[0], "slices")
    rows = np.concatenate(parts)
    cells, index, place = np.unique(rows[:, 0], return_index=True, return_inverse=True)
    last = np.zeros(cells.size, np.int64)
    np.maximum.at(last, place, rows[:, 2])
    voxels = np.bincount(place, rows[:, 1], cells.size).astype(np.int64)
    return {"cell": cells, "voxels": voxels, "first_slice": rows[index, 2], "last_slice": last}


def write_labels16(source: Source, path: Path) -> Steps[tuple[Path, ...]]:
    """Write a TIFF of 16-bit labels, which every program reads.

    Numbers that do not fit are replaced by consecutive ones, and ``NAME-numbers.csv`` beside the
    image says which is which.

    Returns
    -------
    tuple of Path
        The image, and the list of numbers where there is one.

    Raises
    ------
    OutputError
        More cells than 16 bits can tell apart, or no permission or no space.
    """
    cells = (yield from count_cells(source.labels))["cell"]
    if cells.size > _MOST:
        raise OutputError(
            f"{cells.size} cells are too many for 16-bit labels.",
            "Export OME-Zarr, whose labels have 32 bits.",
        )
    table = None
    numbers = cells
    if cells.size and cells[-1] > _MOST:
        numbers = np.arange(1, cells.size + 1)
        table = Table("numbers", {"cell": cells, "number": numbers})

    def plane(z: int) -> np.ndarray:
        image = np.asarray(source.labels[z])
        place = np.searchsorted(cells, image)
        found = numbers[np.minimum(place, max(cells.size - 1, 0))] if cells.size else image
        return np.where(image > 0, found, 0).astype(np.uint16)

    lazy = LazyArray(source.labels.shape, np.uint16, plane)
    yield Progress("write", 0, 1, "files")
    written = write_image(
        path,
        lazy,
        voxel_size=source.voxel_size,
        translate=source.translate,
        axes=source.axes,
        kind="cells",
        format="tiff",
    )
    yield Progress("write", 1, 1, "files")
    return (written,) if table is None else (written, write_table(table, path.parent, "csv"))


def write_zarr_labels(source: Source, path: Path) -> Steps[Path]:
    """Write an OME-Zarr label image with a colour and properties for each cell.

    Properties are voxels, first and last slice, and the volume in µm³ where it is known.

    Raises
    ------
    OutputError
        No permission or no space to write.
    """
    import zarr

    found = yield from count_cells(source.labels)
    yield Progress("write", 0, 1, "files")
    write_omezarr(
        path,
        source.labels,
        source.axes,
        source.voxel_size,
        source.translate,
        np.dtype(np.uint32),
        "cells",
        path.name.split(".")[0],
    )
    group = zarr.open_group(path.absolute(), mode="r+")
    ome: Any = group.attrs["ome"]
    group.attrs["ome"] = {**ome, "image-label": _label_facts(found, source)}
    yield Progress("write", 1, 1, "files")
    return path


def _label_facts(found: dict[str, np.ndarray], source: Source) -> dict[str, Any]:
    z, y, x = (side or 0.0 for side in source.voxel_size)
    properties = []
    rows = zip(*(found[name].tolist() for name in found), strict=True)
    for cell, voxels, first, last in rows:
        known = {"volume_um3": voxels * z * y * x} if source.voxel_size.known else {}
        properties.append(
            {"label-value": cell, "voxels": voxels, "first_slice": first, "last_slice": last}
            | known
        )
    colors = [{"label-value": cell, "rgba": list(colour(cell))} for cell in found["cell"].tolist()]
    return {"version": "0.5", "colors": colors, "properties": properties}


def colour(cell: int) -> tuple[int, int, int, int]:
    """Return the colour of a cell: red, green, blue and opacity, 0 to 255."""
    hue, value = (cell * _GOLDEN) % 1.0, (1.0, 0.8, 0.65)[cell % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, value)
    return round(255 * red), round(255 * green), round(255 * blue), 255
