"""Segment: the run of the networks, and its iterations."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QTabWidget, QWidget

from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.stages.tabs import LazyTabs
from napari_copnet.gui.widgets.dock_section import Mark
from napari_copnet.types import Cells, Closing
from napari_copnet.verdict.types import AMBER, RED

# The verdict on a run, in its line.
_SAID = {
    RED: (Mark.FAILED, "looks wrong: try another way"),
    AMBER: (Mark.DOUBTFUL, "doubtful: look at the cells first"),
}


class SegmentStage(Stage):
    """Run the steps, look through the iterations."""

    name, title, page = "segment", "Segment", "napari.md"
    purpose = "Two networks find contours and close their gaps; each region they enclose is a cell."
    invitation = "Run"

    def state(self) -> tuple[Mark, str]:
        """Return how many cells there are, and after how many iterations."""
        workflow = self.panels.workflow
        if self.panels.is_running:
            return Mark.RUNNING, f"running, {round(100 * workflow.run_controls.share)} %"
        source = workflow.source
        if source is None or source.result is None:
            return (Mark.READY, "not run yet") if workflow.stack.layer else (Mark.WAITING, "")
        said = cells_text(source.cells or source.result.cells, source.result.closing)
        if self._is_stale(source):
            return Mark.CHANGED, f"{said} · settings changed"
        mark, doubt = _SAID.get(source.light, (Mark.DONE, ""))
        return mark, f"{said} · {doubt}" if doubt else said

    def step(self) -> Step | None:
        """Return that it is to be run, or is running."""
        workflow = self.panels.workflow
        if self.panels.is_running:
            return Step("Running …")
        if workflow.stack.layer is None:
            return None
        source = workflow.source
        if source is None or source.result is None:
            return Step("Run", self.begin)
        if self._is_stale(source):
            return Step("Run again", self.begin)
        return self.way_on()

    def waits(self) -> bool:
        """Whether there is a stack that was not run, or not with these settings."""
        workflow = self.panels.workflow
        source = workflow.source
        if self.panels.is_running or workflow.stack.layer is None:
            return self.panels.is_running
        return source is None or source.result is None or self._is_stale(source)

    def begin(self) -> None:
        """Run."""
        self.panels.workflow.run()

    def _on_unfolded(self, on: bool) -> None:
        self.panels.workflow.verdict.set_at_work(on)

    def _is_stale(self, source: Any) -> bool:
        marks = [section.mark for section in self.panels.workflow.sections.values()]
        return source.result is not None and Mark.CHANGED in marks

    def _make(self) -> QWidget:
        self.tabs: QTabWidget = LazyTabs(
            ("Run", lambda: self.panels.workflow),
            ("Iterations", self._iterations),
        )
        return self.tabs

    def _iterations(self) -> QWidget:
        # Not before it is needed: it loads much.
        from napari_copnet.gui.iterations.iterations_panel import IterationsPanel

        return self.panels.keep(IterationsPanel(self.panels.viewer))


def cells_text(cells: Cells, closing: Closing) -> str:
    """Return the figure of a run, such as ``190 cells · converged in 4``."""
    count = cells.total
    what = "cell profile" if cells.mode == "slice" and len(cells.counts) > 1 else "cell"
    said = f"{count} {what}{'' if count == 1 else 's'}"
    if closing.settled:
        return f"{said} · converged in {closing.passes}"
    return f"{said} · not converged after {closing.passes}"
