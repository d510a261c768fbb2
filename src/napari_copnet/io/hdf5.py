"""HDF5 images, such as ilastik and PlantSeg export, read slice by slice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, is_lazy, need_memory, positive
from napari_copnet.types import VoxelSize

# Where programs put what they made, in the order of preference: ilastik, PlantSeg.
_USUAL = ("exported_data", "predictions")
_MOST_NODES = 1000


def read_hdf5(path: Path) -> Raw:
    """Read the image in an HDF5 file; other files that it refers to are not opened.

    Parameters
    ----------
    path : Path
        With one image, or several of which one is named ``exported_data`` (ilastik) or
        ``predictions`` (PlantSeg).

    Returns
    -------
    Raw
        Axes by ilastik's ``axistags``, or unnamed; sizes by PlantSeg's ``element_size_um``.

    Raises
    ------
    InputError
        Damaged, without an image or with several, or one that lies in another file.
    """
    import h5py

    with damage_explained(path):
        file = h5py.File(path, "r")
        found: dict[str, Any] = {}
        _collect(h5py, file, "", found)
        if not found:
            raise InputError(
                f"{path.name} holds no image.", "Export it from ilastik again, or save it as TIFF."
            )
        name = next((name for name in _USUAL if name in found), None)
        if name is None and len(found) > 1:
            raise InputError(
                f"{path.name} holds several images: {', '.join(sorted(found)[:6])}.",
                "Save the one that you want as a separate file.",
            )
        array = found[name] if name is not None else next(iter(found.values()))
        _refuse_elsewhere(array, path)
        letters = _axes(array)
        chunk = array.chunks or array.shape[-2:]
        need_memory(
            int(np.prod(chunk, dtype=object)) * array.dtype.itemsize, f"One chunk of {path.name}"
        )
        sizes = array.attrs.get("element_size_um")
        size = VoxelSize()
        if sizes is not None and np.size(sizes) == 3:
            size = VoxelSize(*(positive(float(n)) for n in np.asarray(sizes)))
        data = array
        if not is_lazy(array.shape, array.dtype):
            data = np.asarray(array[...])
            file.close()
        return Raw(data, letters, size)


def _collect(h5py: Any, group: Any, prefix: str, found: dict[str, Any]) -> None:
    """Gather the images of a group and those in it; links to elsewhere are passed over."""
    for name in group:
        if len(found) >= _MOST_NODES:
            return
        # A soft or an external link may lead anywhere; what is there by right has a hard one.
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        node = group[name]
        if isinstance(node, h5py.Group):
            # Groups can contain themselves.
            if prefix.count("/") < 4:
                _collect(h5py, node, f"{prefix}{name}/", found)
        elif isinstance(node, h5py.Dataset) and node.ndim >= 2 and node.dtype.kind in "biuf":
            found[f"{prefix}{name}"] = node


def _refuse_elsewhere(array: Any, path: Path) -> None:
    if array.external or array.is_virtual:
        raise InputError(
            f"The image in {path.name} is stored in other files, which are not opened.",
            "Copy it into one file: export it again, or use h5repack.",
        )


def _axes(array: Any) -> str:
    """Return a letter for each axis, from ilastik's tags where there are any."""
    tags = array.attrs.get("axistags")
    if isinstance(tags, bytes):
        tags = tags.decode()
    if isinstance(tags, str):
        named = "".join(str(axis["key"]).upper() for axis in json.loads(tags)["axes"])
        if len(named) == array.ndim and not set(named) - set("TZCYX"):
            return named
    return "Q" * (array.ndim - 2) + "YX"
