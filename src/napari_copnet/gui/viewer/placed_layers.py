"""Layers over an image, known by their role in a run."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap

from napari_copnet.gui.background.main_thread_work import MainThreadWork
from napari_copnet.gui.napari_compat.thumbnails import Thumbnails
from napari_copnet.gui.viewer.layer_source import Placement
from napari_copnet.gui.viewer.lazy_arrays import Grid
from napari_copnet.gui.viewer.palette import cell_colours

CONTOUR_COLOUR = "#ffd54f"
NAMES = {
    "contours": "Contour probability",
    "iterations": "Contour probability by iteration",
    "closed": "Closed contour",
    "cells": "Cells",
}
# What stays, behind the name of its stack: napari's list has room for a word.
SHORT = {"closed": "contour", "cells": "cells"}
# Steps on the way to the closed contour: in the list of layers only while they are in view.
WORKING = frozenset({"contours", "iterations"})


class PlacedLayers:
    """Layers of a viewer that lie over one image.

    Layers are held as objects. One that the user deletes during a run is not made again in it.

    Parameters
    ----------
    viewer : napari.Viewer
    placement : Placement
        Of the image; every layer carries it.

    Attributes
    ----------
    notes : list of str
        What the user shall be told of the layers after a run.
    on_grid : frozenset of str
        Roles whose layers have the pixels of the run's `Grid`; others have those of the image.
    """

    on_grid = frozenset({"contours", "iterations"})
    # Whether there are buttons to show steps on the way again.
    hides_steps = False

    def __init__(self, viewer: Any, placement: Placement) -> None:
        self.viewer = viewer
        self.placement = placement
        self.notes: list[str] = []
        self._layers: dict[str, Any] = {}
        self._gone: set[str] = set()
        self._grid: Grid | None = None
        self._adding: MainThreadWork | None = None
        self._thumbnails = Thumbnails()

    def layer(self, role: str) -> Any:
        """Return the layer of a role (see `NAMES`), or None when there is none in the viewer."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self.viewer.layers else None

    @property
    def every(self) -> list[Any]:
        """The layers that are in the viewer."""
        return [layer for role in self._layers if (layer := self.layer(role)) is not None]

    @property
    def is_adding(self) -> bool:
        """Whether layers that were held back are still on their way."""
        return self._adding is not None and self._adding.is_running

    def is_ours(self, layer: Any) -> bool:
        """Return whether a layer was made here, and taken away by someone else if it is gone."""
        return any(layer is known for known in self._layers.values())

    def name_of(self, role: str) -> str:
        """Return what the layer of a role is called: what stays is named after its stack."""
        image = self.placement.name
        return f"{image}: {SHORT[role]}" if image and role in SHORT else NAMES[role]

    def hold_steps(self) -> None:
        """Add what a run did on the way only when it has ended, where there is such a thing."""

    def stop(self) -> None:
        """Add nothing more."""

    def place(self, placement: Placement) -> None:
        """Move all layers along with the image, after its voxel size was set."""
        before, self.placement = self.placement, placement
        self._rename(before.name)
        for role in self._layers:
            layer = self.layer(role)
            if layer is not None:
                self._put(layer, role)

    def _rename(self, before: str) -> None:
        """Follow the name of the image; a layer that the user named keeps its name."""
        image = self.placement.name
        for role in self._layers:
            layer = self.layer(role)
            if layer is not None and before and layer.name.startswith(f"{before}: "):
                layer.name = image + layer.name.removeprefix(before)

    def _welcome_all(self) -> None:
        """Let layers that were deleted come again."""
        self._gone.clear()
        self.notes.clear()
        self._layers = {role: x for role, x in self._layers.items() if x in self.viewer.layers}

    def _add(self, role: str, kind: type, data: Any, **more: Any) -> Any:
        if role in self._layers and self.layer(role) is None:
            self._gone.add(role)
            del self._layers[role]
            self.notes.append(f"The layer {NAMES[role]} was deleted, so this run does not show it.")
        if role in self._gone:
            return None
        arguments = {**self._arguments(role, 1 if role == "iterations" else 0), **more}
        kept: dict[str, Any] = {"role": role}
        if role in WORKING and self.hides_steps:
            kept["working"] = True
        layer = kind(data, name=self.name_of(role), metadata={"copnet": kept}, **arguments)
        self.viewer.add_layer(self._thumbnails.take(layer))
        self._layers[role] = layer
        return layer

    def _put(self, layer: Any, role: str) -> None:
        """Place a layer over the image."""
        given = self._arguments(role, self._lead_of(layer))
        layer.axis_labels, layer.units = given["axis_labels"], given["units"]
        layer.scale, layer.translate = given["scale"], given["translate"]

    def _arguments(self, role: str, lead: int) -> dict[str, Any]:
        placement = self.placement
        if role in self.on_grid and self._grid is not None:
            scale, translate = self._grid.placed(placement.scale, placement.translate)
            placement = Placement(
                scale,
                translate,
                placement.units,
                placement.axis_labels,
                placement.flat,
                placement.name,
            )
        return placement.arguments(lead)

    def _add_probability(self, role: str, data: Any, **more: Any) -> Any:
        return self._add(
            role,
            Image,
            data,
            **more,
            colormap="magma",
            blending="additive",
            opacity=0.8,
            contrast_limits=(0, 1),
        )

    def _add_closed(self, data: Any) -> Any:
        return self._add(
            "closed",
            Labels,
            data,
            # Not a DirectLabelColormap: for that napari compiles code, seconds on the main thread.
            colormap=CyclicLabelColormap(colors=["transparent", CONTOUR_COLOUR, CONTOUR_COLOUR]),
            opacity=0.8,
        )

    def _add_cells(self, data: Any) -> Any:
        """Add cells under the closed contour, if that is there."""
        layer = self._add("cells", Labels, data, opacity=0.45, colormap=cell_colours())
        closed = self.layer("closed")
        if layer is not None:
            layer.editable = False
            if closed is not None:
                layers = self.viewer.layers
                layers.move(layers.index(layer), layers.index(closed))
        return layer

    def _hide(self, role: str) -> None:
        layer = self.layer(role)
        if layer is not None:
            layer.visible = False

    def _remove(self, role: str) -> None:
        layer = self.layer(role)
        # First, as who hears of it asks whether the layer is still ours.
        self._layers.pop(role, None)
        if layer is not None:
            self.viewer.layers.remove(layer)

    def _lead_of(self, layer: Any) -> int:
        """Return how many axes of iterations a layer has."""
        return layer.ndim - (2 if self.placement.flat else 3)
