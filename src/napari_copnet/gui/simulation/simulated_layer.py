"""The image layer of a simulated map, over the true contours it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_copnet.gui.viewer.layer_source import frame_of

ROLE = "simulated"


class SimulatedLayer:
    """A degraded part of the slice in view, in whichever slice that is.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._is_wanted = True

    def welcome(self) -> None:
        """Let the layer come again after the user has deleted it."""
        self._is_wanted = True

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def show(self, values: np.ndarray, truth: Any, box: tuple[slice, slice]) -> None:
        """Show a map, shape (Y, X), of the part `box` of a slice of the layer `truth`."""
        corner = np.zeros(truth.ndim)
        corner[-2:] = box[0].start, box[1].start
        frame = frame_of(truth, lead=truth.ndim - 2)
        frame["translate"] = truth.data_to_world(corner)[-2:]
        if self._layer is not None and self._layer in self._viewer.layers:
            self._layer.data = values
            for name, value in frame.items():
                setattr(self._layer, name, value)
            return
        if self._layer is not None:
            # The user has deleted it, and does not want it back at the next slice.
            self._layer, self._is_wanted = None, False
        if not self._is_wanted:
            return
        self._layer = Image(
            values,
            name="Simulated gaps",
            metadata={"copnet": {"role": ROLE}},
            colormap="magma",
            contrast_limits=(0, 1),
            **frame,
        )
        self._viewer.add_layer(self._layer)
