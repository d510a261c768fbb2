"""The widgets of the dock for simulated gaps, without what they do."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_copnet.gui.simulation.units import SPANS
from napari_copnet.gui.widgets.controls import column_in, named, offer_layers, quiet, row
from napari_copnet.gui.widgets.dock import Dock, scrolled
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.widgets.gap_histogram import GapHistogram
from napari_copnet.gui.widgets.run_controls import Message, ProgressLine
from napari_copnet.gui.widgets.sliders import Sliders
from napari_copnet.params import DegradeParams

_PURPOSE = (
    "The closing network learns from true contours with simulated gaps. Move the sliders until "
    "these look like the gaps in your contours, or fit them."
)
NO_TRUTH = "Needs true contours: a labels layer of contours or cells, or an open session."


class SimulateForm(Dock):
    """What the dock for simulated gaps shows.

    Attributes
    ----------
    truths, reals : QComboBox
        Layers of true contours, and where real gaps are counted.
    unit : QComboBox
    sliders : Sliders
    again_button, fit_button, use_button : QPushButton
    histogram : GapHistogram
    message : Message
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("copnet_simulate")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(6)
        purpose = quiet_label(_PURPOSE)
        purpose.setMinimumHeight(50)
        column.addWidget(purpose)
        self.truths = named(QComboBox(), "true_contours", "True contours, or true cells.")
        self.truths.setPlaceholderText("no labels layer yet")
        column.addWidget(row(QLabel("True contours"), self.truths))
        self.hint = QLabel(NO_TRUTH)
        self.hint.setWordWrap(True)
        column.addWidget(self.hint)
        self.unit = named(QComboBox(), "unit", "Unit of radii and diffusion.")
        self.unit.addItem("px", "px")
        self.unit.addItem("µm", "um")
        column.addWidget(row(QLabel("Unit"), self.unit))
        self.sliders = Sliders(DegradeParams, SPANS)
        column.addWidget(self.sliders)
        self.area = quiet_label("The numbers of disks apply to 512 × 512 px.")
        column.addWidget(self.area)
        self.again_button = named(
            QPushButton("Other gaps"),
            "again",
            "Draw a new set of random gaps with the same settings.",
        )
        self.default_button = named(
            QPushButton("Reset"),
            "reset",
            "Go back to the settings of the paper and of the default model.",
        )
        column.addWidget(row(self.again_button, self.default_button))
        self.histogram = GapHistogram()
        column.addWidget(self.histogram)
        self.reals = named(
            QComboBox(),
            "real_gaps",
            "Gaps that you fixed in a session, or those of a contour map compared with the truth.",
        )
        column.addWidget(row(QLabel("Real gaps"), self.reals))
        self.fit_button = named(
            QPushButton("Fit to real gaps"),
            "fit",
            "Find the disks, radii and duration whose gaps match the real ones in length and "
            "number.",
        )
        self.use_button = named(
            QPushButton("Use for training"),
            "use",
            "Train the next closing network in this window with gaps like these.",
        )
        column.addWidget(row(self.fit_button, self.use_button))
        self.progress = ProgressLine()
        column.addWidget(self.progress)
        self.message = Message()
        column.addWidget(self.message)
        column.addStretch()
        whole = column_in(self)
        whole.addWidget(scrolled(inside, sideways=True))
        self.setMinimumSize(340, 420)

    def list_truths(self, layers: list[Any], chosen: Any) -> None:
        """Offer layers of true contours."""
        offer_layers(self.truths, layers, chosen, otherwise=-1)
        self.hint.setVisible(not layers)

    def list_reals(self, found: list[tuple[str, Any]], chosen: Any) -> None:
        """Offer where real gaps can be counted: (text, session or layer)."""
        with quiet(self.reals):
            self.reals.clear()
            self.reals.addItem("none", None)
            for text, value in found:
                self.reals.addItem(text, value)
            at = next((n for n, (_, v) in enumerate(found, 1) if v is chosen), len(found))
            self.reals.setCurrentIndex(at)
