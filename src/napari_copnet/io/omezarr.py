"""OME-Zarr 0.4 and 0.5 (and bare Zarr arrays), read slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, in_micrometres, is_lazy, need_memory, positive
from napari_copnet.types import VoxelSize
from napari_copnet.zarr_folder import InsideStore


def read_omezarr(path: Path) -> Raw:
    """Read the finest level of an OME-Zarr image, or a Zarr array.

    Raises
    ------
    InputError
        No image in it, damaged, or a level that lies outside the folder.
    """
    import zarr

    with damage_explained(path):
        store = InsideStore(path.absolute())
        node: Any = zarr.open(store, mode="r")
        if isinstance(node, zarr.Array):
            return _loaded(node, Raw(None, "Q" * (node.ndim - 2) + "YX"), path, store)
        image, multiscale, notes = _multiscale(node, path)
        dataset = multiscale["datasets"][0]
        name = str(dataset["path"])
        if ".." in Path(name).parts or Path(name).is_absolute() or ".." in name.split("\\"):
            raise InputError(
                f"{path.name} refers to a level outside its folder ({name}).", "Export it again."
            )
        array = image[name]
        if not isinstance(array, zarr.Array):
            raise InputError(f"The level {name} of {path.name} is missing.", "Export it again.")
        letters, units = _axes(multiscale, array.ndim)
        scale, shift = _transform(dataset, multiscale, array.ndim)
        sizes = {
            letter: positive(in_micrometres(s, unit))
            for letter, s, unit in zip(letters, scale, units, strict=True)
        }
        places = {
            letter: in_micrometres(t, unit) or 0.0
            for letter, t, unit in zip(letters, shift, units, strict=True)
        }
        size = VoxelSize(*(sizes.get(letter) for letter in "ZYX"))
        translate = (places.get("Z", 0.0), places.get("Y", 0.0), places.get("X", 0.0))
        return _loaded(array, Raw(None, letters, size, translate, notes), path, store)


def _multiscale(group: Any, path: Path) -> tuple[Any, dict[str, Any], tuple[str, ...]]:
    attributes = dict(group.attrs)
    metadata = attributes.get("ome", attributes)
    found = metadata.get("multiscales")
    if found:
        return group, found[0], ()
    if "0" in group and (metadata.get("bioformats2raw.layout") or metadata.get("series")):
        inner, multiscale, notes = _multiscale(group["0"], path)
        return inner, multiscale, (*notes, f"The first image in {path.name} was read.")
    raise InputError(
        f"{path.name} is a Zarr folder without an OME-Zarr image.",
        "Name the image inside it, such as labels/cells.",
    )


def _axes(multiscale: dict[str, Any], ndim: int) -> tuple[str, list[str | None]]:
    axes = multiscale.get("axes") or [*"tczyx"[-ndim:]]
    if len(axes) != ndim:
        raise ValueError("axes")
    named = [{"name": axis} if isinstance(axis, str) else axis for axis in axes]
    letters = "".join(
        name if (name := str(axis["name"]).upper()) in [*"TCZYX"] else "Q" for axis in named
    )
    return letters, [axis.get("unit") for axis in named]


def _transform(
    dataset: dict[str, Any], multiscale: dict[str, Any], ndim: int
) -> tuple[list[float], list[float]]:
    """Return scale and shift: the level's own transformations, then those of the whole image."""
    scale, shift = np.ones(ndim), np.zeros(ndim)
    for transformations in (dataset, multiscale):
        for step in transformations.get("coordinateTransformations") or ():
            if step.get("type") == "scale":
                scale = scale * np.asarray(step["scale"], float)
                shift = shift * np.asarray(step["scale"], float)
            elif step.get("type") == "translation":
                shift = shift + np.asarray(step["translation"], float)
    return scale.tolist(), shift.tolist()


def _loaded(array: Any, raw: Raw, path: Path, store: InsideStore) -> Raw:
    if array.dtype.kind not in "biuf":
        return Raw(array, raw.axes, raw.voxel_size, raw.translate, raw.notes)
    need_memory(
        2 * int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize,
        f"One chunk of {path.name}",
    )
    store.expect(array)
    data = array
    if not is_lazy(array.shape, array.dtype):
        data = np.asarray(array[...])
    return Raw(data, raw.axes, raw.voxel_size, raw.translate, raw.notes)
