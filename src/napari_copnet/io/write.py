"""Write results as TIFF, OME-Zarr or NIfTI, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import OutputError
from napari_copnet.files import whole_file
from napari_copnet.folders import whole_folder
from napari_copnet.io.formats import FORMATS, format_of
from napari_copnet.io.write_tiff import write_tiff
from napari_copnet.types import Stack, VoxelSize

KINDS = ("image", "contours", "closed", "iterations", "cells")


def write_image(
    path: Path | str,
    data: Any,
    *,
    like: Stack | None = None,
    voxel_size: VoxelSize | None = None,
    translate: tuple[float, float, float] | None = None,
    axes: str | None = None,
    kind: str = "image",
    format: str | None = None,
) -> Path:
    """Write an array with its physical frame; the file appears whole or not at all.

    Parameters
    ----------
    path : path
        With or without suffix. A suffix that stands for another format is replaced.
    data : array, shape (Z, Y, X), or (I, Z, Y, X) for iterations
        May be lazy; it is read slice by slice. bool is written as uint8, float16 as float32 and
        64-bit integers as 32-bit ones where they fit.
    like : Stack, optional
        Where voxel size, position and axes come from unless given.
    voxel_size : VoxelSize, optional
        In µm; unknown sizes stay unknown.
    translate : tuple of float, optional
        Position of the first voxel's centre in µm along z, y, x.
    axes : str, optional
        ``"zyx"`` or ``"tyx"``.
    kind : str
        ``"image"``, ``"contours"``, ``"closed"``, ``"iterations"`` or ``"cells"``. Masks and
        cells are never averaged in the levels of a pyramid.
    format : str, optional
        ``"tiff"``, ``"ome-zarr"`` or ``"nifti"``; from the suffix, else TIFF, when not given.
        NIfTI holds a voxel size only when it is known whole, and float32 positions.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        An array that the format can't hold, or no permission or no space to write.
    """
    target, format = _target(Path(path), format)
    if kind not in KINDS:
        raise OutputError(f"There is no kind of result {kind!r}.", f"Known: {', '.join(KINDS)}.")
    sizes = voxel_size or (like.voxel_size if like else VoxelSize())
    place = translate or (like.translate if like else (0.0, 0.0, 0.0))
    letters = axes or (like.axes if like else "zyx")
    if data.ndim not in (3, 4) or 0 in data.shape:
        raise OutputError(
            f"An array of shape {tuple(data.shape)} can't be written as a stack.",
            "Give it the axes (Z, Y, X).",
        )
    if data.ndim == 4:
        letters = "i" + letters
    dtype = _dtype(data)
    if format == "ome-zarr":
        from napari_copnet.io.write_omezarr import is_image_folder, write_omezarr

        with whole_folder(target, is_image_folder) as beside:
            write_omezarr(beside, data, letters, sizes, place, dtype, kind, _stem(target))
    elif format == "nifti":
        from napari_copnet.io.nifti import write_nifti

        with whole_file(target) as beside:
            write_nifti(beside, data, letters, sizes, place, dtype)
    else:
        with whole_file(target) as beside:
            write_tiff(beside, data, letters, sizes, place, dtype)
    return target


def _target(path: Path, format: str | None) -> tuple[Path, str]:
    meant, suffix = format_of(path.name)
    format = format or meant or "tiff"
    if format not in FORMATS:
        raise OutputError(f"There is no format {format!r}.", f"Choose one of {', '.join(FORMATS)}.")
    if meant == format:
        return path, format
    stem = path.name[: len(path.name) - len(suffix)] if suffix else path.name
    return path.with_name(stem + FORMATS[format][0]), format


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _dtype(data: Any) -> np.dtype:
    """Return the type to write: one that all readers know and that holds every value."""
    dtype = np.dtype(data.dtype).newbyteorder("=")
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    if dtype == np.float16:
        return np.dtype(np.float32)
    if dtype in (np.uint64, np.int64):
        low = min(int(np.asarray(part).min()) for part in data)
        high = max(int(np.asarray(part).max()) for part in data)
        for narrow in (np.uint32, np.int32):
            if np.iinfo(narrow).min <= low and high <= np.iinfo(narrow).max:
                return np.dtype(narrow)
        raise OutputError(
            f"Numbers up to {high} do not fit the file format.", "Renumber the labels from 1."
        )
    if dtype.kind not in "iuf":
        raise OutputError(f"Values of type {dtype} can't be written.", "Convert them first.")
    return dtype
