"""Layers of what is measured: the labels, their colours by a measure, and chosen cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_copnet.gui.viewer.layer_roles import role_of
from napari_copnet.gui.viewer.layer_source import first_is_time, frame_of, voxel_size_of
from napari_copnet.lazy_array import LazyArray
from napari_copnet.measures.source import Source
from napari_copnet.measures.table import Table

ROLE = "measure"
CHOSEN_COLOUR = "#ff4fd8"
# Values that differ by more are coloured by their logarithm.
_WIDE = 100


def is_measurable(layer: Any) -> bool:
    """Whether a layer holds cells: labels of 2 or 3 axes that a run, a session or a user made."""
    if not isinstance(layer, Labels) or layer.ndim not in (2, 3):
        return False
    return role_of(layer) in ("", "cells") or is_of_session(layer)


def is_of_session(layer: Any) -> bool:
    """Whether a layer shows the cells of a session."""
    return role_of(layer) == "session" and np.dtype(layer.data.dtype) == np.uint32


def labels_of(layer: Any) -> Any:
    """Return the labels of a layer, shape (Z, Y, X), to be indexed slice by slice."""
    data = layer.data[0] if layer.multiscale else layer.data
    return data if data.ndim == 3 else data[None]


def source_of_layer(layer: Any) -> Source:
    """Return what a labels layer has to be measured, in µm where its units are lengths."""
    size = voxel_size_of(layer)
    shift = np.r_[np.zeros(3 - layer.ndim), np.asarray(layer.translate, float)]
    scale = np.r_[np.ones(3 - layer.ndim), np.asarray(layer.scale, float)]
    # The translation has the unit of the scale.
    place = [
        0.0 if side is None else float(moved * side / step)
        for side, moved, step in zip(size, shift, scale, strict=True)
    ]
    return Source(
        labels_of(layer),
        size,
        (place[0], place[1], place[2]),
        "tyx" if first_is_time(layer) else "zyx",
        name=layer.name,
        facts={"layer": layer.name},
    )


class Lookup:
    """The value of each pixel's cell: of a table of slices, or of cells in 3D.

    Parameters
    ----------
    table : Table
        ``slices`` or ``cells``.
    values : ndarray, shape (rows,), float64
    """

    def __init__(self, table: Table, values: np.ndarray) -> None:
        self._by_slice = table.name == "slices"
        self._cells, self._values = table["cell"], values
        self._slices = table["slice"] if self._by_slice else None

    def __call__(self, z: int, labels: np.ndarray) -> np.ndarray:
        """Return the values of a slice's pixels, shape (Y, X), float32; NaN without a cell."""
        cells, values = self._cells, self._values
        if self._slices is not None:
            first, last = (
                int(np.searchsorted(self._slices, z, side)) for side in ("left", "right")
            )
            cells, values = cells[first:last], values[first:last]
        if not cells.size:
            return np.full(labels.shape, np.nan, np.float32)
        place = np.minimum(np.searchsorted(cells, labels), cells.size - 1)
        known = (cells[place] == labels) & (labels > 0)
        return np.where(known, values[place], np.nan).astype(np.float32)


def limits_of(values: np.ndarray) -> tuple[float, float]:
    """Return the range of values without the outermost 2 % on each side; 0 to 1 for none."""
    there = values[np.isfinite(values)]
    low, high = np.quantile(there, (0.02, 0.98)) if there.size else (0.0, 1.0)
    return float(low), float(high)


class MeasuredLayers:
    """Colours by a measure and chosen cells, over the labels that were measured.

    Each layer is kept and given other data: layers that come and go cost a tenth of a second.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    layer : napari.layers.Labels or None
        What was measured.
    colours, chosen : napari layer or None
        The layers shown over it.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.layer: Any = None
        self.colours: Any = None
        self.chosen: Any = None

    @property
    def is_there(self) -> bool:
        """Whether what was measured is still a layer of the viewer."""
        return self.layer is not None and self.layer in self.viewer.layers

    def over(self, layer: Any) -> None:
        """Show things over another layer."""
        if layer is not self.layer:
            for made in (self.colours, self.chosen):
                if made is not None and made in self.viewer.layers:
                    self.viewer.layers.remove(made)
            self.colours = self.chosen = None
        self.layer = layer

    def colour(self, table: Table, column: str, title: str) -> None:
        """Colour each cell by a measure."""
        if not self.is_there:
            return
        values = table.numbers(column)
        low, high = limits_of(values)
        if low > 0 and high / low > _WIDE:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log10(values)
            low, high = limits_of(values)
            title = f"log₁₀ {title}"
        lookup, labels = Lookup(table, values), labels_of(self.layer)
        data = self._data(np.float32, lambda z: lookup(z, np.asarray(labels[z])))
        limits = (low, high if high > low else low + 1)
        if self.colours is not None and self.colours in self.viewer.layers:
            self.colours.data, self.colours.name = data, f"Measure: {title}"
            self.colours.contrast_limits_range = limits
            self.colours.contrast_limits = limits
            self.colours.visible = True
            return
        self.colours = Image(
            data,
            name=f"Measure: {title}",
            colormap="viridis",
            contrast_limits=limits,
            opacity=0.7,
            blending="translucent",
            metadata={"copnet": {"role": ROLE}},
            **frame_of(self.layer),
        )
        self._add(self.colours)

    def choose(self, chosen: dict[int, np.ndarray]) -> None:
        """Show cells, by slice, as the chosen ones."""
        if not self.is_there:
            return
        labels = labels_of(self.layer)

        def plane(z: int) -> np.ndarray:
            if z not in chosen:
                return np.zeros(labels.shape[1:], np.uint8)
            return np.isin(np.asarray(labels[z]), chosen[z]).astype(np.uint8)

        data = self._data(np.uint8, plane)
        if self.chosen is not None and self.chosen in self.viewer.layers:
            self.chosen.data, self.chosen.visible = data, True
            return
        colours = {0: "transparent", 1: CHOSEN_COLOUR, None: "transparent"}
        self.chosen = Labels(
            data,
            name="Measure: selected cells",
            opacity=0.75,
            colormap=DirectLabelColormap(color_dict=colours),
            metadata={"copnet": {"role": ROLE}},
            **frame_of(self.layer),
        )
        self._add(self.chosen)
        self.chosen.editable = False

    def let_go(self) -> None:
        """Know the layers no more; they stay where they are."""
        self.layer = self.colours = self.chosen = None

    def hide(self, layer: Any) -> None:
        """Hide `colours` or `chosen`."""
        if layer is not None and layer in self.viewer.layers:
            layer.visible = False

    def _data(self, dtype: Any, plane: Callable[[int], np.ndarray]) -> Any:
        data = LazyArray(labels_of(self.layer).shape, dtype, plane)
        return data if self.layer.ndim == 3 else np.asarray(data[0])

    def _add(self, layer: Any) -> None:
        active = self.viewer.layers.selection.active
        self.viewer.add_layer(layer)
        # The layer that tools work on stays the active one.
        if active in self.viewer.layers:
            self.viewer.layers.selection.active = active
