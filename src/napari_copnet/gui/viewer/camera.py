"""Where the camera looks, and the widget that shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.viewer.world import pixel_sizes, to_data, to_world

# An item is shown with so much around it: pixels, or times its own size, whichever is more.
AROUND_PX, AROUND = 140.0, 3.0


@dataclass(frozen=True)
class View:
    """Where a viewer looks: point of the dims, centre and zoom of the camera."""

    point: tuple[float, ...]
    centre: tuple[float, ...]
    zoom: float

    @classmethod
    def of(cls, viewer: Any) -> View:
        """Return where it looks now."""
        camera = camera_of(viewer)
        return cls(tuple(viewer.dims.point), tuple(camera.center), float(camera.zoom))

    def restore(self, viewer: Any) -> None:
        """Look there again."""
        # Other layers may have more axes or fewer than there were.
        count = min(len(self.point), viewer.dims.ndim)
        for axis, value in enumerate(self.point[-count:], start=viewer.dims.ndim - count):
            viewer.dims.set_point(axis, value)
        camera = camera_of(viewer)
        camera.center, camera.zoom = self.centre, self.zoom


@contextlib.contextmanager
def held_view(viewer: Any, layer: Any) -> Iterator[None]:
    """Look at the same pixels of a layer after it was scaled or moved inside."""
    camera, first = camera_of(viewer), viewer.dims.ndim - layer.ndim
    point = np.asarray(viewer.dims.point, float)[first:]
    at = to_data(viewer, layer, point)
    centre = np.array(point)
    centre[-2:] = np.asarray(camera.center, float)[-2:]
    middle, size = to_data(viewer, layer, centre), pixel_sizes(viewer, layer)[-1]
    zoom = float(camera.zoom)
    yield
    for axis, value in enumerate(to_world(viewer, layer, at)):
        viewer.dims.set_point(first + axis, float(value))
    world = to_world(viewer, layer, middle)
    camera.center = (*np.asarray(camera.center, float)[:-2], *world[-2:])
    camera.zoom = zoom * size / pixel_sizes(viewer, layer)[-1]


def is_in_view(viewer: Any, layer: Any, point: tuple[float, float], canvas: QWidget | None) -> bool:
    """Whether a pixel (y, x) of a layer lies well inside what the canvas shows."""
    if canvas is None:
        return False
    camera = camera_of(viewer)
    world = to_world(viewer, layer, (0, *point))[-2:]
    away = np.abs(world - np.asarray(camera.center, float)[-2:]) * camera.zoom
    return bool((away < 0.4 * np.array([canvas.height(), canvas.width()])).all())


def show_some_slice(viewer: Any, layer: Any) -> None:
    """Go to the middle of a layer of which no slice is in view: it has fewer, or lies elsewhere."""
    if layer.ndim < 3 or len(viewer.dims.point) < layer.ndim:
        return
    depth = layer.data.shape[-3]
    z = float(to_data(viewer, layer, viewer.dims.point)[-3])
    if not -0.5 <= z <= depth - 0.5:
        fly_to(viewer, layer, depth // 2, None, 0, None)


def fly_to(
    viewer: Any,
    layer: Any,
    z: int,
    centre: tuple[float, float] | None,
    size: float,
    canvas: QWidget | None,
) -> None:
    """Show a place of a layer with axes (Z, Y, X).

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari layer
    z : int
    centre : (y, x) or None
        In pixels of the layer; None changes the slice only.
    size : float
        Of what lies there, pixels.
    canvas : QWidget or None
        Tells how many pixels there are on the screen.
    """
    middle = centre if centre is not None else (0.0, 0.0)
    world = to_world(viewer, layer, (z, *middle))
    viewer.dims.set_point(viewer.dims.ndim - 3, float(world[-3]))
    if centre is None:
        return
    camera = camera_of(viewer)
    camera.center = (0.0, float(world[-2]), float(world[-1]))
    room = min(canvas.width(), canvas.height()) if canvas is not None else 600
    extent = max(AROUND_PX, AROUND * size) * float(max(pixel_sizes(viewer, layer)[-2:]))
    camera.zoom = max(room, 50) / extent
