"""Save layers of napari as TIFF, OME-Zarr or NIfTI with their physical frame, whole or not."""

from __future__ import annotations

from typing import Any


def write_labels(path: str = "", data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Write a labels layer: the closed contour as a mask, anything else as cells in uint32.

    Without a path, as from the palette, ask for one for the labels layer that is selected.

    Raises
    ------
    OutputError
        An array that the format can't hold, or no permission or no space to write.
    """
    import numpy as np

    if not path or meta is None:
        return _ask("labels")
    kind = "closed" if _role(meta) == "closed" else "cells"
    data = np.asarray(data)
    if kind == "cells" and data.size and int(data.min()) >= 0 and int(data.max()) < 2**32:
        data = data.astype(np.uint32, copy=False)
    return _write(path, data, meta, kind)


def write_image(path: str = "", data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Write an image layer, such as contour probability or iterations.

    Without a path, as from the palette, ask for one for the image layer that is selected.

    Raises
    ------
    OutputError
        A colour image, an array that the format can't hold, or no permission or no space to write.
    """
    from napari_copnet.errors import OutputError

    if not path or meta is None:
        return _ask("image")
    if meta.get("rgb"):
        raise OutputError(
            "A colour image can't be written as a stack.", "Convert it to grey first."
        )
    role = _role(meta)
    kinds = {"contours": "contours", "iterations": "iterations"}
    return _write(path, data, meta, kinds.get(role, "image"))


def _write(path: str, data: Any, meta: dict[str, Any], kind: str) -> list[str]:
    import pint

    from napari_copnet.io.write import write_image as write
    from napari_copnet.types import VoxelSize

    if isinstance(data, list | tuple):  # a pyramid: its finest level
        data = data[0]
    missing = max(0, 3 - data.ndim)
    data = data[None] if missing == 1 else data
    count = len(meta.get("scale", ()))
    units = [str(unit) for unit in meta.get("units") or ("pixel",) * count]
    measure = pint.Quantity
    sizes: list[float | None] = [None] * 3
    places = [0.0] * 3
    # The last three axes are z, y, x; a single image has no z.
    for axis in range(-1, -min(count, 3) - 1, -1):
        factor = measure(1, units[axis])
        if factor.check("[length]"):
            micrometres = float(factor.to("micrometer").magnitude)
            sizes[axis] = float(meta["scale"][axis]) * micrometres
            places[axis] = float(meta["translate"][axis]) * micrometres
    names = [str(name).lower() for name in meta.get("axis_labels") or ()]
    is_time = count >= 3 and names[-3:-2] in (["t"], ["time"], ["frame"], ["frames"])
    written = write(
        path,
        data,
        voxel_size=VoxelSize(*sizes),
        translate=(places[0], places[1], places[2]),
        axes="tyx" if is_time else "zyx",
        kind=kind,
    )
    return [str(written)]


def _ask(kind: str) -> list[str]:
    """Ask where to save the selected layer of a kind, and save it there."""
    import napari
    from napari.utils.notifications import show_warning
    from qtpy.QtWidgets import QFileDialog

    viewer = napari.current_viewer()
    chosen = [] if viewer is None else list(viewer.layers.selection)
    layer = next((one for one in chosen if one.as_layer_data_tuple()[2] == kind), None)
    if layer is None:
        what = "a labels layer" if kind == "labels" else "an image layer"
        show_warning(f"Select {what} in the layer list first.")
        return []
    path, _ = QFileDialog.getSaveFileName(
        None,
        f"Save {layer.name}",
        f"{layer.name}.tif",
        "Stacks (*.tif *.tiff *.zarr *.nii *.nii.gz)",
    )
    if not path:
        return []
    data, meta, _ = layer.as_layer_data_tuple()
    return (write_labels if kind == "labels" else write_image)(path, data, meta)


def _role(meta: dict[str, Any]) -> str:
    mine = (meta.get("metadata") or {}).get("copnet") or {}
    return str(mine.get("role", ""))
