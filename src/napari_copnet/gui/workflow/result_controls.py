"""Looking through iterations, and drawing on the closed contour, by buttons of the dock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from napari_copnet.gui.widgets.dock_section import Mark
from napari_copnet.gui.workflow.stage_sections import CellSection, ClosingSection
from napari_copnet.gui.workflow.workflow_status import ImageRun

_MODES = {"draw": "paint", "erase": "erase", "done": "pan_zoom"}


class ResultControls:
    """Connects the buttons for results with the layers of the chosen image.

    Parameters
    ----------
    viewer : napari.Viewer
    closing, cells : Section
        Which hold the buttons.
    source : callable
        Returns the chosen image's `ImageRun`, or None.
    is_busy : callable
        Returns whether something runs.
    """

    def __init__(
        self,
        viewer: Any,
        closing: ClosingSection,
        cells: CellSection,
        source: Callable[[], ImageRun | None],
        is_busy: Callable[[], bool],
    ) -> None:
        self.viewer, self.closing, self.cells = viewer, closing, cells
        self._source, self._is_busy = source, is_busy
        closing.scrub.connect(self.show_iterations)
        cells.edit_asked.connect(self.edit)
        viewer.dims.events.current_step.connect(self._on_step)

    def stop(self) -> None:
        """Let the viewer go."""
        with contextlib.suppress(ValueError):
            self.viewer.dims.events.current_step.disconnect(self._on_step)

    def refresh(self) -> None:
        """Enable what there are layers for."""
        source = self._source()
        layers = source.layers if source is not None else None
        self.closing.show_iterations.setEnabled(
            layers is not None and layers.layer("iterations") is not None
        )
        self.cells.allow_edits(layers is not None and layers.editing is not None)

    def show_iterations(self, on: bool) -> None:
        """Show contours by iteration instead of the result, or the result again."""
        source = self._source()
        if source is None:
            return
        for role, visible in (("iterations", on), ("closed", not on), ("cells", not on)):
            layer = source.layers.layer(role)
            if layer is not None:
                layer.visible = visible

    def edit(self, what: str) -> None:
        """Draw or erase on the closed contour, undo a stroke, or be done with it."""
        source = self._source()
        contour = source.layers.layer("closed") if source is not None else None
        if contour is None:
            return
        if what == "undo":
            contour.undo()
            return
        self.closing.show_iterations.setChecked(False)
        contour.visible = True
        self.viewer.layers.selection.active = contour
        contour.selected_label = 1
        contour.mode = _MODES[what]

    def tell_edit(self, z: int, count: int) -> None:
        """Say how many cells an edited slice has."""
        self.cells.tell(
            Mark.DONE, f"Slice {z + 1} was edited and has {count} cells now.", self.cells.next
        )

    def _on_step(self) -> None:
        # Whoever moves the iteration slider wants to see iterations.
        source = self._source()
        if source is None or self._is_busy():
            return
        position = source.layers.iteration_in_view()
        if position is not None and source.iteration not in (None, position):
            self.closing.show_iterations.setChecked(True)
        source.iteration = position
