"""The widgets of the workflow, without what they do."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_copnet.gui.viewer.layer_source import stack_from_layer
from napari_copnet.gui.widgets.controls import column_in
from napari_copnet.gui.widgets.dock import Dock, scrolled
from napari_copnet.gui.widgets.run_controls import RunControls
from napari_copnet.gui.workflow.asked_run import AskedRun
from napari_copnet.gui.workflow.run_place import RunPlace
from napari_copnet.gui.workflow.stack_section import StackSection
from napari_copnet.gui.workflow.stage_sections import stage_sections
from napari_copnet.params import Settings


class WorkflowForm(Dock):
    """What the workflow shows: stack, preprocess, contours, closing and cells, in working order.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    stack : StackSection
    sections : dict of str to Section
        Of the four stages.
    origin : ContourChoice
        Where contours come from.
    run_controls : RunControls
    place : RunPlace
        Where a run works.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.setObjectName("copnet_workflow")
        self.setMinimumWidth(340)
        self.stack = StackSection(viewer)
        self.sections = stage_sections(viewer)
        self.origin = self.sections["contours"].origin
        self.run_controls = RunControls()
        self.place = RunPlace()
        self.run_controls.add(self.place)
        inside = QWidget()
        column = column_in(inside, 6)
        for section in (self.stack, *self.sections.values()):
            column.addWidget(section)
        column.addStretch()
        self._scroll = scrolled(inside)
        whole = column_in(self, 0)
        whole.addWidget(self._scroll, 1)
        whole.addWidget(self.run_controls)

    def as_part(self) -> None:
        """Leave Run, painting, `stack` and `run_controls` to the dock that holds this panel."""
        whole = self.layout()
        assert whole is not None
        for widget in (self.stack, self.run_controls, self.place):
            widget.setParent(None)
        whole.addWidget(self.place)
        self.run_controls.as_part()
        self.sections["cells"].leave_edits()

    def show_section(self, stage: str) -> None:
        """Scroll to the settings of a stage."""
        self._scroll.ensureWidgetVisible(self.sections[stage])

    def settings(self) -> Settings:
        """Return the settings of all sections.

        Raises
        ------
        CopnetError
            Names the setting whose value can't be.
        """
        sections = self.sections
        return Settings(
            sections["preprocess"].get(),
            sections["contours"].get_device(),
            sections["contours"].get(),
            sections["closing"].get(),
            sections["cells"].get(),
        )

    def asked_run(self) -> AskedRun:
        """Return what is to be run.

        Raises
        ------
        CopnetError
            There is no image, a layer can't be used, or a setting can't be.
        """
        layer, given = self.stack.layer, self.origin.layer
        if layer is None:
            raise self.stack.nothing_to_run()
        is_time = self.stack.is_time
        return AskedRun(
            layer,
            given,
            stack_from_layer(layer, is_time),
            None if given is None else stack_from_layer(given, is_time),
            self.settings(),
            self.stack.read_params().repair,
        )

    def allow(self, on: bool) -> None:
        """Enable what can be pressed while nothing runs."""
        self.run_controls.run_button.setEnabled(on)
        self.stack.open_file.setEnabled(on)
        self.stack.open_folder.setEnabled(on)
        self.origin.open_button.setEnabled(on)
        self.place.change_button.setEnabled(on)
        self.sections["preprocess"].sizes_button.setEnabled(on)
        for section in self.sections.values():
            section.run_button.setEnabled(on)
