"""Export: cells and contours as files."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_copnet.gui.stages.export_panel import ExportPanel
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.widgets.dock import scrolled
from napari_copnet.gui.widgets.dock_section import Mark


class ExportStage(Stage):
    """Write the cells and the closed contours."""

    name, title, page = "export", "Export", "napari.md"
    purpose = (
        "Cells and closed contours as TIFF, OME-Zarr or NIfTI, with their voxel size; and as ROIs, "
        "labels and meshes for other programs."
    )
    invitation = "Export …"

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels)
        self.panel: ExportPanel | None = None

    def state(self) -> tuple[Mark, str]:
        """Return what was written."""
        panel = self.panel
        if panel is not None and panel.is_busy:
            return Mark.RUNNING, "writing …"
        if panel is not None and panel.written:
            return Mark.DONE, panel.written
        return (Mark.READY if self.waits() else Mark.WAITING), ""

    def step(self) -> Step | None:
        """Return that it can be exported."""
        panel = self.panel
        if self.panels.session is None and self.panels.looks_wrong:
            return self.way_on()
        if panel is None or not self.waits():
            return None
        return Step("Writing …") if panel.is_busy else Step("Export to a folder …", panel.ask)

    def waits(self) -> bool:
        """Whether there is something to export."""
        if self.panels.looks_wrong:
            return self.panels.session is not None
        return self.panels.session is not None or self.panels.finished is not None

    def _make(self) -> QWidget:
        self.panel = self.panels.keep(ExportPanel(self.panels))
        return scrolled(self.panel)
