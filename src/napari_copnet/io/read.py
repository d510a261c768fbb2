"""Open an image stack of any known format."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.arrange import arrange
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, is_lazy, lazy_above
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import ReadParams, checked
from napari_copnet.types import Stack

_HINT = (
    "Give a TIFF, NIfTI, MRC or OME-Zarr stack, a folder of numbered slices, or a Cell Tracking "
    "Challenge sequence."
)
_MRC = (".mrc", ".mrcs", ".rec", ".map", ".st", ".ali", ".preali")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_stack(path: Path | str, params: ReadParams = ReadParams(), *, lazy: bool = False) -> Stack:
    """Open an image stack; a large one stays on disk and is read slice by slice.

    Parameters
    ----------
    path : path
        A TIFF (plain, ImageJ, OME), NIfTI or MRC file, an OME-Zarr folder (0.4 or 0.5), a folder
        of numbered slices, or a Cell Tracking Challenge sequence (``NAME/01``).
    params : ReadParams
        Settles what the file does not state.
    lazy : bool
        Leave a small one on disk, too. By default a stack of at most 512 MiB is read whole.
        Slices of gzipped NIfTI and MRC files can't be read separately, so these files are
        always read whole.

    Returns
    -------
    Stack
        Shape (Z, Y, X) in the type of the file; bool becomes uint8. Sizes that the file does not
        state are None.

    Raises
    ------
    InputError
        Missing, not an image, damaged, truncated, or too large for the machine.
    NeedsChoiceError
        Colour, channels, time with depth or unnamed axes; names the setting that settles it.
    """
    path = Path(path)
    checked(params)
    with _lazily(lazy):
        return arrange(_read_raw(path, params), params, path)


def read_image(path: Path | str, params: ReadParams = ReadParams(), *, lazy: bool = False) -> Stack:
    """Open labels or a mask: as `read_stack`, values and type as the file has them."""
    return read_stack(path, params, lazy=lazy)


def read_iterations(path: Path | str, *, lazy: bool = False) -> Any:
    """Read the contour probability by iteration that a run has kept.

    Parameters
    ----------
    path : path
    lazy : bool
        Leave a small one on disk too.

    Returns
    -------
    array, shape (I, Z, Y, X)
        Step 1 first. A large one stays on disk and is read slice by slice.

    Raises
    ------
    InputError
        As `read_stack`.
    """
    path = Path(path)
    with _lazily(lazy):
        raw = _read_raw(path, ReadParams())
    if set(raw.axes) - set("CTZYX") or not {"Y", "X"} <= set(raw.axes):
        raise InputError(
            f"{path.name} does not hold iterations: its axes are {raw.axes}.",
            "Choose a file written by a run.",
        )
    sizes = dict(zip(raw.axes, (int(n) for n in raw.data.shape), strict=True))
    first = "C" if "C" in sizes else "T"
    rest = [letter for letter in "TZ" if letter in sizes and letter != first]
    depths = [sizes[letter] for letter in rest]
    shape = (sizes.get(first, 1), math.prod(depths), sizes["Y"], sizes["X"])

    def plane(iteration: int, z: int) -> np.ndarray:
        inner = np.unravel_index(z, depths) if rest else ()
        at = {first: iteration, **{a: int(n) for a, n in zip(rest, inner, strict=True)}}
        with damage_explained(path):
            found = np.asarray(raw.data[tuple(at.get(a, slice(None)) for a in raw.axes)])
        return found if raw.axes.index("Y") < raw.axes.index("X") else found.T

    values = LazyArray(shape, raw.data.dtype, plane)
    return values if lazy or is_lazy(shape, values.dtype) else np.asarray(values)


def _lazily(lazy: bool) -> AbstractContextManager[None]:
    return lazy_above(0) if lazy else nullcontext()


def _read_raw(path: Path, params: ReadParams) -> Raw:
    if not path.exists():
        raise InputError(f"{path} does not exist.", "Check the name.")
    if path.is_dir():
        if any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
            from napari_copnet.io.omezarr import read_omezarr

            return read_omezarr(path)
        from napari_copnet.io.slice_folder import read_folder

        return read_folder(path, params)
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder.", _HINT)
    return read_file(path)


def read_file(path: Path) -> Raw:
    """Read a single file by its first bytes, not by its name."""
    head = _head(path)
    name = path.name.lower()
    if not head:
        raise InputError(f"{path.name} is empty.", "Copy or export it again.")
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        from napari_copnet.io.hdf5 import read_hdf5

        return read_hdf5(path)
    if head.startswith(b"\x93NUMPY"):
        from napari_copnet.io.numpy_file import read_numpy

        return read_numpy(path)
    if head[:4] in _TIFF:
        from napari_copnet.io.tiff import read_tiff

        return read_tiff(path)
    if name.endswith((".nii", ".nii.gz")) or head[344:348] in (b"n+1\0", b"ni1\0"):
        from napari_copnet.io.nifti import read_nifti

        return read_nifti(path)
    if head[208:211] == b"MAP" or name.removesuffix(".gz").removesuffix(".bz2").endswith(_MRC):
        from napari_copnet.io.mrc import read_mrc

        return read_mrc(path)
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")):
        from napari_copnet.io.slice_folder import read_picture

        return read_picture(path)
    raise InputError(f"{path.name} is not a readable image.", _HINT)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1024)
    except OSError as error:
        raise InputError(
            f"{path.name} can't be read: {error.strerror}.", "Check its permissions."
        ) from error
