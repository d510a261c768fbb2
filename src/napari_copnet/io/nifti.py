"""NIfTI, whose axes are x, y, z, t on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError, OutputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, in_micrometres, is_lazy, need_memory
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import VoxelSize

# The most that deflate can pack into a byte.
_MOST_PACKED = 1032


def read_nifti(path: Path) -> Raw:
    """Read a NIfTI file; one that is gzipped is loaded whole.

    Raises
    ------
    InputError
        Damaged, truncated, or larger than memory and gzipped.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    with damage_explained(path, ImageFileError, HeaderDataError, WrapStructError):
        image: Any = nibabel.load(path, mmap=False)
        if not isinstance(image, nibabel.Nifti1Image | nibabel.Nifti1Pair):
            raise InputError(f"{path.name} is not a NIfTI image.", "Save it as TIFF.")
        for holder in image.file_map.values():
            if holder.filename and not Path(holder.filename).is_file():
                raise InputError(f"{Path(holder.filename).name} is not a file.", "Save it as TIFF.")
        proxy: Any = image.dataobj
        shape = tuple(int(n) for n in proxy.shape)
        if len(shape) > 5:
            raise InputError(f"{path.name} has {len(shape)} axes.", "Save a single image from it.")
        # A header may scale the values.
        scaled = (proxy.slope, proxy.inter) != (1.0, 0.0)
        dtype = np.dtype(np.float32) if scaled else proxy.dtype.newbyteorder("=")
        packed = path.name.lower().endswith(".gz")
        declared = int(np.prod(shape, dtype=object)) * proxy.dtype.itemsize
        held = path.stat().st_size * (_MOST_PACKED if packed else 1)
        if isinstance(image, nibabel.Nifti1Image) and declared > held:
            raise InputError(
                f"{path.name} is truncated: it declares {declared / 1e6:.1f} MB of pixels, "
                "but the file is shorter.",
                "Copy or export the file again.",
            )
        axes = "XYZTC"[: len(shape)][::-1]
        size, translate, notes = _frame(image, path)
        data: Any
        if packed or not is_lazy(shape, dtype) or len(shape) < 2:
            need_memory(2 * declared, path.name)
            data = np.ascontiguousarray(np.asarray(proxy[...]).astype(dtype, copy=False).T)
        else:
            data = LazyArray(
                shape[::-1],
                dtype,
                lambda *at: np.asarray(proxy[(slice(None), slice(None), *at[::-1])]).T,
            )
        return Raw(data, axes, size, translate, notes)


def _frame(image: Any, path: Path) -> tuple[VoxelSize, tuple[float, float, float], tuple[str, ...]]:
    nothing = (0.0, 0.0, 0.0)
    zooms = [float(zoom) for zoom in image.header.get_zooms()[:3]]
    zooms += [0.0] * (3 - len(zooms))
    unit = image.header.get_xyzt_units()[0]
    if unit == "unknown":
        if all(zoom in (0.0, 1.0) for zoom in zooms):
            return VoxelSize(), nothing, ()
        return (
            VoxelSize(),
            nothing,
            (f"{path.name} gives a voxel size without a unit, which was ignored.",),
        )
    if unit != "micron" and all(zoom == 1.0 for zoom in zooms):
        # What ITK writes when no spacing was ever set.
        return VoxelSize(), nothing, (f"The voxel size of 1 {unit} in {path.name} was ignored.",)
    sizes = [_exact(in_micrometres(zoom, unit)) or None for zoom in zooms]
    size = VoxelSize(*sizes[::-1])
    affine = np.asarray(image.affine, float)
    turned = affine[:3, :3] - np.diag(np.diag(affine[:3, :3]))
    if np.any(np.abs(turned) > 1e-6 * np.abs(affine[:3, :3]).max()):
        return size, nothing, (f"The rotation stored in {path.name} was ignored.",)
    # Along the array's own axes: ITK stores x and y with their signs turned.
    places = [
        _exact(in_micrometres(np.sign(affine[i, i]) * affine[i, 3], unit)) + 0.0 for i in range(3)
    ]
    return size, (places[2], places[1], places[0]), ()


def _exact(value: float | None) -> float:
    """Return a float32 value as the decimal number it was made from."""
    return float(f"{value:.7g}") if value is not None else 0.0


def write_nifti(
    path: Path,
    data: Any,
    axes: str,
    voxel_size: VoxelSize,
    translate: tuple[float, float, float],
    dtype: np.dtype,
) -> None:
    """Write an array of shape (Z, Y, X) or (I, Z, Y, X); x and y as ITK has them (LPS).

    The unit belongs to the whole header, so sizes are written when all that exist are known.

    Raises
    ------
    OutputError
        A type that NIfTI does not hold.
    """
    import nibabel

    whole = np.asarray(data).astype(dtype, copy=False)
    if axes.endswith("tyx"):
        whole = np.expand_dims(whole, -3)
    known = voxel_size.in_plane_known if axes.endswith("tyx") else voxel_size.known
    sizes = [size if known and size is not None else 1.0 for size in voxel_size[::-1]]
    signs = (-1.0, -1.0, 1.0)
    affine = np.diag([*(s * n for s, n in zip(signs, sizes, strict=True)), 1.0])
    if known:
        affine[:3, 3] = [s * t for s, t in zip(signs, translate[::-1], strict=True)]
    kind: Any = nibabel.Nifti2Image if max(whole.shape) > 32767 else nibabel.Nifti1Image
    try:
        image = kind(whole.T, affine, dtype=dtype)
    except nibabel.spatialimages.HeaderDataError as error:
        raise OutputError(
            f"NIfTI does not hold values of type {dtype}.", "Choose tiff or ome-zarr."
        ) from error
    image.header.set_xyzt_units("micron" if known else "unknown")
    nibabel.save(image, path)
