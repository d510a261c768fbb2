"""Open stacks, run folders and sessions. Nothing heavy is imported before a file is opened."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_copnet.types import Stack

LayerTuple = tuple[Any, dict[str, Any], str]
Reader = Callable[[Any], list[LayerTuple]]

_LABEL_BYTES = 4
# The return value by which napari learns that there is nothing to add.
NO_LAYERS: list[Any] = [(None,)]


def get_stack_reader(path: str | list[str] = "") -> Reader | None:
    """Return a reader for a single file that looks like a stack, else None.

    Without a path, as from the palette, ask for a file.
    """
    if not path:
        from napari_copnet.gui.commands import ask_for_file

        ask_for_file()
    return beside(read_file) if isinstance(path, str) and Path(path).is_file() else None


def get_folder_reader(path: str | list[str] = "") -> Reader | None:
    """Return a reader for a session, a run's folder, an OME-Zarr or a folder of slices, or None.

    Without a path, as from the palette, ask for a folder.
    """
    if not path:
        from napari_copnet.gui.commands import ask_for_folder

        ask_for_folder()
        return None
    if not isinstance(path, str) or not Path(path).is_dir():
        return None
    folder = Path(path)
    if (folder / "session.json").is_file():
        return open_session
    if is_run(folder):
        return beside(read_run_folder)
    from napari_copnet.io.formats import PICTURE_SUFFIXES, TIFF_SUFFIXES

    names = [child.name.lower() for child in folder.iterdir()]
    if {"zarr.json", ".zgroup", ".zarray"} & set(names):
        return beside(read_file)
    pictures = TIFF_SUFFIXES + PICTURE_SUFFIXES
    return beside(read_file) if any(name.endswith(pictures) for name in names) else None


def beside(read: Reader) -> Reader:
    """Return a reader that does not stop a window.

    napari waits for readers. From a window that listens to its user, so by File > Open or a file
    that is dropped, the file is read in a thread and its layers come by themselves; a script gets
    them at once.
    """

    def reading(path: str) -> list[LayerTuple]:
        if "qtpy.QtWidgets" not in sys.modules:
            return read(path)
        from napari_copnet.gui.viewer.read_beside import read_beside, window_at_work

        viewer = window_at_work()
        if viewer is None:
            return read(path)
        read_beside(viewer, path, read)
        return NO_LAYERS

    return reading


def open_session(path: str) -> list[LayerTuple]:
    """Open a session in the proofreading dock, which adds its layers itself."""
    from qtpy.QtCore import QTimer

    from napari_copnet.gui.commands import open_proofreading

    # Once napari is done with reading.
    QTimer.singleShot(0, lambda: open_proofreading(path))
    return NO_LAYERS


def is_run(folder: Path) -> bool:
    """Return whether a folder holds what `copnet run` writes."""
    if not (folder / "run.json").is_file():
        return False
    from napari_copnet.errors import InputError
    from napari_copnet.runs.run_folder import read_run

    try:
        read_run(folder, thorough=False)
    except InputError:
        return False
    return True


def read_file(path: str) -> list[LayerTuple]:
    """Read a stack as an image, or as labels when it holds whole numbers of 32 bits or more.

    Raises
    ------
    InputError
        It can't be read, or can be read in more than one way.
    """
    from napari_copnet.errors import InputError, NeedsChoiceError
    from napari_copnet.io.read import read_stack

    try:
        stack = read_stack(path)
    except NeedsChoiceError as error:
        raise InputError(
            error.message,
            "Open it from the COp-Net dock, which asks how it is meant.",
        ) from error
    _say(stack.notes)
    kind = stack.data.dtype
    if kind.kind in "iu" and kind.itemsize >= _LABEL_BYTES:
        return [labels_tuple(stack.data, stack, stack.name)]
    return [image_tuple(stack)]


def read_run_folder(path: str) -> list[LayerTuple]:
    """Read a run: its image where it is still found, contours, iterations, closed and cells.

    Raises
    ------
    InputError
        A result is damaged, or the record of the run is.
    """
    from napari_copnet.io.read import read_iterations, read_stack
    from napari_copnet.runs.generation import read_generation
    from napari_copnet.runs.run_folder import read_run
    from napari_copnet.runs.united import is_united

    folder = Path(path)
    found = read_run(folder, thorough=False)
    record = read_generation(folder) or {}
    layers: list[LayerTuple] = []
    stacks = {name: read_stack(found[name]) for name in found if name not in ("iterations", "run")}
    first = next(iter(stacks.values()), None)
    shape = first.shape if first is not None else None
    image = _image_of(folder, record, shape)
    if image is not None:
        layers.append(image_tuple(image))
    if "contours" in stacks:
        layers.append(probability_tuple("contours", stacks["contours"], visible=False))
    if "iterations" in found:
        values = read_iterations(found["iterations"])
        like = first if first is not None else read_stack(found["iterations"])
        extra = {
            "changed": dict(enumerate(record.get("changed", []), start=1)),
            "unite": is_united(record),
            "cells": record.get("settings", {}).get("cells", {}),
        }
        layers.append(probability_tuple("iterations", like, values, visible=False, extra=extra))
    if "cells" in stacks:
        stack = stacks["cells"]
        layers.append(labels_tuple(stack.data, stack, role="cells", opacity=0.45))
    if "closed" in stacks:
        stack = stacks["closed"]
        layers.append(labels_tuple(stack.data, stack, role="closed", opacity=0.8))
    return layers


def placed(stack: Stack, lead: int = 0) -> dict[str, Any]:
    """Return the layer arguments of a stack's physical frame; unknown sizes stay in pixels.

    Parameters
    ----------
    stack : Stack
    lead : int
        Axes of iterations before z.
    """
    known = [size is not None for size in stack.voxel_size]
    return {
        "scale": (1.0,) * lead + tuple(1.0 if s is None else s for s in stack.voxel_size),
        "translate": (0.0,) * lead
        + tuple(t if there else 0.0 for t, there in zip(stack.translate, known, strict=True)),
        "units": ("pixel",) * lead + tuple("micrometer" if there else "pixel" for there in known),
        "axis_labels": ("iteration",) * lead + tuple(stack.axes),
    }


def image_tuple(stack: Stack) -> LayerTuple:
    """Return a stack as an image layer."""
    import numpy as np

    middle = np.asarray(stack.data[stack.shape[0] // 2])
    low, high = (float(v) for v in np.nanpercentile(middle, (0.5, 99.5)))
    limits = (low, high if high > low else low + 1)
    return (
        stack.data,
        {"name": stack.name, "contrast_limits": limits, **placed(stack)},
        "image",
    )


def probability_tuple(
    role: str,
    stack: Stack,
    values: Any = None,
    visible: bool = True,
    extra: dict[str, Any] | None = None,
) -> LayerTuple:
    """Return contour probability, by iteration when `values` are given, as an image layer."""
    from napari_copnet.gui.viewer.placed_layers import NAMES

    more: dict[str, Any] = {
        "name": NAMES[role],
        "colormap": "magma",
        "blending": "additive",
        "opacity": 0.8,
        "contrast_limits": (0, 1),
        "visible": visible,
        "metadata": {"copnet": {"role": role, **(extra or {})}},
    }
    if values is None:
        return stack.data, more | placed(stack), "image"
    return values, more | placed(stack, 1), "image"


def labels_tuple(
    data: Any, stack: Stack, name: str = "", role: str = "", **more: Any
) -> LayerTuple:
    """Return labels, or a mask for the role ``"closed"``, as a labels layer.

    It can be edited unless it is so large that it stays on disk.
    """
    import numpy as np

    from napari_copnet.gui.viewer.placed_layers import CONTOUR_COLOUR, NAMES
    from napari_copnet.io.raw import is_lazy

    more |= placed(stack) | {"name": name or NAMES[role]}
    if role:
        more["metadata"] = {"copnet": {"role": role}}
    if role == "closed":
        from napari.utils.colormaps import CyclicLabelColormap

        more["colormap"] = CyclicLabelColormap(
            colors=["transparent", CONTOUR_COLOUR, CONTOUR_COLOUR]
        )
    return data if is_lazy(data.shape, data.dtype) else np.asarray(data), more, "labels"


def _image_of(folder: Path, record: dict[str, Any], shape: Any) -> Stack | None:
    """Return the image of a run from its folder or from where it was read, if it fits."""
    from napari_copnet.errors import CopnetError
    from napari_copnet.io.formats import SUFFIXES
    from napari_copnet.runs.run_input import read_input

    # An image in the folder is as the networks saw it.
    places: list[tuple[Path, dict[str, Any]]] = [
        (folder / ("image" + suffix), {}) for suffix in SUFFIXES
    ]
    source = record.get("inputs", {}).get("stack", {}).get("path")
    if isinstance(source, str):
        places.append((Path(source), record))
    for place, how in places:
        if not place.exists():
            continue
        try:
            stack = read_input(place, how)
        except CopnetError as error:
            _say((f"The image of the run was not opened: {error}",))
            return None
        if shape is None or stack.shape == shape:
            return stack
    return None


def _say(notes: tuple[str, ...]) -> None:
    if notes:
        from napari.utils.notifications import show_info

        show_info("\n".join(notes))
