"""A histogram of one measure, with the part that a limit chooses in another colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QWidget

BAR_COLOUR, CHOSEN_COLOUR = "#4fc3f7", "#ffb74d"
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 8, 32
_BINS = 40
# Values that differ by more are drawn along a logarithmic axis.
_WIDE = 100


class ValueHistogram(QWidget):
    """Counts of rows by a measure; a click sets the limit there.

    Attributes
    ----------
    counts : ndarray, int
    edges : ndarray
        Borders of the bins: from the lowest value to the highest, but for the outermost 1 %.
    picked : Signal
        The value that was clicked.
    """

    picked = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("measure_histogram")
        self.setMinimumHeight(130)
        self.setToolTip(
            "Number of rows by the chosen measure. Click to set the limit of the filter."
        )
        self.counts, self.edges = np.zeros(0, np.int64), np.zeros(1)
        self._title = ""
        self._logarithmic = False
        self._chosen: tuple[float, float] | None = None
        self._text, self._dim = QColor("#f0f1f2"), QColor("#868e93")

    def show_values(self, values: np.ndarray, title: str) -> None:
        """Draw the values of a measure; those at either end count in the outermost bins."""
        there = values[np.isfinite(values)]
        self._title = title
        if not there.size:
            self.counts, self.edges = np.zeros(0, np.int64), np.zeros(1)
        else:
            low, high = (float(v) for v in np.quantile(there, (0.005, 0.995)))
            if high <= low:
                low, high = low - 0.5, high + 0.5
            self._logarithmic = low > 0 and high / low > _WIDE
            space = np.geomspace if self._logarithmic else np.linspace
            self.edges = space(low, high, _BINS + 1)
            self.counts = np.histogram(np.clip(there, low, high), self.edges)[0]
        self.update()

    def show_range(self, low: float, high: float) -> None:
        """Colour what lies between two values."""
        self._chosen = (low, high)
        self.update()

    def use_theme(self, theme: str) -> None:
        """Take text and line colours of a theme of napari."""
        from napari.utils.theme import get_theme

        colours: Any = get_theme(theme)
        self._text = QColor(colours.text.as_hex())
        self._dim = QColor(colours.secondary.as_hex())
        self.update()

    def mousePressEvent(self, event: Any) -> None:
        """Tell the value at the mouse."""
        if self.counts.size and event.button() == Qt.MouseButton.LeftButton:
            area = self._area()
            share = (event.position().x() - area.left()) / area.width()
            self.picked.emit(self.value_at(min(max(share, 0.0), 1.0)))

    def value_at(self, share: float) -> float:
        """Return the value at a share of the axis, 0 to 1."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        return low * (high / low) ** share if self._logarithmic else low + share * (high - low)

    def paintEvent(self, _event: Any) -> None:
        """Draw bars, axes and names."""
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        area = self._area()
        painter.setPen(QPen(self._dim, 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        top = max(1, int(self.counts.max(initial=0)))
        slot = area.width() / _BINS
        for number, count in enumerate(self.counts):
            middle = float(self.edges[number] + self.edges[number + 1]) / 2
            chosen = self._chosen is not None and self._chosen[0] <= middle <= self._chosen[1]
            height = area.height() * float(count) / top
            bar = QRectF(
                area.left() + number * slot + 0.5, area.bottom() - height, slot - 1, height
            )
            painter.fillRect(bar, QColor(CHOSEN_COLOUR if chosen else BAR_COLOUR))
        painter.setPen(self._text)
        right = Qt.AlignmentFlag.AlignRight
        if self.counts.size:
            painter.drawText(QRectF(0, area.top() - 4, _LEFT - 5, 16), right, str(top))
            painter.drawText(QRectF(0, area.bottom() - 8, _LEFT - 5, 16), right, "0")
            for share in (0.0, 0.5, 1.0):
                value = self.value_at(share)
                x = area.left() + share * area.width()
                at = QRectF(min(x - 30, self.width() - 60), area.bottom() + 2, 60, 14)
                painter.drawText(at, Qt.AlignmentFlag.AlignHCenter, f"{value:.3g}")
        along = QRectF(area.left(), area.bottom() + 16, area.width(), 14)
        painter.drawText(along, Qt.AlignmentFlag.AlignHCenter, self._title)
        painter.end()

    def _area(self) -> QRectF:
        width = max(1, self.width() - _LEFT - _RIGHT)
        return QRectF(_LEFT, _TOP, width, max(1, self.height() - _TOP - _BOTTOM))
