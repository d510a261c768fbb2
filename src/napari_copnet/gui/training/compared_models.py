"""Contours of two models on the slices they are compared on, side by side in the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image

from napari_copnet.gui.napari_compat.canvas_widget import repaint
from napari_copnet.gui.viewer.camera import fly_to
from napari_copnet.gui.viewer.dock_places import docked
from napari_copnet.gui.viewer.side_by_side import SideBySide
from napari_copnet.lazy_array import LazyArray
from napari_copnet.teaching.model_comparison import Comparison

ROLE = "compared"
OLD, NEW = 0, 1


class ComparedModels:
    """The second canvas with the contours of the new model, beside those of the old one.

    Parameters
    ----------
    viewer : napari.Viewer
    closed : callable
        Called when the user closes the second canvas.

    Attributes
    ----------
    layer : napari.layers.Image or None
        Shape (Z, Y, X): the closed contours of the old model; empty on slices that are not
        compared.
    """

    def __init__(self, viewer: Any, closed: Callable[[], None]) -> None:
        self.viewer = viewer
        self.layer: Any = None
        self._beside = SideBySide(viewer, closed)
        self._hidden: list[Any] = []

    @property
    def is_shown(self) -> bool:
        """Whether the second canvas is there."""
        return self._beside.second_canvas is not None

    def open(
        self,
        comparison: Comparison,
        shape: tuple[int, int, int],
        arguments: dict[str, Any],
        names: tuple[str, str],
    ) -> None:
        """Show both, at the first slice that is compared.

        Parameters
        ----------
        comparison : Comparison
        shape : tuple of int
            Of the stack, (Z, Y, X).
        arguments : dict
            Of a layer on the same pixels: scale, translate, units, axis_labels.
        names : tuple of str
            Of the old and the new model.
        """
        self.close()
        at = {z: number for number, z in enumerate(comparison.slices)}
        masks = (comparison.old_mask, comparison.new_mask)
        empty = np.zeros(shape[1:], np.uint8)

        def plane(model: int, z: int) -> np.ndarray:
            return masks[model][at[z]] if z in at else empty

        # What lies over the image would hide the difference.
        self._hidden = [
            layer for layer in self.viewer.layers if layer.visible and not _is_grey(layer)
        ]
        for layer in self._hidden:
            layer.visible = False
        # Of three axes: a fourth would be that of the iterations in view.
        self.layer = Image(
            LazyArray(shape, np.uint8, lambda z: plane(OLD, z)),
            name="Old model",
            **arguments,
            **_look(),
        )
        both = Image(
            LazyArray((2, *shape), np.uint8, plane),
            scale=(1.0, *arguments["scale"]),
            translate=(0.0, *arguments["translate"]),
            units=("pixel", *arguments["units"]),
            axis_labels=("model", *arguments["axis_labels"]),
            **_look(),
        )
        self.viewer.add_layer(self.layer)
        fly_to(self.viewer, _Placed(arguments), comparison.slices[0], None, 0, None)
        self._beside.open(both, NEW)
        assert self._beside.second_canvas is not None
        self._beside.second_canvas.choose(NEW, f"<b>{names[1]}</b> (new); on the left {names[0]}")

    def close(self) -> None:
        """Take both away and show again what was hidden."""
        self._beside.close()
        layer, self.layer = self.layer, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
            _repaint(self.viewer)
        hidden, self._hidden = self._hidden, []
        for other in hidden:
            if other in self.viewer.layers:
                other.visible = True

    def shut_down(self) -> None:
        """Stop in a window that is going."""
        self._beside.shut_down()


class _Placed:
    """A stack's place in the world, for `fly_to`."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.scale = np.asarray(arguments["scale"], float)
        self.units = arguments["units"]
        self._translate = np.asarray(arguments["translate"], float)

    def data_to_world(self, point: Any) -> np.ndarray:
        return np.asarray(point, float) * self.scale + self._translate


def _look() -> dict[str, Any]:
    return {
        "metadata": {"copnet": {"role": ROLE}},
        "colormap": "green",
        "blending": "additive",
        "opacity": 0.8,
        "contrast_limits": (0, 1),
    }


def _is_grey(layer: Any) -> bool:
    return isinstance(layer, Image) and "copnet" not in layer.metadata


def _repaint(viewer: Any) -> None:
    # See `proofreading.session_layers`: layers that go must be drawn away before others come into
    # view.
    docks = docked(viewer)
    if docks:
        repaint(getattr(docks[0], "native", docks[0]).window())
