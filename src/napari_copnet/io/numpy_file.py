"""Arrays that NumPy saved, and the ``_seg.npy`` of Cellpose, without running code from them."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.harmless_pickle import load_arrays
from napari_copnet.io.raw import Raw, is_lazy, need_memory

# NumPy makes room for as much as a header says it is long.
_LONGEST_HEADER = 1 << 20


def read_numpy(path: Path) -> Raw:
    """Read an array, or the masks of a Cellpose ``_seg.npy``.

    Raises
    ------
    InputError
        Damaged, or holding objects other than arrays.
    """
    # Python's own unpickling ends in a SystemError where it is given nonsense.
    with damage_explained(path, pickle.UnpicklingError, SystemError):
        with path.open("rb") as file:
            shape, dtype = _header(file)
            if dtype.hasobject:
                return _masks(load_arrays(file).get("masks"), path)
        data = np.load(path, mmap_mode="r" if is_lazy(shape, dtype) else None, allow_pickle=False)
        if data.ndim < 2:
            raise InputError(f"{path.name} holds no image.", "Give an array (z, y, x).")
        return Raw(data, "Q" * (data.ndim - 2) + "YX")


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        (length,) = struct.unpack("<I", file.read(4))
        if length > _LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        file.seek(-4, io.SEEK_CUR)
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if not dtype.hasobject:
        need_memory(0 if is_lazy(shape, dtype) else int(np.prod(shape)) * dtype.itemsize, "It")
    return shape, dtype


def _masks(masks: np.ndarray | None, path: Path) -> Raw:
    if masks is None or masks.dtype.kind not in "biu":
        raise InputError(
            f"{path.name} holds no Cellpose masks.", "Save the cells as a label image, as TIFF."
        )
    masks = masks.squeeze()
    if masks.ndim not in (2, 3):
        raise InputError(f"The masks in {path.name} have {masks.ndim} axes.", "Give z, y, x.")
    note = f"The Cellpose masks in {path.name} were read."
    return Raw(masks, "ZYX"[-masks.ndim :], notes=(note,))
