"""The settings of each stage of the pipeline, and what it did in words."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QPushButton

from napari_copnet.gui.background.jobs import free_cores
from napari_copnet.gui.widgets.controls import named, row
from napari_copnet.gui.widgets.dock_section import DockSection
from napari_copnet.gui.widgets.model_picker import DevicePicker, ModelPicker
from napari_copnet.gui.widgets.params_form import ParamsForm
from napari_copnet.gui.workflow.contour_choice import ContourChoice
from napari_copnet.gui.workflow.run_stages import Contours, ShownCells, ShownClosed
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
)
from napari_copnet.types import Preprocessed


class PreprocessSection(DockSection):
    """Settings of `steps.preprocess`."""

    next = "Next: predict contours."

    def __init__(self) -> None:
        super().__init__(
            0,
            "Preprocess",
            "Normalises grey values, resizes slices and aligns them. Your image is not changed.",
            "preprocess",
        )
        # Whoever works with the tissue knows its membranes, and not the pixels of the networks.
        self.form = ParamsForm(PreprocessParams, first=("membrane_width",), rare=("size",))
        self.ruler_button = QPushButton("Measure …")
        self.ruler_button.setObjectName("ruler")
        self.ruler_button.setCheckable(True)
        self.ruler_button.setToolTip(
            "Draw a line across one membrane in the image: its length becomes the membrane width."
        )
        self.add(self.form.widget)
        self.sizes_button = QPushButton("Try sizes …")
        self.sizes_button.setObjectName("try_sizes")
        self.sizes_button.setToolTip(
            "Run both networks on the slice in view at several sizes, side by side. If your "
            "membranes are wider or thinner than those in training, size matters most."
        )
        self.add(row(self.ruler_button, self.sizes_button))

    def get(self) -> PreprocessParams:
        """Return the settings."""
        return self.form.get()

    @staticmethod
    def did(ready: Preprocessed) -> str:
        """Say what was done."""
        shape, shifts = ready.frame.processed_shape, ready.frame.shifts
        parts = [f"{_slices(shape[0])} of {shape[1]} × {shape[2]} px"]
        if np.any(shifts):
            parts.append(f"aligned by up to {int(np.abs(shifts).max())} px")
        return ", ".join(parts) + "." + "".join(f" {note}" for note in ready.notes[:3])


class ContourSection(DockSection):
    """Where contours come from, settings of Step 1, and the device of both networks."""

    next = "Next: close the gaps."

    def __init__(self, viewer: Any) -> None:
        super().__init__(
            0, "Contours", "A network predicts the contour probability of each pixel.", "contours"
        )
        self.origin = ContourChoice(viewer)
        self.model = ModelPicker("contours")
        self.device = DevicePicker()
        self.form = ParamsForm(ContourParams, hidden=("contour_model",))
        self.device_form = ParamsForm(DeviceParams, hidden=("device",))
        self.add(self.origin)
        self.add(self.model)
        self.add(self.device)
        self.add(self.form.widget)
        if self.device_form.advanced is not None and self.form.advanced is not None:
            # One fold for what is rarely needed.
            self.form.advanced.add(self.device_form.advanced.body)
            self.device_form.advanced.button.setChecked(True)
            self.device_form.widget.hide()
        self.origin.changed.connect(self._on_origin)

    @property
    def purpose(self) -> str:
        """What the section is for, by where contours come from."""
        if self.origin.layer is None:
            return "A network predicts the contour probability of each pixel."
        return f"The contour probability is that of {self.origin.layer.name}."

    def get(self) -> ContourParams:
        """Return the settings."""
        return dataclasses.replace(self.form.get(), contour_model=self.model.value)

    def get_device(self) -> DeviceParams:
        """Return where networks run; the window keeps a core."""
        params = dataclasses.replace(self.device_form.get(), device=self.device.value)
        return params if params.threads else dataclasses.replace(params, threads=free_cores())

    @staticmethod
    def did(contours: Contours) -> str:
        """Say what was done."""
        depth, share = contours.probability.shape[0], 100 * contours.share
        made = f"taken from {contours.given}" if contours.given else "predicted"
        return f"Contours {made} in {_slices(depth)} ({share:.0f} % of the area)."

    def _on_origin(self) -> None:
        """Ask for what only the network needs where it is used."""
        by_network = self.origin.layer is None
        self.model.setVisible(by_network)
        for name, setting in self.form.rows.items():
            # The threshold is that of any map.
            setting.enabled = by_network or name == "threshold"


class ClosingSection(DockSection):
    """Settings of Step 2."""

    next = "Next: label the cells."
    scrub = Signal(bool)

    def __init__(self) -> None:
        super().__init__(0, "Closing", "A second network closes gaps, step by step.", "closing")
        self.model = ModelPicker("closing")
        self.form = ParamsForm(ClosingParams, hidden=("closing_model", "keep_iterations"))
        self.add(self.model)
        self.add(self.form.widget)
        self.show_iterations = QCheckBox("Show iterations (slider under the image)")
        self.show_iterations.setObjectName("show_iterations")
        self.show_iterations.setEnabled(False)
        self.show_iterations.toggled.connect(self.scrub.emit)
        self.add(self.show_iterations)

    def get(self) -> ClosingParams:
        """Return the settings."""
        return dataclasses.replace(self.form.get(), closing_model=self.model.value)

    @staticmethod
    def did(shown: ShownClosed) -> str:
        """Say what was done."""
        closing = shown.closing
        if closing is None:
            return "Closed contours of the last complete iteration."
        count = closing.passes
        times = "1 iteration" if count == 1 else f"{count} iterations"
        if count == 0:
            return "No slice needed closing."
        last = 100 * float(closing.changed[count - 1])
        if closing.settled:
            then = ""
            if closing.likely_gaps:
                share = 100 * float(closing.changed[-1])
                then = f" Then likely gaps were closed: {share:.2g} %."
            return f"Done after {times}; the last changed {last:.2g} % of the pixels.{then}"
        slices = int((~closing.converged).sum())
        return (
            f"Stopped after {times}: {slices} slices still change ({last:.2g} % of the pixels). "
            "Raise Most iterations to continue."
        )


class CellSection(DockSection):
    """Settings of the labelling, and the plain edit of contours.

    Signals
    -------
    edit_asked (str)
        ``"draw"``, ``"erase"``, ``"undo"`` or ``"done"``.
    """

    next = "Next: look through the slices, and draw contour where a gap is left."
    # What is too large for memory can't be drawn on here.
    next_on_disk = "Next: look through the slices, then go on to Correct."
    edit_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__(0, "Cells", "Each region enclosed by contours becomes a cell.", "cells")
        self.form = ParamsForm(CellParams)
        self.add(self.form.widget)
        self.edit_buttons: dict[str, QPushButton] = {}
        for name, text, tip in (
            ("draw", "Draw contour", "Paint on the closed contour; cells are updated."),
            ("erase", "Erase", "Erase contour; cells are updated."),
            ("undo", "Undo", "Undo the last stroke (Ctrl+Z on the contour layer)."),
            ("done", "Done", "Go back to panning and zooming."),
        ):
            button = named(QPushButton(text), f"edit_{name}", tip)
            button.setEnabled(False)
            button.clicked.connect(lambda _=False, name=name: self.edit_asked.emit(name))
            self.edit_buttons[name] = button
        self._edits = row(*self.edit_buttons.values())
        self.add(self._edits)

    def leave_edits(self) -> None:
        """Leave corrections to the tools of a session."""
        self._edits.hide()
        self.next = self.next_on_disk = "Next: look through the slices, and correct the cells."

    def get(self) -> CellParams:
        """Return the settings."""
        return self.form.get()

    def allow_edits(self, on: bool) -> None:
        """Enable the buttons for editing."""
        for button in self.edit_buttons.values():
            button.setEnabled(on)

    @staticmethod
    def did(shown: ShownCells) -> str:
        """Say what was done."""
        return f"{(shown.there or shown.cells).in_words()}."


def stage_sections(viewer: Any) -> dict[str, Any]:
    """Return the sections of the four stages for a viewer, by stage."""
    sections = (PreprocessSection(), ContourSection(viewer), ClosingSection(), CellSection())
    return {section.stage: section for section in sections}


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"
