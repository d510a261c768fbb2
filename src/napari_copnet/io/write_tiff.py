"""TIFF files that Fiji and napari open with their voxel size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_copnet.types import VoxelSize

# ImageJ hyperstacks hold these, and no more than 4 GB.
_IMAGEJ_TYPES = {"uint8", "uint16", "float32"}
_CLASSIC_BYTES = 2**32 - 2**25


def write_tiff(
    path: Path,
    data: Any,
    axes: str,
    voxel_size: VoxelSize,
    translate: tuple[float, float, float],
    dtype: np.dtype,
) -> None:
    """Write an array of shape (Z, Y, X) or (I, Z, Y, X), one compressed page a slice.

    ImageJ's own format where it holds the data, because Fiji then opens the file with its voxel
    size; else (32-bit labels, more than 4 GB, a position without a size) OME-TIFF.
    """
    shape = tuple(int(n) for n in data.shape)
    letters = {"zyx": "ZYX", "tyx": "TYX", "izyx": "TZYX", "ityx": "TZYX"}[axes]
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    shared: dict[str, Any] = {
        "shape": shape,
        "dtype": dtype,
        "photometric": "minisblack",
        "compression": "zlib",
        # Higher levels take half as long again to make files of probabilities 1 % smaller.
        "compressionargs": {"level": 1 if dtype.kind == "f" else 6},
    }
    if voxel_size.in_plane_known:
        shared["resolution"] = (1 / voxel_size.x, 1 / voxel_size.y)  # type: ignore[operator]
    placed = not any(translate) or (voxel_size.known and axes != "tyx")
    partial = voxel_size.in_plane_known or voxel_size == VoxelSize()
    if dtype.name in _IMAGEJ_TYPES and count < _CLASSIC_BYTES and placed and partial:
        tifffile.imwrite(
            path,
            _planes(data, dtype),
            imagej=True,
            metadata={"axes": letters, **_imagej(voxel_size, translate)},
            **shared,
        )
        return
    if "resolution" in shared:
        shared["resolution"] = tuple(1e4 * r for r in shared["resolution"])
        shared["resolutionunit"] = "CENTIMETER"
    tifffile.imwrite(
        path,
        _planes(data, dtype),
        ome=True,
        bigtiff=count >= _CLASSIC_BYTES,
        metadata={"axes": letters, **_ome(shape, voxel_size, translate)},
        **shared,
    )


def _planes(data: Any, dtype: np.dtype) -> Iterator[np.ndarray]:
    for first in range(data.shape[0]):
        part = data[first]
        for plane in part if part.ndim == 3 else (part,):
            yield np.ascontiguousarray(np.asarray(plane).astype(dtype, copy=False))


def _imagej(voxel_size: VoxelSize, translate: tuple[float, float, float]) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    if voxel_size.in_plane_known:
        found["unit"] = "micron"
    if voxel_size.z is not None:
        found["spacing"] = voxel_size.z
    for letter, side, place in zip("zyx", voxel_size, translate, strict=True):
        if place and side:
            found[f"{letter}origin"] = -place / side
    return found


def _ome(
    shape: tuple[int, ...], voxel_size: VoxelSize, translate: tuple[float, float, float]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for letter, side in zip("ZYX", voxel_size, strict=True):
        if side is not None:
            found[f"PhysicalSize{letter}"] = side
            found[f"PhysicalSize{letter}Unit"] = "µm"
    if any(translate):
        pages = int(np.prod(shape[:-2]))
        z, y, x = translate
        step = voxel_size.z or 0.0
        found["Plane"] = {
            "PositionX": [x] * pages,
            "PositionY": [y] * pages,
            "PositionZ": [z + step * (page % shape[-3]) for page in range(pages)],
        } | {f"Position{letter}Unit": ["µm"] * pages for letter in "XYZ"}
    return found
