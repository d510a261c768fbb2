"""MRC and CCP4 maps, whose sizes are in Å."""

from __future__ import annotations

import bz2
import gzip
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, in_micrometres, is_lazy, need_memory, positive
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import VoxelSize

# The most that deflate can pack into a byte, and bytes of an extended header.
_MOST_PACKED, _MOST_EXTENDED = 1032, 256 << 20
_MODES = {0: "i1", 1: "i2", 2: "f4", 3: "c4", 4: "c8", 6: "u2", 12: "f2"}


def read_mrc(path: Path) -> Raw:
    """Read an MRC file; one that is compressed is loaded whole.

    Raises
    ------
    InputError
        Damaged, truncated, complex, or larger than memory and compressed.
    """
    import mrcfile

    packed = path.suffix.lower() in (".gz", ".bz2")
    with damage_explained(path):
        _check_header(path, packed)
        with mrcfile.open(path, mode="r", permissive=False, header_only=True) as mrc:
            header = mrc.header
            shape = tuple(int(header[name]) for name in ("nz", "ny", "nx"))
            mode, extended = int(header.mode), int(header.nsymbt)
            order = tuple(int(header[name]) for name in ("mapc", "mapr", "maps"))
            size, translate, notes = _frame(header, path)
        if mode in (3, 4):
            raise InputError(
                f"{path.name} holds complex numbers, not grey values.",
                "Save it with real-valued grey levels.",
            )
        if mode not in _MODES:
            raise InputError(f"{path.name} has the unknown MRC mode {mode}.", "Save it as TIFF.")
        if order not in ((1, 2, 3), (0, 0, 0)):
            raise InputError(
                f"{path.name} stores its axes in the order {order}.",
                "Save it with the usual order x, y, z.",
            )
        declared = math.prod(shape) * np.dtype(_MODES[mode]).itemsize
        if not packed and 1024 + extended + declared > path.stat().st_size:
            raise _truncated(path, declared)
        data: Any
        if packed or not is_lazy(shape, _MODES[mode]):
            if packed and declared > _MOST_PACKED * path.stat().st_size:
                raise _truncated(path, declared)
            need_memory(2 * declared, path.name)
            with mrcfile.open(path, mode="r", permissive=False) as mrc:
                data = np.array(mrc.data)
        else:
            with mrcfile.mmap(path, mode="r", permissive=False) as mrc:
                data = _lazy(path, mrc.data.shape, mrc.data.dtype, 1024 + extended)
        if isinstance(data, np.ndarray) and not data.dtype.isnative:
            data = data.astype(data.dtype.newbyteorder("="))
    axes = {2: "YX", 3: "ZYX", 4: "QZYX"}[data.ndim]
    return Raw(data, axes, size, translate, notes)


def _check_header(path: Path, packed: bool) -> None:
    """Check what a header says of itself, before anything is made as large."""
    opened: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix.lower(), open)
    with opened(path, "rb") as file:
        head = file.read(1024)
    # Either byte order may be meant; of an honest header one reading is small.
    readings = (struct.unpack_from(order + "i", head, 92)[0] for order in "<>")
    extended = min((n for n in readings if n >= 0), default=-1)
    most = (_MOST_PACKED if packed else 1) * path.stat().st_size
    if not 0 <= 1024 + extended <= most or extended > _MOST_EXTENDED:
        raise _truncated(path, max(extended, 0))


def _truncated(path: Path, declared: int) -> InputError:
    return InputError(
        f"{path.name} is truncated or damaged: it declares {declared / 1e6:.1f} MB, "
        "but the file is shorter.",
        "Copy or export the file again.",
    )


def _lazy(path: Path, shape: tuple[int, ...], dtype: np.dtype, start: int) -> LazyArray:
    """Return the array that begins at a byte of a file, each slice read when it is asked for.

    Mapped into memory instead, slices that were read would count as memory of the process.
    """
    side = math.prod(shape[-2:])

    def plane(*at: int) -> np.ndarray:
        number = int(np.ravel_multi_index(at, shape[:-2])) if at else 0
        offset = start + number * side * dtype.itemsize
        with damage_explained(path):
            return np.fromfile(path, dtype, side, offset=offset).reshape(shape[-2:])

    return LazyArray(shape, dtype.newbyteorder("="), plane)


def _frame(
    header: Any, path: Path
) -> tuple[VoxelSize, tuple[float, float, float], tuple[str, ...]]:
    sides = [
        float(header.cella[letter]) / int(header[f"m{letter}"]) if header[f"m{letter}"] else 0.0
        for letter in "zyx"
    ]
    if all(side == 1.0 for side in sides):
        # What IMOD and others write when the size was never set; no microscope of this kind
        # has voxels of 0.1 nm.
        return (
            VoxelSize(),
            (0.0, 0.0, 0.0),
            (f"The voxel size of 1 Å in {path.name} was ignored.",),
        )
    size = VoxelSize(*(positive(_from_angstrom(side)) for side in sides))
    z, y, x = (_from_angstrom(float(header.origin[letter])) for letter in "zyx")
    return size, (z, y, x), ()


def _from_angstrom(value: float) -> float:
    """Return a float32 length in µm as the decimal number it was made from."""
    return float(f"{in_micrometres(value, 'Å') or 0.0:.6g}") + 0.0
