"""MRC and CCP4 maps, whose sizes are in Å."""

from __future__ import annotations

import bz2
import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, in_micrometres, is_lazy, need_memory, positive
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import VoxelSize

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
# Of the header that IMOD and SerialEM write: their stamp, where it is in `extra2` in numbers of
# 4 bytes, and what the bits of the flags after it mean.
_IMOD = 1146047817
_STAMP_AT = (152 - 112) // 4
_SIGNED_BYTES, _STANDARD_ORIGIN, _FOUR_BITS = 1, 4, 16
# A side of more pixels is a number in the wrong byte order.
_MOST_SIDE = 2**24
# The most that deflate can pack into a byte, and bytes of an extended header.
_MOST_PACKED, _MOST_EXTENDED = 1032, 256 << 20
_MODES = {0: "i1", 1: "i2", 2: "f4", 3: "c4", 4: "c8", 6: "u2", 12: "f2"}


def read_mrc(path: Path) -> Raw:
    """Read an MRC file; one that is compressed is loaded whole.

    Older programs leave the map's name or the machine stamp out, or write stamps of their own: the
    byte order is the one in which the header makes sense.

    Raises
    ------
    InputError
        Damaged, truncated, complex, or larger than memory and compressed.
    """
    from mrcfile.utils import data_shape_from_header

    packed = path.suffix.lower() in _OPENERS
    with damage_explained(path):
        header = _header(path)
        size, translate, notes = _frame(header, path)
        dtype, further = _dtype(header, path)
        shape = tuple(int(n) for n in data_shape_from_header(header))
        extended = int(header.nsymbt)
        start = 1024 + extended
        declared = math.prod(shape) * dtype.itemsize
        # The most that the file can hold, checked before anything is made as large.
        most = (_MOST_PACKED if packed else 1) * path.stat().st_size
        if extended > _MOST_EXTENDED or start + declared > most:
            raise _truncated(path, declared)
        # Which of x, y, z (1, 2, 3) the columns, rows and sections are; older programs write zeros.
        order = [int(header[name]) for name in ("maps", "mapr", "mapc")]
        axes = "".join(" XYZ"[n] for n in order) if any(order) else "ZYX"
        if len(shape) == 2 and axes[0] != "Z":
            shape = (1, *shape)
        data: Any
        if packed or not is_lazy(shape, dtype):
            need_memory(2 * declared, path.name)
            with _opened(path) as file:
                file.seek(start)
                stored = file.read(declared)
            if len(stored) < declared:
                raise _truncated(path, declared)
            data = np.frombuffer(stored, dtype).reshape(shape).astype(dtype.newbyteorder("="))
        else:
            data = _lazy(path, shape, dtype, start)
    axes = {2: axes[1:], 3: axes, 4: f"Q{axes}"}[len(shape)]
    return Raw(data, axes, size, translate, (*notes, *further))


def _opened(path: Path) -> Any:
    return _OPENERS.get(path.suffix.lower(), open)(path, "rb")


def _truncated(path: Path, declared: int) -> InputError:
    return InputError(
        f"{path.name} is truncated or damaged: it declares {declared / 1e6:.1f} MB of pixels, "
        "but the file is shorter.",
        "Copy or export the file again.",
    )


def _header(path: Path) -> Any:
    """Return the header in the byte order in which it makes sense; its stamp's comes first."""
    from mrcfile.dtypes import HEADER_DTYPE

    with _opened(path) as file:
        first = file.read(1024)
    if len(first) < 1024:
        raise ValueError("The header is cut off.")
    plain = np.frombuffer(first, HEADER_DTYPE).reshape(()).view(np.recarray)
    orders = (">", "<") if first[212] == 0x11 else ("<", ">")
    for order in orders:
        header = plain.view(plain.dtype.newbyteorder(order))
        sides = [int(header[name]) for name in ("nx", "ny", "nz")]
        axes = sorted(int(header[name]) for name in ("mapc", "mapr", "maps"))
        if (
            min(sides) > 0
            and max(sides) < _MOST_SIDE
            and 0 <= int(header.mode) <= 1000
            and int(header.nsymbt) >= 0
            and axes in ([1, 2, 3], [0, 0, 0])
        ):
            return header
    raise ValueError("The header is invalid in either byte order.")


def _dtype(header: Any, path: Path) -> tuple[np.dtype, tuple[str, ...]]:
    """Return the type of the pixels, and what was assumed of it."""
    mode = int(header.mode)
    if mode in (3, 4):
        raise InputError(
            f"{path.name} holds complex numbers, not grey values.",
            "Save it with real-valued grey levels.",
        )
    stamp, flags = _imod(header)
    if mode == 101 or (mode == 0 and stamp and flags & _FOUR_BITS):
        raise InputError(
            f"{path.name} holds pixels of 4 bits, which are not supported.",
            "Save it with 8 bits a pixel (newstack -mode 0).",
        )
    if mode not in _MODES:
        raise InputError(f"{path.name} has the unknown MRC mode {mode}.", "Save it as TIFF.")
    dtype = np.dtype(_MODES[mode]).newbyteorder(header.dtype["mode"].byteorder)
    if mode != 0:
        return dtype, ()
    signed = _are_bytes_signed(header)
    if signed is None:
        return dtype, (
            f"{path.name} does not say whether its bytes are signed; they were read as signed.",
        )
    return dtype if signed else np.dtype(np.uint8), ()


def _imod(header: Any) -> tuple[bool, int]:
    """Return whether IMOD or SerialEM wrote the header, and their flags."""
    order = header.dtype["mode"].byteorder
    stamp, flags = np.frombuffer(bytes(header.extra2), f"{order}i4")[_STAMP_AT : _STAMP_AT + 2]
    return int(stamp) == _IMOD, int(flags)


def _are_bytes_signed(header: Any) -> bool | None:
    """Whether mode 0 means signed bytes, or None where nothing tells.

    The rules are those of IMOD (readBytesSigned in b3dutil.c), but for files that state a version
    of the standard of 2014, in which bytes are signed.
    """
    stamp, flags = _imod(header)
    if stamp:
        return bool(flags & _SIGNED_BYTES)
    if int(header.nversion) // 10 == 2014:
        return True
    low, high = float(header.dmin), float(header.dmax)
    if low < 0 <= high and high < 128:
        return True
    if low >= 0 and high >= 128:
        return False
    if low < 0 and high >= 128:
        return -low > high - 128
    return None


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
    stamp, flags = _imod(header)
    standard = int(header.nversion) // 10 == 2014 or not stamp or flags & _STANDARD_ORIGIN
    # IMOD's own origin is where the volume's zero lies, seen from the first pixel.
    sign = 1.0 if standard else -1.0
    z, y, x = (sign * _from_angstrom(float(header.origin[letter])) + 0.0 for letter in "zyx")
    return size, (z, y, x), ()


def _from_angstrom(value: float) -> float:
    """Return a float32 length in µm as the decimal number it was made from."""
    return float(f"{in_micrometres(value, 'Å') or 0.0:.6g}") + 0.0
