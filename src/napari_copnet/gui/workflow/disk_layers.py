"""Results of a run on disk as layers of a viewer: each slice is read when it comes into view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from psygnal import Signal

from napari_copnet.gui.viewer.layer_source import slice_in_view
from napari_copnet.gui.viewer.lazy_arrays import Grid
from napari_copnet.gui.viewer.placed_layers import PlacedLayers
from napari_copnet.gui.workflow.run_on_disk import SliceOnDisk
from napari_copnet.gui.workflow.run_stages import Contours, ShownCells, ShownClosed
from napari_copnet.params import CellParams
from napari_copnet.restored import CellsPlane, ClosedPlane, ProbabilityPlane
from napari_copnet.types import Closing, Preprocessed

_ROLES = {"contours": "contours", "closing": "closed", "cells": "cells"}


class DiskLayers(PlacedLayers):
    """The layers of one image's run on disk.

    Results of large slices are shown on the pixels that networks saw, stretched over the image:
    the picture is that of the files at full size, and a slice takes milliseconds. Closed contour
    and cells can't be painted on.

    Parameters
    ----------
    viewer : napari.Viewer
    placement : Placement
        Of the image; every layer carries it.

    Attributes
    ----------
    edited : Signal
        As of `ResultLayers`; never sent.
    """

    edited = Signal(int, int)
    on_grid = frozenset({"contours", "closed", "cells"})
    # What runs in memory have: layers by iteration, and painting.
    iterations = None
    editing = None
    last_iteration = None

    _ready: Preprocessed | None = None
    _contours: Any = None
    _closing: Closing | None = None

    def begin(self, _params: CellParams, _unite: bool) -> None:
        """Get ready for a run; layers deleted before may come again."""
        self._welcome_all()

    def forget(self, stages: tuple[str, ...]) -> None:
        """Take away what some stages made, because it leaves the disk."""
        for stage in stages:
            if stage in _ROLES:
                self._remove(_ROLES[stage])
        if "contours" in stages:
            self._contours = None

    def show(self, partials: list[Any]) -> None:
        """Show what came since the last time; each layer is drawn anew at most once."""
        written: list[SliceOnDisk] = []
        for partial in partials:
            if isinstance(partial, Preprocessed):
                self._start(partial)
            elif isinstance(partial, SliceOnDisk):
                written.append(partial)
        if written:
            self._show_slices(written)
        for partial in partials:
            if isinstance(partial, Contours):
                self._show_contours(partial.probability)
            elif isinstance(partial, ShownClosed) and partial.closing is not None:
                self._show_closed(partial.closing)
            elif isinstance(partial, ShownCells):
                self._show_cells(partial)

    def leave(self) -> None:
        """Take the layers away."""
        for role in self.on_grid:
            self._remove(role)

    def settle(self) -> None:
        """Do nothing: there is no axis of iterations to take off."""

    def iteration_in_view(self) -> None:
        """Return None: iterations are not shown."""

    @property
    def preprocessed(self) -> Preprocessed | None:
        """The stack as the networks see it."""
        return self._ready

    # Stages ------------------------------------------------------------------

    def _start(self, ready: Preprocessed) -> None:
        if self._grid is None or not self._grid.is_for(ready.frame):
            self._grid = Grid(ready.frame, self.placement.flat)
            # Layers on other pixels can't take the new results.
            self.leave()
        grid = self._grid
        # In the processed frame results are 0 in padding already.
        self._ready = (
            ready if grid.is_original else replace(ready, frame=grid.shown, padding_bits=None)
        )

    def _show_slices(self, written: list[SliceOnDisk]) -> None:
        layer = self.layer("contours")
        if layer is None or self._contours is None:
            self._show_contours(written[-1].probability)
            layer = self.layer("contours")
        if layer is not None and slice_in_view(self.viewer, layer) in {w.index for w in written}:
            layer.refresh()

    def _show_contours(self, probability: Any) -> None:
        assert self._ready is not None
        self._contours = probability
        self._put_data("contours", np.float32, ProbabilityPlane(self._ready, probability))

    def _show_closed(self, closing: Closing) -> None:
        self._closing = closing
        self._put_data("closed", np.uint8, self._closed())
        self._hide("contours")

    def _show_cells(self, shown: ShownCells) -> None:
        self._put_data("cells", np.uint32, CellsPlane(self._closed(), shown.cells))

    def _closed(self) -> ClosedPlane:
        assert self._ready is not None
        assert self._closing is not None
        return ClosedPlane(self._ready, self._contours, self._closing)

    def _put_data(self, role: str, dtype: Any, plane: Callable[[int], np.ndarray]) -> None:
        """Give a layer its data; add it where there is none."""
        assert self._grid is not None
        data = self._grid.array((), dtype, plane)
        layer = self.layer(role)
        if layer is not None:
            layer.data = data
        elif role == "contours":
            layer = self._add_probability(role, data)
        else:
            layer = self._add_closed(data) if role == "closed" else self._add_cells(data)
        if layer is not None:
            layer.visible = True
            if role != "contours":
                layer.editable = False
