"""The widgets of the dock for iterations."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_copnet.gui.widgets.controls import column_in, named, offer_layers, row
from napari_copnet.gui.widgets.dock import Dock, scrolled
from napari_copnet.gui.widgets.iteration_plot import IterationPlot
from napari_copnet.params import ClosingParams

NO_LAYER = (
    "Needs iterations: run the steps up to Closing, or open the folder of a run that kept them."
)


class IterationsForm(Dock):
    """What the dock for iterations shows, without what it does.

    Attributes
    ----------
    layers, truths : QComboBox
        The iterations looked at, and a truth to score them against.
    changed_plot, cells_plot, score_plot : IterationPlot
    slider : QSlider
        Position along the iterations.
    first, second : QSpinBox
        The two iterations compared, as positions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("copnet_iterations")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(6)
        self.layers = named(QComboBox(), "iterations_layer", "The iterations to inspect.")
        column.addWidget(self.layers)
        self.hint = QLabel(NO_LAYER)
        self.hint.setWordWrap(True)
        column.addWidget(self.hint)
        tolerance = ClosingParams().tolerance
        self.changed_plot = IterationPlot(
            "Changed pixels",
            percent=True,
            logarithmic=True,
            line=(tolerance, f"converged under {100 * tolerance:.2g} %"),
        )
        self.cells_plot = IterationPlot("Cell profiles, all slices")
        column.addWidget(self.changed_plot)
        column.addWidget(self.cells_plot)

        self.slider = named(
            QSlider(Qt.Orientation.Horizontal),
            "iteration_slider",
            "Drag to step through the iterations.",
        )
        self.slider.setPageStep(1)
        self.at = QLabel()
        self.at.setMinimumWidth(84)
        column.addWidget(row(QLabel("Iteration"), self.slider, self.at))

        self.first = named(QSpinBox(), "iteration_a", "The earlier iteration; 0 is Step 1.")
        self.second = named(QSpinBox(), "iteration_b", "The later iteration.")
        column.addWidget(row(QLabel("Compare"), self.first, QLabel("with"), self.second))
        self.side_button = named(
            QPushButton("Side by side"), "side_by_side", "Two canvases with linked cameras."
        )
        self.side_button.setCheckable(True)
        self.difference_button = named(
            QPushButton("Difference"),
            "difference",
            "Show contour added and removed between the two iterations.",
        )
        self.births_button = named(
            QPushButton("Closed when"),
            "births",
            "Colour each contour pixel by the iteration in which it was closed.",
        )
        column.addWidget(row(self.side_button, self.difference_button, self.births_button))
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        column.addWidget(self.legend)

        self.truths = named(QComboBox(), "truth", "True cells, or a mask of true contours.")
        self.truths.setPlaceholderText("no labels to compare with")
        self.score_button = named(
            QPushButton("Score"), "score", "Plot labelled, merged and split cells by iteration."
        )
        column.addWidget(row(QLabel("Truth"), self.truths, self.score_button))
        self.score_plot = IterationPlot("Cells of the truth", percent=True, highest=1.0)
        self.score_plot.hide()
        column.addWidget(self.score_plot)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.hide()
        column.addWidget(self.message)
        column.addStretch()
        whole = column_in(self)
        whole.addWidget(scrolled(inside))
        # Under another dock the plots would have no room otherwise.
        self.setMinimumSize(320, 420)

    def list_layers(self, iterations: list[Any], chosen: Any, truths: list[Any]) -> None:
        """Offer layers to look at and to score against; a truth chosen before stays chosen."""
        offer_layers(self.layers, iterations, chosen)
        self.layers.setVisible(len(iterations) > 1)
        self.hint.setVisible(not iterations)
        offer_layers(self.truths, truths, self.truths.currentData())
