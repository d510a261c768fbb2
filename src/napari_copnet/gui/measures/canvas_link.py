"""From a row of a table to its cell on the canvas, and from a click on a cell to its row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_copnet.gui.measures.measured_layers import labels_of
from napari_copnet.gui.viewer.camera import fly_to, is_in_view
from napari_copnet.gui.viewer.layer_source import slice_in_view
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.measures.measure import Measures
from napari_copnet.measures.table import Table

# A press and a release closer than this, in pixels of the screen, are a click.
CLICK_PX = 4


def show_cell(
    viewer: Any, layer: Any, made: Measures, table: Table, row: int, canvas: QWidget | None
) -> None:
    """Show the cell of a row: its slice, and the camera over it unless it is in view.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Labels
        What was measured.
    made : Measures
    table : Table
        ``cells``, ``slices`` or ``pairs``, of which the first cell is shown.
    row : int
    canvas : QWidget or None
        Tells how much there is in view.
    """
    found = place_of(layer, made, table, row, slice_in_view(viewer, layer))
    if found is None or layer.ndim == 2:
        return
    z, centre, size = found
    there = is_in_view(viewer, layer, centre, canvas)
    fly_to(viewer, layer, z, None if there else centre, size, canvas)


def place_of(
    layer: Any, made: Measures, table: Table, row: int, here: int
) -> tuple[int, tuple[float, float], float] | None:
    """Return slice, centre (y, x) and width of a row's cell, px; None where it is no more.

    Of the slices of a cell in 3D the one in view, `here`, is taken where the cell lies in it, else
    the one nearest to its middle.
    """
    cell = int(table["cell"][row])
    if table.name == "slices":
        slices = [int(table["slice"][row])]
    else:
        cells = made.tables["cells"]
        at = int(np.searchsorted(cells["cell"], cell))
        first, last = int(cells["first_slice"][at]), int(cells["last_slice"][at])
        middle = here if first <= here <= last else (first + last) // 2
        slices = sorted(range(first, last + 1), key=lambda z: abs(z - middle))
    labels = labels_of(layer)
    for z in slices:
        y, x = np.nonzero(np.asarray(labels[z]) == cell)
        if y.size:
            size = float(max(np.ptp(y), np.ptp(x)) + 1)
            return z, (float(y.mean()), float(x.mean())), size
    return None


class CellClicks:
    """Clicks on cells of what a panel has measured.

    Parameters
    ----------
    viewer : napari.Viewer
    panel : MeasurePanel
        Asked for the layer; clicks count while it is in sight.

    Attributes
    ----------
    clicked : Signal
        Slice and number of a cell.
    """

    clicked = Signal(int, int)

    def __init__(self, viewer: Any, panel: Any) -> None:
        self.viewer, self._panel = viewer, panel
        viewer.mouse_drag_callbacks.append(self._on_press)

    def release(self) -> None:
        """Listen no more."""
        with contextlib.suppress(ValueError):
            self.viewer.mouse_drag_callbacks.remove(self._on_press)
        self._panel = None

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        over, pressed = self._panel.over, event.pos
        if event.button != 1 or not over.is_there or not self._panel.isVisible():
            return
        yield
        while event.type == "mouse_move":
            yield
        moved = max(abs(a - b) for a, b in zip(event.pos, pressed, strict=True)) > CLICK_PX
        if moved or self.viewer.dims.ndisplay == 3:
            return
        labels, layer = labels_of(over.layer), over.layer
        place = np.rint(to_data(self.viewer, layer, event.position)).astype(int)
        place = np.r_[np.zeros(3 - place.size, int), place]
        if (place < 0).any() or (place >= np.array(labels.shape)).any():
            return
        cell = int(np.asarray(labels[int(place[0])])[place[1], place[2]])
        if cell:
            self.clicked.emit(int(place[0]), cell)
