"""Read a stack in the background and add it to the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from napari.layers import Image

from napari_copnet.gui.background.first_layers import load_layers
from napari_copnet.gui.viewer.layer_source import SOURCE
from napari_copnet.io.read import read_stack
from napari_copnet.params import ReadParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import Stack


class Opened(NamedTuple):
    """An image layer that is in no viewer yet, and what the user shall be told of its file."""

    layer: Image
    notes: tuple[str, ...] = ()


def read(path: Path, params: ReadParams) -> Steps[Opened]:
    """Read a stack as a step, in a thread."""
    yield Progress("read", 0, 1, "files")
    load_layers()
    stack = read_stack(path, params)
    opened = Opened(image_layer(stack), stack.notes)
    yield Progress("read", 1, 1, "files")
    return opened


def image_layer(stack: Stack) -> Image:
    """Return an image layer with the stack's physical frame; unknown sizes stay in pixels."""
    sizes, names = stack.voxel_size, tuple(stack.axes)
    known = [size is not None for size in sizes]
    middle = np.asarray(stack.data[stack.shape[0] // 2])
    low, high = (float(v) for v in np.nanpercentile(middle, (0.5, 99.5)))
    return Image(
        stack.data,
        name=stack.name,
        scale=tuple(1.0 if size is None else size for size in sizes),
        translate=tuple(
            t if there else 0.0 for t, there in zip(stack.translate, known, strict=True)
        ),
        units=tuple("micrometer" if there else "pixel" for there in known),
        axis_labels=names,
        contrast_limits=(low, high if high > low else low + 1),
        metadata={} if stack.source is None else {SOURCE: str(stack.source)},
    )


def add_stack(viewer: Any, stack: Stack) -> Image:
    """Add a stack to the viewer and return its layer."""
    layer = image_layer(stack)
    viewer.add_layer(layer)
    return layer
