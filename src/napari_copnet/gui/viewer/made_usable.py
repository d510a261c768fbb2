"""Layers that can't be segmented as they are, and the one step after which they can.

A colour image is made grey, an axis of length 1 is left out, one of several time points or channels
is picked, and separate slices are stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

from napari_copnet.gui.viewer.layer_source import frame_of, is_usable
from napari_copnet.io.arrange import luminance
from napari_copnet.io.slice_folder import natural_order
from napari_copnet.lazy_array import LazyArray, is_in_memory

_TIME_NAMES = {"t", "time", "frame", "frames"}
_CHANNEL_NAMES = {"c", "channel", "channels"}


@dataclass(frozen=True)
class Way:
    """How layers become one that can be segmented.

    Attributes
    ----------
    why : str
        A sentence: why they can't be segmented as they are.
    button : str
        What to press, such as ``"Make grey"``.
    layers : tuple of layers
        Which are hidden afterwards.
    make : callable
        Returns the new image layer.
    """

    why: str
    button: str
    layers: tuple[Any, ...]
    make: Callable[[], Image]

    def hint(self) -> str:
        """Return what to do, as a sentence."""
        return f"Press {self.button}."


def way_of(layer: Any, step: Sequence[int]) -> Way | None:
    """Return how an image layer can be made usable; None where it is usable, or no image.

    Parameters
    ----------
    layer : napari layer
    step : sequence of int
        What is in view along the axes of the layer: of several time points that is picked.
    """
    if not isinstance(layer, Image) or is_usable(layer) or "copnet" in layer.metadata:
        return None
    data = layer.data[0] if layer.multiscale else layer.data
    shape = tuple(int(n) for n in data.shape)
    name = layer.name
    if layer.rgb:
        return Way(
            f"{name} is a colour image.", "Make grey", (layer,), lambda: _grey(layer, data, shape)
        )
    single = [axis for axis, n in enumerate(shape[:-2]) if n == 1]
    count = len(shape)
    if single and count > 3:
        gone = single[: count - 3]
        axes = "an axis" if len(gone) == 1 else f"{len(gone)} axes"
        return Way(
            f"{name} has {count} axes ({' × '.join(map(str, shape))}), and networks take z, y, x.",
            f"Leave out {axes} of length 1",
            (layer,),
            lambda: _picked(layer, data, dict.fromkeys(gone, 0), name),
        )
    if count > 3:
        at = {axis: _position(step, axis, count, shape) for axis in range(count - 3)}
        what = [_axis_name(layer, axis) for axis in at]
        chosen = ", ".join(
            f"{word} {index + 1} of {shape[axis]}"
            for word, (axis, index) in zip(what, at.items(), strict=True)
        )
        return Way(
            f"{name} has {count} axes ({' × '.join(map(str, shape))}), and networks take z, y, x: "
            "move the slider to what you want.",
            f"Use {chosen}",
            (layer,),
            lambda: _picked(layer, data, at, f"{name}, {chosen.split(' of ')[0]}"),
        )
    return None


def loose_slices(layers: Sequence[Any]) -> Way | None:
    """Return how single images of one size become a stack; None where there are not several."""
    flat = [one for one in layers if is_usable(one) and one.ndim == 2 and not one.multiscale]
    kinds: dict[tuple[Any, ...], list[Any]] = {}
    for one in flat:
        kinds.setdefault((one.data.shape, np.dtype(one.dtype)), []).append(one)
    most = max(kinds.values(), key=len, default=[])
    if len(most) < 2:
        return None
    ordered = tuple(sorted(most, key=lambda one: natural_order(one.name)))
    return Way(
        f"{len(ordered)} images of {' × '.join(map(str, ordered[0].data.shape))} px are separate "
        f"slices, from {ordered[0].name} to {ordered[-1].name}.",
        "Stack them",
        ordered,
        lambda: _stacked(ordered),
    )


def take(viewer: Any, way: Way) -> Image:
    """Make the new layer, add it and hide what it was made from; return it."""
    layer = way.make()
    for old in way.layers:
        old.visible = False
    viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    return layer


def _position(step: Sequence[int], axis: int, count: int, shape: tuple[int, ...]) -> int:
    """Return the viewer's position along an axis of a layer, which has the last axes."""
    at = len(step) - count + axis
    return int(np.clip(step[at], 0, shape[axis] - 1)) if at >= 0 else 0


def _axis_name(layer: Any, axis: int) -> str:
    name = str(layer.axis_labels[axis]).lower()
    if name in _CHANNEL_NAMES:
        return "channel"
    if name in _TIME_NAMES or axis == 0:
        return "time point"
    return "position"


def _grey(layer: Any, data: Any, shape: tuple[int, ...]) -> Image:
    kind = np.dtype(data.dtype)
    if is_in_memory(data):
        flat = np.empty(shape[:-1], kind)
        for at in np.ndindex(shape[:-3]):
            flat[at] = luminance(np.asarray(data[at]))
        grey: Any = flat
    elif len(shape) == 3:
        grey = luminance(np.asarray(data)).astype(kind)
    else:
        grey = LazyArray(shape[:-1], kind, lambda *at: luminance(np.asarray(data[at])))
    return _image(grey, frame_of(layer), f"{layer.name}, grey")


def _picked(layer: Any, data: Any, at: dict[int, int], name: str) -> Image:
    """Return one position along some axes."""
    count = len(data.shape)
    kept = [axis for axis in range(count) if axis not in at]
    frame = {
        "scale": layer.scale[kept],
        "translate": layer.translate[kept],
        "units": tuple(str(layer.units[axis]) for axis in kept),
        "axis_labels": tuple(layer.axis_labels[axis] for axis in kept),
    }

    def index(inner: tuple[int, ...]) -> tuple[int, ...]:
        rest = iter(inner)
        return tuple(at[axis] if axis in at else next(rest) for axis in range(count - 2))

    if is_in_memory(data):
        part: Any = data[tuple(at.get(axis, slice(None)) for axis in range(count))]
    else:
        shape = tuple(int(data.shape[axis]) for axis in kept)
        part = LazyArray(shape, data.dtype, lambda *inner: np.asarray(data[index(inner)]))
    return _image(part, frame, name)


def _stacked(layers: tuple[Any, ...]) -> Image:
    first = layers[0]
    data = np.stack([np.asarray(one.data) for one in layers])
    frame = frame_of(first)
    frame = {
        "scale": (1.0, *frame["scale"]),
        "translate": (0.0, *frame["translate"]),
        "units": ("pixel", *frame["units"]),
        "axis_labels": ("z", *frame["axis_labels"]),
    }
    return _image(data, frame, f"{first.name} to {layers[-1].name}")


def _image(data: Any, frame: dict[str, Any], name: str) -> Image:
    """Return an image layer with contrast limits that suit its middle slice."""
    middle = data
    while middle.ndim > 2:
        middle = np.asarray(middle[middle.shape[0] // 2])
    low, high = (float(v) for v in np.nanpercentile(np.asarray(middle), (0.5, 99.5)))
    limits = (low, high if high > low else low + 1)
    return Image(data, name=name, contrast_limits=limits, rgb=False, **frame)
