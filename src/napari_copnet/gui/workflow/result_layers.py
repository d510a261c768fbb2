"""Results of a run in memory as layers of a viewer, from the first slice on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from psygnal import Signal

from napari_copnet.gui.background.main_thread_work import MainThreadWork
from napari_copnet.gui.napari_compat.brush_cursor import hide_brush_box
from napari_copnet.gui.viewer.layer_data import set_data
from napari_copnet.gui.viewer.layer_source import Placement, slice_in_view
from napari_copnet.gui.viewer.lazy_arrays import Grid, Iterations
from napari_copnet.gui.viewer.placed_layers import NAMES, PlacedLayers
from napari_copnet.gui.workflow.contour_editing import ContourEditing
from napari_copnet.gui.workflow.run_stages import Contours, IterationSlices, ShownCells, ShownClosed
from napari_copnet.params import CellParams
from napari_copnet.proofreading.session_start import scaled_params
from napari_copnet.restored import slice_frame
from napari_copnet.steps.frame import to_original
from napari_copnet.types import Closing, Frame, Preprocessed, SliceResult


class ResultLayers(PlacedLayers):
    """The layers of one image's results.

    Parameters
    ----------
    viewer : napari.Viewer
    placement : Placement
        Of the image; every layer carries it.
    iteration_bytes : int
        Most memory that iterations may take.

    Attributes
    ----------
    iterations : Iterations or None
        Contour probability by iteration, processed frame.
    unite : bool
        Whether the contour of Step 1 belongs to the closed one.
    editing : ContourEditing or None
        Keeps cells in step with the closed contour.
    edited : Signal
        (slice, cells in it) after an edit.
    """

    edited = Signal(int, int)
    hides_steps = True

    def __init__(self, viewer: Any, placement: Placement, iteration_bytes: int) -> None:
        super().__init__(viewer, placement)
        self.iterations: Iterations | None = None
        self.editing: ContourEditing | None = None
        self._iteration_bytes = iteration_bytes
        self._ready: Preprocessed | None = None
        self._slices: list[np.ndarray] = []
        self._contours: np.ndarray | None = None
        self._closing: Any = None
        self._cells: Any = None
        self._params = CellParams()
        self.unite = True
        self._kept: list[ContourEditing] = []
        self._iterated: np.ndarray | None = None
        self._has_iterated = False
        self._shown_contours: Any = None
        self._shadow: np.ndarray | None = None
        self._holds = False

    def begin(self, params: CellParams, unite: bool) -> None:
        """Get ready for a run with these settings; layers deleted before may come again."""
        self._params, self.unite = params, unite
        self._has_iterated = False
        self.stop()
        self._welcome_all()

    def hold_steps(self) -> None:
        """Of the run that begins, add contour probability and iterations when it has ended.

        They come out of view: what a finished run led to is there sooner without them.
        """
        self._holds = True

    def stop(self) -> None:
        """Add nothing more."""
        self._holds = False
        if self._adding is not None:
            self._adding.stop()
            self._adding = None

    def show(self, partials: list[Any]) -> None:
        """Show what came since the last time; each layer is drawn anew at most once."""
        slices = [p for p in partials if isinstance(p, SliceResult)]
        iterations: list[IterationSlices] = []
        for partial in partials:
            if isinstance(partial, Preprocessed):
                self._start(partial)
            elif isinstance(partial, IterationSlices):
                iterations.append(partial)
        if slices:
            self._show_slices(slices)
        for partial in partials:
            if isinstance(partial, Contours):
                self._show_contours(partial.probability)
        if iterations:
            self._show_iterations(iterations)
        for partial in partials:
            if isinstance(partial, ShownClosed):
                self._show_closed(partial)
            elif isinstance(partial, ShownCells):
                self._show_cells(partial)

    def leave(self) -> None:
        """Take the layers away, but for a contour that was painted on, and its cells."""
        self.stop()
        self._retire("closed")
        for role in NAMES:
            self._remove(role)

    def settle(self) -> None:
        """Take the iteration axis off the contours where no iterations came."""
        self._set_lead(0)
        if self._holds:
            self._holds = False
            self._adding = MainThreadWork(None, self._add_steps())

    def _add_steps(self) -> Iterator[None]:
        """Add the layers that were held back, each in a turn of the event loop."""
        if self._grid is None or self._contours is None:
            return
        for role in ("contours", "iterations"):
            if self.layer(role) is not None or (role == "iterations" and not self._has_iterations):
                continue
            active = self.viewer.layers.selection.active
            if role == "contours":
                data = self._probability(0)
            else:
                assert self.iterations is not None
                data = self.iterations.probability(self._grid)
            self._add_probability(role, data, visible=False)
            self.viewer.layers.selection.active = active
            yield
        if self.iterations is not None:
            self.go_to_iteration(len(self.iterations) - 1)

    @property
    def _has_iterations(self) -> bool:
        return self.iterations is not None and len(self.iterations) > 1

    @property
    def last_iteration(self) -> tuple[int, np.ndarray, np.ndarray] | None:
        """Number and probability of the run's last complete iteration, and Step 1; or None.

        Those of a run before do not count.
        """
        if self._contours is None or self.iterations_of(self._contours) is None:
            return None
        if not self._has_iterated:
            return None
        assert self.iterations is not None
        assert self._ready is not None
        depth = len(self._ready.data)
        last = len(self.iterations) - 1
        stacks = [np.stack([self.iterations.slice(i, z) for z in range(depth)]) for i in (last, 0)]
        return self.iterations.numbers[last], stacks[0], stacks[1]

    def iterations_of(self, contours: Any) -> Iterations | None:
        """Return the iterations that began with a contour probability; None for any other."""
        return self.iterations if self._iterated is contours else None

    def shows(self, closing: Closing) -> bool:
        """Whether the closed contour in the viewer is this one."""
        return self._closing is closing and self.layer("closed") is not None

    @property
    def preprocessed(self) -> Preprocessed | None:
        """The stack as the networks see it."""
        return self._ready

    # Stages ------------------------------------------------------------------

    def _start(self, ready: Preprocessed) -> None:
        if ready is self._ready:
            return
        if self._grid is None or not self._grid.is_for(ready.frame):
            self._grid = Grid(ready.frame, self.placement.flat)
            # Layers on other pixels can't take the new results.
            for role in ("contours", "iterations"):
                self._remove(role)
        self._ready = ready
        self._contours = None
        empty = np.zeros(ready.frame.processed_shape[1:], np.float16)
        self._slices = [empty] * len(ready.data)

    def _show_slices(self, results: list[SliceResult]) -> None:
        if self._contours is not None:
            self._contours = None
            self._slices = [np.zeros_like(self._slices[0])] * len(self._slices)
        for result in results:
            self._slices[result.index] = result.values
        layer = self.layer("contours")
        if layer is None:
            layer = self._add_probability("contours", self._probability())
        elif self._expects_iterations(layer):
            # A slider takes napari as long as a layer: make it now, not with the iterations.
            self._set_lead(1)
        elif layer.data is not self._shown_contours:
            set_data(layer, self._probability())
        elif self.viewer.dims.ndisplay == 3 or slice_in_view(self.viewer, layer) in {
            r.index for r in results
        }:
            layer.refresh()
        if layer is not None:
            layer.visible = True
            self._hide("iterations")

    def _probability(self, lead: int | None = None) -> Any:
        slices = self._slices
        grid = self._grid
        assert grid is not None
        if lead is None:
            layer = self.layer("contours")
            lead = 0 if layer is None else self._lead_of(layer)
        self._shown_contours = grid.array(
            (1,) * lead,
            np.float16,
            lambda *at: grid.plane(slices[at[-1]], at[-1], "probability"),
        )
        return self._shown_contours

    def _expects_iterations(self, layer: Any) -> bool:
        alone = self.layer("iterations") is None and self.viewer.dims.ndim == layer.ndim
        return alone and self._lead_of(layer) == 0

    def _set_lead(self, lead: int) -> None:
        """Give the contours an iteration axis of length 1, or take it off."""
        layer = self.layer("contours")
        if layer is None or self._lead_of(layer) == lead or self._grid is None:
            return
        set_data(layer, self._probability(lead))
        # With another number of axes napari forgets their units and names.
        self._put(layer, "contours")

    def _show_contours(self, probability: np.ndarray) -> None:
        known = probability is self._contours
        self._contours = probability
        if known and self.layer("contours") is not None:
            return
        self._slices = list(probability)
        if self._holds:
            return
        layer = self.layer("contours")
        if layer is None:
            self._add_probability("contours", self._probability())
        else:
            set_data(layer, self._probability())

    def _show_iterations(self, new: list[IterationSlices]) -> None:
        for iteration in new:
            if iteration.number == 0:
                if self.iterations is None or self._iterated is not self._contours:
                    start = [iteration.slices[z] for z in sorted(iteration.slices)]
                    self.iterations = Iterations(start, self._iteration_bytes)
                    self._iterated = self._contours
                    self._remove("iterations")
            elif self.iterations is not None:
                self.iterations.add(iteration.number, iteration.slices)
                self._has_iterated = True
        if not self._has_iterations or new[-1].number == 0 or self._holds:
            return
        assert self.iterations is not None
        assert self._grid is not None
        last = len(self.iterations) - 1
        layer = self.layer("iterations")
        follow = layer is None or self.iteration_in_view() in (None, layer.data.shape[0] - 1, last)
        probability = self.iterations.probability(self._grid)
        if layer is None:
            layer = self._add_probability("iterations", probability)
            self._hide("contours")
            self._set_lead(0)
        else:
            set_data(layer, probability)
            if not layer.visible:  # results of an earlier run are in view
                layer.visible = True
                for role in ("contours", "closed", "cells"):
                    self._hide(role)
        if follow and layer is not None:
            self.go_to_iteration(last)

    def iteration_in_view(self) -> int | None:
        """Return the position along the iteration axis, or None when there is none."""
        axis = self._iteration_axis()
        return None if axis is None else int(self.viewer.dims.current_step[axis])

    def _iteration_axis(self) -> int | None:
        layer = self.layer("iterations")
        if layer is None:
            return None
        axis = self.viewer.dims.ndim - layer.ndim
        return axis if axis >= 0 else None

    def go_to_iteration(self, position: int) -> None:
        """Show the iteration at a position along the iteration axis."""
        axis = self._iteration_axis()
        if axis is not None:
            self.viewer.dims.set_current_step(axis, position)

    def _show_closed(self, shown: ShownClosed) -> None:
        if (
            shown.closing is not None
            and shown.closing is self._closing
            and self.layer("closed") is not None
        ):
            return
        assert shown.mask is not None
        self._closing = shown.closing
        self._retire("closed")
        self._cells = None
        self._shadow = shown.shadow
        layer = self._add_closed(self._flat(shown.mask))
        if layer is not None:
            hide_brush_box(self.viewer)
            layer.brush_size = 4
            layer.selected_label = 1
        self._hide("iterations")
        self._hide("contours")

    def _show_cells(self, shown: ShownCells) -> None:
        if shown.cells is self._cells and self.layer("cells") is not None:
            return
        assert shown.labels is not None
        self._cells = shown.cells
        old = self.layer("cells")
        if self.editing is not None:
            self.editing.stop()
            self.editing = None
        if old is not None:
            self._remove("cells")
        layer = self._add_cells(self._flat(shown.labels))
        closed = self.layer("closed")
        if layer is None or closed is None:
            return
        # The contour lies over its cells, ready to be painted.
        self.viewer.layers.selection.active = closed
        frame = self._frame()
        self.editing = ContourEditing(
            closed,
            layer,
            scaled_params(self._params, frame.original_shape[1:], frame.processed_shape[1:]),
            self._excluded,
            lambda: slice_in_view(self.viewer, closed),
            shown.largest,
            self._shadow,
        )
        self.editing.changed.connect(self.edited.emit)

    # Helpers -----------------------------------------------------------------

    def _frame(self) -> Frame:
        assert self._ready is not None
        return self._ready.frame

    def _excluded(self, z: int) -> np.ndarray | None:
        """Where slice z has no results: blank, padding, or moved out of the processed frame."""
        assert self._ready is not None
        frame = self._ready.frame
        if z in self._ready.blank:
            return np.ones(frame.original_shape[1:], bool)
        padding = self._ready.original_padding(z)
        if not np.any(frame.shifts[z]):
            return padding
        inside = np.ones((1, *frame.processed_shape[1:]), np.uint8)
        lost = to_original(inside, slice_frame(frame, z), "labels")[0] == 0
        return lost if padding is None else lost | padding

    def _flat(self, data: np.ndarray) -> np.ndarray:
        return data[0] if self.placement.flat else data

    def _retire(self, role: str) -> None:
        """Take a layer away before its successor comes, unless the user worked on it."""
        editing = self.editing
        if editing is not None and self.layer("closed") is not None and editing.is_edited():
            for kept in ("closed", "cells"):
                layer = self.layer(kept)
                if layer is not None:
                    layer.name = f"{self.name_of(kept)} (edited, earlier run)"
                    layer.visible = False
                self._layers.pop(kept, None)
            # It stays in step with its cells for as long as its layers live.
            self._kept.append(editing)
            self.editing = None
            self.notes.append("Your edited contour and its cells are kept as hidden layers.")
            return
        self._remove(role)
