"""Two histograms of gap lengths, one beside the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QWidget

from napari_copnet.evaluation.fit_gaps import Gaps

SIMULATED_COLOUR, REAL_COLOUR = "#ffb74d", "#4fc3f7"
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 22, 32
_BINS = 12


class GapHistogram(QWidget):
    """Gaps by length, simulated beside real, each by 1000 px of contour.

    Attributes
    ----------
    simulated, real : Gaps or None
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("gap_histogram")
        self.setMinimumHeight(170)
        self.simulated: Gaps | None = None
        self.real: Gaps | None = None
        self._text, self._dim = QColor("#f0f1f2"), QColor("#868e93")
        self.setToolTip("How many gaps of which length, by 1000 px of contour.")

    def show_gaps(self, simulated: Gaps | None, real: Gaps | None) -> None:
        """Draw these."""
        self.simulated, self.real = simulated, real
        self.update()

    def use_theme(self, theme: str) -> None:
        """Take text and line colours of a theme of napari."""
        from napari.utils.theme import get_theme

        colours: Any = get_theme(theme)
        self._text = QColor(colours.text.as_hex())
        self._dim = QColor(colours.secondary.as_hex())
        self.update()

    def edges(self) -> np.ndarray:
        """Return the borders of the bins, px: up to the longest gap but for the last 2 %."""
        lengths = [g.lengths for g in (self.simulated, self.real) if g and len(g.lengths)]
        longest = max((float(np.quantile(values, 0.98)) for values in lengths), default=60.0)
        width = max(1, int(np.ceil(longest / _BINS)))
        return np.arange(_BINS + 1) * width

    def heights(self, gaps: Gaps | None) -> np.ndarray:
        """Return gaps by 1000 px of contour in each bin; longer ones count in the last."""
        edges = self.edges()
        if gaps is None or not gaps.contour:
            return np.zeros(_BINS)
        lengths = np.minimum(gaps.lengths, edges[-1] - 0.5)
        return 1000 * np.histogram(lengths, edges)[0] / gaps.contour

    def paintEvent(self, _event: Any) -> None:
        """Draw bars, axes and names."""
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        area = QRectF(
            _LEFT,
            _TOP,
            max(1, self.width() - _LEFT - _RIGHT),
            max(1, self.height() - _TOP - _BOTTOM),
        )
        bars = [self.heights(self.simulated), self.heights(self.real)]
        top = max(0.1, *(float(values.max()) for values in bars))
        painter.setPen(QPen(self._dim, 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        slot = area.width() / _BINS
        for place, (values, colour) in enumerate(
            zip(bars, (SIMULATED_COLOUR, REAL_COLOUR), strict=True)
        ):
            for number, value in enumerate(values):
                height = area.height() * float(value) / top
                painter.fillRect(
                    QRectF(
                        area.left() + number * slot + place * 0.45 * slot + 1,
                        area.bottom() - height,
                        0.43 * slot,
                        height,
                    ),
                    QColor(colour),
                )
        self._paint_words(painter, area, top)
        painter.end()

    def _paint_words(self, painter: QPainter, area: QRectF, top: float) -> None:
        painter.setPen(self._text)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, area.top() - 8, _LEFT - 5, 16), right, f"{top:.2g}")
        painter.drawText(QRectF(0, area.bottom() - 8, _LEFT - 5, 16), right, "0")
        edges = self.edges()
        for number in range(0, _BINS + 1, 3):
            x = area.left() + area.width() * number / _BINS
            plus = "+" if number == _BINS else ""
            at = QRectF(x - 24, area.bottom() + 2, 48, 14)
            painter.drawText(at, Qt.AlignmentFlag.AlignHCenter, f"{edges[number]:.0f}{plus}")
        along = QRectF(area.left(), area.bottom() + 16, area.width(), 14)
        painter.drawText(along, Qt.AlignmentFlag.AlignHCenter, "length of gap (px)")
        x = 4.0
        for gaps, name, colour in (
            (self.simulated, "simulated", SIMULATED_COLOUR),
            (self.real, "real", REAL_COLOUR),
        ):
            count = "none yet" if gaps is None else str(len(gaps.lengths))
            text = f"■ {name}: {count}"
            painter.setPen(QColor(colour))
            painter.drawText(QRectF(x, 3, 180, 16), 0, text)
            x += painter.fontMetrics().horizontalAdvance(text) + 14
        painter.setPen(self._text)
        words = QRectF(x, 3, max(0.0, self.width() - x - 6), 16)
        painter.drawText(words, right, "by 1000 px of contour")
