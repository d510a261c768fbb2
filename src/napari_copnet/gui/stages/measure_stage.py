"""Measure: tables of the cells, linked with the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.widgets.dock_section import Mark

if TYPE_CHECKING:
    from napari_copnet.gui.measures.measure_panel import MeasurePanel


class MeasureStage(Stage):
    """Measure the cells of the session, or of the run."""

    name, title, page = "measure", "Measure", "measures.md"
    purpose = "Sizes, shapes and neighbours of the cells, in tables and as colours."
    invitation = "Measure the cells"

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels)
        self.panel: MeasurePanel | None = None

    def state(self) -> tuple[Mark, str]:
        """Return whether the cells were measured."""
        if self.panel is not None and self.panel.made is not None:
            return Mark.DONE, "measured"
        return (Mark.READY if self.waits() else Mark.WAITING), ""

    def step(self) -> Step | None:
        """Return that the cells are to be measured; once they are, the way leads on."""
        if self.panel is None or self.panel.made is not None or not self.waits():
            return None
        return Step(self.invitation, self.panel.measure)

    def waits(self) -> bool:
        """Whether there are cells."""
        return self.panels.session is not None or self.panels.finished is not None

    def begin(self) -> None:
        """Measure."""
        if self.panel is not None and self.panel.made is None:
            self.panel.measure()

    def _make(self) -> QWidget:
        # Not before it is needed: it loads much.
        from napari_copnet.gui.measures.measure_panel import MeasurePanel

        self.panel = self.panels.keep(MeasurePanel(self.panels.viewer, lambda: self.panels.session))
        return self.panel
