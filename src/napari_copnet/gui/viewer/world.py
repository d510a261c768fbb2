"""From a place in a viewer to the pixels of a layer, and back, whatever units layers have.

napari gives a viewer the smallest unit of its layers: one in nm among others in µm, and positions
of the viewer, its sliders, its mouse and its camera are in nm. A layer's own transforms know
nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def units_per_world(viewer: Any, layer: Any) -> np.ndarray:
    """Return how many units of a layer one unit of the viewer is, along each axis of the layer."""
    world = getattr(viewer.dims, "units", None)
    mine = tuple(layer.units)
    # Without units that fit each other napari takes all numbers as they are.
    if world is None or len(world) < len(mine):
        return np.ones(len(mine))
    return unit_ratio(tuple(world)[-len(mine) :], mine)


def unit_ratio(units: Sequence[Any], others: Sequence[Any]) -> np.ndarray:
    """Return how many of some units each of others is; 1 where the two can't be compared."""
    found = np.ones(len(units))
    for axis, (one, other) in enumerate(zip(units, others, strict=True)):
        if one is not other and str(one) != str(other) and (1 * one).check(other):
            found[axis] = (1 * one).to(str(other)).magnitude
    return found


def to_data(viewer: Any, layer: Any, position: Any) -> np.ndarray:
    """Return a position of a viewer in pixels of a layer.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari layer
    position : sequence of float
        Such as `viewer.dims.point`; its last axes are those of the layer.

    Returns
    -------
    ndarray, shape (axes of the layer,), float64
    """
    place = np.asarray(position, float)[-layer.ndim :]
    return np.asarray(layer.world_to_data(place * units_per_world(viewer, layer)), float)


def to_world(viewer: Any, layer: Any, point: Any) -> np.ndarray:
    """Return pixels of a layer, shape (axes of the layer,), as a position of a viewer."""
    return np.asarray(layer.data_to_world(point), float) / units_per_world(viewer, layer)


def pixel_sizes(viewer: Any, layer: Any) -> np.ndarray:
    """Return the size of a layer's pixels in units of a viewer, along each of its axes."""
    return np.abs(np.asarray(layer.scale, float)) / units_per_world(viewer, layer)
