"""What a format module returns: the array as stored, and the meaning of its axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil

from napari_copnet.errors import InputError
from napari_copnet.types import VoxelSize

# Larger arrays stay on disk and are read slice by slice.
LAZY_BYTES = 512 * 2**20
_lazy_bytes: ContextVar[int | None] = ContextVar("lazy bytes", default=None)

# Micrometres in a unit, by the names that TIFF, OME, NIfTI and NGFF metadata use.
_MICROMETRES = {
    "Å": 1e-4, "angstrom": 1e-4, "a": 1e-4, "pm": 1e-6, "picometer": 1e-6,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "nanometers": 1e-3,
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0,
    "\\u00b5m": 1.0, "\\u03bcm": 1.0,  # as ImageJ escapes them
    "micrometer": 1.0, "micrometre": 1.0, "micrometers": 1.0,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "millimeters": 1e3,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
}  # fmt: skip


@dataclass(frozen=True)
class Raw:
    """An image as a file holds it.

    Attributes
    ----------
    data : array
        Indexable with integers and slices; eager or lazy.
    axes : str
        One letter an axis: X, Y, Z, T, C, S (colour samples), or Q for an axis without meaning.
    voxel_size : VoxelSize
        In µm.
    translate : tuple of float
        In µm along z, y, x.
    notes : tuple of str
        Sentences for the user.
    """

    data: Any
    axes: str
    voxel_size: VoxelSize = VoxelSize()
    translate: tuple[float, float, float] = (0.0, 0.0, 0.0)
    notes: tuple[str, ...] = ()

    def noting(self, *notes: str) -> Raw:
        """Return the same with further notes."""
        return replace(self, notes=(*self.notes, *notes))


def in_micrometres(value: Any, unit: str | None) -> float | None:
    """Return a length in µm, or None where the value or the unit is unknown or not a length.

    Units such as ``pixel`` or an empty one are unknown. Nine digits are kept, so that sizes
    stored as 32-bit ratios come back as they were given.
    """
    factor = _MICROMETRES.get((unit or "").strip()) or _MICROMETRES.get(
        (unit or "").strip().lower()
    )
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if factor is None or not math.isfinite(number):
        return None
    return float(f"{number * factor:.9g}")


def positive(value: float | None) -> float | None:
    """Return a size, or None where it is not a size."""
    return value if value is not None and value > 0 else None


def need_memory(count: int, what: str) -> None:
    """Raise before allocating `count` bytes that the machine does not have.

    Raises
    ------
    InputError
        Fewer bytes are free.
    """
    free = psutil.virtual_memory().available
    if count > free:
        raise InputError(
            f"{what} needs {count / 1e9:.1f} GB of memory, but only {free / 1e9:.1f} GB are free.",
            "Crop or downsample it, or use a machine with more memory.",
        )


def is_lazy(shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether an array is large enough to stay on disk."""
    most = _lazy_bytes.get()
    return math.prod(shape) * np.dtype(dtype).itemsize > (LAZY_BYTES if most is None else most)


@contextmanager
def lazy_above(most: int) -> Iterator[None]:
    """Leave arrays of more bytes than `most` on disk, for those who look at a few slices."""
    token = _lazy_bytes.set(most)
    try:
        yield
    finally:
        _lazy_bytes.reset(token)
