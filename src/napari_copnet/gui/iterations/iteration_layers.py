"""Layers over iterations: contour added and removed, and when each pixel was closed."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap

from napari_copnet.gui.viewer.layer_roles import role_of
from napari_copnet.gui.viewer.layer_source import frame_of


class IterationLayers:
    """The marks shown over the iterations of a viewer, one layer for each role.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self._layers: dict[str, Any] = {}

    def show(self, role: str, over: Any, data: np.ndarray, name: str, colours: list[str]) -> None:
        """Show marks over iterations, in the frame of the stack; other results are hidden.

        Parameters
        ----------
        role : str
            Marks of the same role are replaced.
        over : napari.layers.Image
            The iterations, shape (I, Z, Y, X) or (I, Y, X).
        data : ndarray, shape (Z, Y, X)
            0 where nothing is marked; value n has the n-th colour.
        name : str
        colours : list of str
        """
        old = self._layers.pop(role, None)
        if old is not None and old in self.viewer.layers:
            self.viewer.layers.remove(old)
        flat = over.data.ndim == 3
        marks = Labels(
            data[0] if flat else data,
            name=name,
            colormap=CyclicLabelColormap(colors=["transparent", *colours]),
            opacity=0.9,
            **frame_of(over, lead=1),
            metadata={"copnet": {"role": role}},
        )
        self.viewer.add_layer(marks)
        marks.editable = False
        self._layers[role] = marks
        for other in self.viewer.layers:
            if other is over or role_of(other) in ("closed", "cells", "contours", "iterations"):
                other.visible = False
        for other_role, other in self._layers.items():
            if other_role != role:
                other.visible = False
