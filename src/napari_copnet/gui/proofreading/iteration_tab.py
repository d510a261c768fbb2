"""The tab of the proofreading dock that shows how closing went, without what it does."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_copnet.gui.widgets.controls import named, offer_layers, plain_button, row
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.widgets.iteration_plot import IterationPlot
from napari_copnet.gui.widgets.lazy_rows import RowsView


class IterationTab(QScrollArea):
    """How closing went.

    Attributes
    ----------
    show_iteration, number : QCheckBox, QSpinBox
        Whether the contour of an iteration is shown over the session's, and which.
    unsettled : QCheckBox
        List only slices that oscillate or did not converge.
    slices_view : RowsView
    changed_plot, cells_plot : IterationPlot
        By slice.
    truths : QComboBox
    score_button : QPushButton
    iteration_scores, edit_scores : IterationPlot
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("course")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(4, 4, 4, 4)
        self.hint = quiet_label()
        column.addWidget(self.hint)
        self.show_iteration = named(
            QCheckBox("Contour after iteration"),
            "show_iteration",
            "Overlay the contour of an iteration on the current one.",
        )
        self.number = named(QSpinBox(), "shown_iteration", "0 is Step 1.")
        self.iteration_row = row(self.show_iteration, self.number, spare=True)
        column.addWidget(self.iteration_row)
        self.unsettled = named(
            QCheckBox("Only slices that did not converge"),
            "only_unsettled",
            "List only slices that oscillate or did not converge.",
        )
        column.addWidget(self.unsettled)
        self.slices_view = RowsView("slices", stretched=3)
        column.addWidget(self.slices_view)
        self.changed_plot = IterationPlot(
            "Changed in the last iteration, by slice", percent=True, over="slice"
        )
        self.cells_plot = IterationPlot("Cells now, by slice", over="slice")
        column.addWidget(self.changed_plot)
        column.addWidget(self.cells_plot)
        self.truths = named(QComboBox(), "session_truth", "True cells, or a mask of true contours.")
        self.truths.setPlaceholderText("no labels layer yet")
        # Names of layers may be long; the dock is not wide.
        self.truths.setMinimumWidth(90)
        self.score_button = plain_button(
            "Score",
            "score_session",
            "Plot cells labelled, merged and split by iteration and by edit.",
        )
        column.addWidget(row(QLabel("Truth"), self.truths, self.score_button))
        self.iteration_scores = IterationPlot("Truth, by iteration", percent=True, highest=1.0)
        self.edit_scores = IterationPlot("Truth, by edit", percent=True, highest=1.0, over="edit")
        for plot in (self.iteration_scores, self.edit_scores):
            plot.hide()
            column.addWidget(plot)
        column.addStretch()
        for box in (self.show_iteration, self.unsettled, self.truths):
            box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.number.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setWidget(inside)

    def list_truths(self, truths: list[Any]) -> None:
        """Offer layers to score against; one chosen before stays chosen."""
        offer_layers(self.truths, truths, self.truths.currentData())
        self.score_button.setEnabled(bool(truths))
