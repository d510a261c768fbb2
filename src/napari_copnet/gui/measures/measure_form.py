"""The widgets of the panel that measures cells."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_copnet.gui.measures.measure_table import MeasureModel, MeasureView
from napari_copnet.gui.measures.value_histogram import ValueHistogram
from napari_copnet.gui.widgets.colours import set_tone
from napari_copnet.gui.widgets.controls import column_in, named, row
from napari_copnet.gui.widgets.dock import Dock, scrolled
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.proofreading.edits import MARKS

NO_CELLS = "Needs cells: run the stack under Segment, open a session, or add a labels layer."
# Tables in the list of the panel, in order.
TITLES = {
    "cells": "Cells in 3D",
    "slices": "Cells by slice",
    "pairs": "Neighbours",
    "marks": "Marks",
    "population": "Population",
}


class MeasureForm(Dock):
    """What the panel shows, without what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("copnet_measures")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(6)
        self.layers = named(QComboBox(), "measure_layer", "The cells to measure.")
        self.measure_button = named(
            QPushButton("Measure"), "measure", "Measure these cells, slice by slice and in 3D."
        )
        self.surface = named(
            QCheckBox("Surfaces"),
            "measure_surface",
            "Also measure the surface and sphericity of each cell on a mesh, which takes most of "
            "the time.",
        )
        self.surface.setChecked(True)
        column.addWidget(row(self.layers, self.surface, self.measure_button))
        self.progress = QProgressBar()
        self.progress.setObjectName("measure_progress")
        self.progress.hide()
        column.addWidget(self.progress)
        self.state = quiet_label(NO_CELLS)
        self.state.setObjectName("measure_state")
        column.addWidget(self.state)

        self.tables = named(QComboBox(), "measure_tables", "Which table to show.")
        self.this_slice = named(
            QCheckBox("This slice only"),
            "measure_this_slice",
            "Show only the cells of the slice in view.",
        )
        self.save_button = named(
            QPushButton("Save tables…"), "measure_save", "Save all tables as CSV and Parquet."
        )
        column.addWidget(row(self.tables, self.this_slice, self.save_button))
        self.rows = MeasureModel()
        self.view = MeasureView(self.rows)
        self.view.setToolTip("Click a row to see its cell; click a cell to see its row.")
        column.addWidget(self.view, 1)

        self.measures = named(
            QComboBox(),
            "measure_column",
            "The measure that the histogram, the colours and the filter use.",
        )
        self.colour_button = named(
            QPushButton("Colour cells"), "measure_colour", "Colour each cell by this measure."
        )
        self.colour_button.setCheckable(True)
        column.addWidget(row(QLabel("Measure"), self.measures, self.colour_button))
        self.histogram = ValueHistogram()
        column.addWidget(self.histogram)

        self.side = named(QComboBox(), "measure_side", "Which side of the limit to select.")
        self.side.addItems(["under", "over"])
        self.limit = named(QDoubleSpinBox(), "measure_limit", "The limit, in the unit shown.")
        self.limit.setRange(-1e12, 1e12)
        self.limit.setDecimals(6)
        self.select_button = named(
            QPushButton("Select"), "measure_select", "Select all rows on this side of the limit."
        )
        column.addWidget(row(QLabel("Filter"), self.side, self.limit, self.select_button))
        self.count = QLabel()
        self.count.setObjectName("measure_count")
        self.delete_button = named(
            QPushButton("Delete"),
            "measure_delete",
            "Turn the selected cells of the session into contour. One undo reverts it.",
        )
        self.mark_button = named(
            QPushButton("Mark as"),
            "measure_mark",
            "Mark the selected cells of the session as areas without cells. One undo reverts it.",
        )
        self.kinds = named(QComboBox(), "measure_mark_kind", "What to mark them as.")
        self.kinds.addItems(list(MARKS))
        column.addWidget(self.count)
        column.addWidget(row(self.delete_button, self.mark_button, self.kinds))
        for combo in (self.layers, self.tables, self.measures, self.side, self.kinds):
            # Long names shall not make the dock wider than it is.
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            combo.setMinimumContentsLength(6)
        self.message = QLabel()
        self.message.setObjectName("measure_message")
        self.message.setWordWrap(True)
        self.message.hide()
        column.addWidget(self.message)
        column_in(self).addWidget(scrolled(inside))
        self.setMinimumSize(340, 460)

    def tell(self, text: str, wrong: bool = False) -> None:
        """Show a sentence at the foot; none for an empty one."""
        set_tone(self.message, "wrong" if wrong else "quiet")
        self.message.setText(text)
        self.message.setVisible(bool(text))
