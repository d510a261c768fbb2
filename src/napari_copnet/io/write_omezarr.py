"""OME-Zarr 0.5 with a pyramid in-plane."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.folders import holds_only_kinds
from napari_copnet.types import VoxelSize

# The coarsest level is at most this wide.
_COARSEST = 512
_CHUNK = 1024
# Descriptions and chunks, of this version of the format and those before.
_FILES = re.compile(
    r"(\w+/)*(zarr\.json|\.z(array|group|attrs|metadata))|(\w+/)*c?(/?\d+)+(\.\d+)*"
)


def is_image_folder(folder: Path) -> bool:
    """Whether a folder holds an OME-Zarr image and nothing else."""
    marked = any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs"))
    return marked and holds_only_kinds(folder, _FILES)


def write_omezarr(
    path: Path,
    data: Any,
    axes: str,
    voxel_size: VoxelSize,
    translate: tuple[float, float, float],
    dtype: np.dtype,
    kind: str,
    name: str,
) -> None:
    """Write an array of shape (Z, Y, X) or (I, Z, Y, X) into an empty folder.

    Probabilities and grey values are averaged from level to level, masks and cells are thinned
    (every second pixel), so that no label appears that was not there. An axis whose size is
    unknown has no unit.
    """
    import dask.array as da
    import zarr
    from ome_zarr.format import FormatV05
    from ome_zarr.writer import write_multiscale

    shape = tuple(int(n) for n in data.shape)
    chunks = (*(1 for _ in shape[:-2]), shape[-2], shape[-1])
    # A name of its own: else dask would read all data once more, for a name made from them.
    level = da.from_array(data, chunks=chunks, asarray=True, name=False).astype(dtype)
    thin = kind in ("closed", "cells")
    levels, factor = [level], 1
    while max(level.shape[-2:]) > _COARSEST and min(level.shape[-2:]) >= 4:
        factor *= 2
        if thin:
            level = level[..., ::2, ::2]
        else:
            level = da.coarsen(
                np.mean, level, {level.ndim - 2: 2, level.ndim - 1: 2}, trim_excess=True
            )
            if dtype.kind in "iu":
                level = da.rint(level)
            level = level.astype(dtype)
        levels.append(level)

    spatial = dict(zip("zyx", voxel_size, strict=True))
    places = dict(zip("zyx", translate, strict=True))
    letters = {"i": "t" if "t" not in axes else "c"}
    named = [_axis(letters.get(letter, letter), spatial.get(letter)) for letter in axes]
    if [axis["name"] for axis in named[:2]] == ["c", "t"]:
        levels, named = (
            [da.swapaxes(part, 0, 1) for part in levels],
            [named[1], named[0], *named[2:]],
        )
        axes = axes[1] + axes[0] + axes[2:]
    transformations = []
    for step in (2**i for i in range(len(levels))):
        scale, shift = [], []
        for letter in axes:
            side, in_plane = spatial.get(letter), letter in "yx"
            scale.append((side or 1.0) * (step if in_plane else 1))
            # An averaged pixel's centre lies between those it was made of.
            moved = (step - 1) / 2 * (side or 1.0) if in_plane and not thin else 0.0
            shift.append((places.get(letter, 0.0) if side else 0.0) + moved)
        transformations.append(
            [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        )
    group = zarr.open_group(path.absolute(), mode="w", zarr_format=3)
    block = (*(1 for _ in levels[0].shape[:-2]), _CHUNK, _CHUNK)
    write_multiscale(
        levels,
        group,
        fmt=FormatV05(),
        axes=named,
        coordinate_transformations=transformations,
        storage_options=[
            {"chunks": tuple(min(b, n) for b, n in zip(block, part.shape, strict=True))}
            for part in levels
        ],
        name=name,
    )
    if kind == "cells":
        ome: Any = group.attrs["ome"]
        group.attrs["ome"] = {**ome, "image-label": {"version": "0.5"}}


def _axis(name: str, size: float | None) -> dict[str, str]:
    kind = {"t": "time", "c": "channel"}.get(name, "space")
    return {"name": name, "type": kind} | ({"unit": "micrometer"} if size is not None else {})
