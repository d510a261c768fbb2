"""Small plots by iteration, painted without a plotting library so that each costs a millisecond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QWidget

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 22, 20
_SMALLEST = 1e-5  # of a logarithmic axis


@dataclass(frozen=True)
class Series:
    """Values by iteration.

    Attributes
    ----------
    name, colour : str
    values : mapping of int to float
    """

    name: str
    colour: str
    values: Mapping[int, float]


class IterationPlot(QWidget):
    """Plot one or more series against the iteration; a click picks an iteration.

    Parameters
    ----------
    title : str
    percent : bool
        Values are shares from 0 to 1.
    logarithmic : bool
        For values that fall by orders of magnitude; 0 is drawn at the foot.
    line : (float, str), optional
        A level to be compared with, and its name.
    highest : float, optional
        Top of the axis; from the values when not given.
    over : str
        What is counted along the other axis: an iteration, a slice, an edit.
    empty, tip : str, optional
        What it says without values, and under the mouse; without a tip it can't be clicked.

    Attributes
    ----------
    series : tuple of Series
    current : int or None
        The iteration in view, marked by a line.
    picked : Signal
        The iteration that was clicked on.
    """

    picked = Signal(int)

    def __init__(
        self,
        title: str,
        *,
        percent: bool = False,
        logarithmic: bool = False,
        line: tuple[float, str] | None = None,
        highest: float | None = None,
        over: str = "iteration",
        empty: str | None = None,
        tip: str | None = None,
    ) -> None:
        super().__init__()
        self.title = title
        self.series: tuple[Series, ...] = ()
        self.current: int | None = None
        self._percent, self._logarithmic = percent, logarithmic
        self._line, self._highest = line, highest
        self._text, self._dim = QColor("#f0f1f2"), QColor("#868e93")
        self.setMinimumHeight(118)
        self._empty = f"Appears after the first {over}." if empty is None else empty
        tip = f"Click to go to the {over}." if tip is None else tip
        if tip:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(tip)

    def show_series(self, *series: Series) -> None:
        """Draw these series."""
        self.series = series
        self.update()

    def mark(self, iteration: int | None) -> None:
        """Mark the iteration in view."""
        if iteration != self.current:
            self.current = iteration
            self.update()

    def use_theme(self, theme: str) -> None:
        """Take text and line colours of a theme of napari."""
        from napari.utils.theme import get_theme

        colours: Any = get_theme(theme)
        self._text = QColor(colours.text.as_hex())
        self._dim = QColor(colours.current.as_hex()).lighter(110)
        self._dim = QColor(colours.secondary.as_hex()) if not self._dim.isValid() else self._dim
        self.update()

    # Geometry ----------------------------------------------------------------

    def _last(self) -> int:
        return max([1, *(max(s.values, default=1) for s in self.series)])

    def _first(self) -> int:
        return min([1, *(min(s.values, default=1) for s in self.series)])

    def _range(self) -> tuple[float, float]:
        values = [v for s in self.series for v in s.values.values() if not math.isnan(v)]
        if self._line is not None:
            values.append(0.5 * self._line[0])  # so that the level is not the foot of the plot
        top = self._highest if self._highest is not None else max(values, default=1.0) or 1.0
        if self._logarithmic:
            low = max(_SMALLEST, min((v for v in values if v > 0), default=_SMALLEST))
            return 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(max(top, low)))
        if self._highest is not None:
            return 0.0, top
        low = min(values, default=0.0)
        # nnU-Net's loss falls below 0
        return (-_round_up(-low) if low < 0 else 0.0), (_round_up(top) if top > 0 else 0.0)

    def _area(self) -> QRectF:
        return QRectF(
            _LEFT, _TOP, max(1, self.width() - _LEFT - _RIGHT), max(1, self.height() - _TOP - 20)
        )

    def point(self, iteration: int, value: float) -> QPointF:
        """Return where a value is drawn."""
        area, (low, high) = self._area(), self._range()
        first, last = self._first(), self._last()
        along = 0.5 if last == first else (iteration - first) / (last - first)
        if self._logarithmic:
            spread = math.log10(high / low) or 1.0
            up = math.log10(max(value, low) / low) / spread
        else:
            up = (value - low) / ((high - low) or 1.0)
        return QPointF(area.left() + along * area.width(), area.bottom() - up * area.height())

    # Qt ----------------------------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:
        """Pick the iteration nearest to the click."""
        if event.button() != Qt.MouseButton.LeftButton or not any(s.values for s in self.series):
            return
        area, first, last = self._area(), self._first(), self._last()
        along = (event.position().x() - area.left()) / area.width()
        self.picked.emit(min(last, max(first, round(first + along * (last - first)))))

    def paintEvent(self, _event: Any) -> None:
        """Draw axes, the level, the series and the mark."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        area = self._area()
        painter.setPen(self._text)
        painter.drawText(QRectF(4, 2, self.width() - 8, 18), 0, self.title)
        self._paint_axes(painter, area)
        if not any(s.values for s in self.series):
            painter.setPen(self._dim.lighter(150))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._empty)
            return
        if self.current is not None and self._first() <= self.current <= self._last():
            x = self.point(self.current, self._range()[1]).x()
            painter.setPen(QPen(self._text, 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        for series in self.series:
            self._paint_series(painter, series)
        self._paint_names(painter)

    def _paint_axes(self, painter: QPainter, area: QRectF) -> None:
        low, high = self._range()
        painter.setPen(QPen(self._dim, 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        ticks = [low, high] if not self._logarithmic else _decades(low, high)
        aligned = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for tick in ticks:
            y = self.point(self._first(), tick).y()
            painter.setPen(QPen(self._dim, 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(self._text)
            painter.drawText(QRectF(0, y - 8, _LEFT - 5, 16), aligned, self._said(tick))
        first, last = self._first(), self._last()
        step = max(1, math.ceil((last - first) / 8))
        for iteration in range(first, last + 1, step):
            x = self.point(iteration, low).x()
            painter.setPen(self._text)
            at = QRectF(x - 20, area.bottom() + 3, 40, 15)
            painter.drawText(at, Qt.AlignmentFlag.AlignHCenter, str(iteration))
        if self._line is not None:
            level, name = self._line
            y = self.point(first, level).y()
            painter.setPen(QPen(QColor("#ffb74d"), 1.2, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            # Under its line: the values come down to it from above.
            at = QRectF(area.left(), y + 1, area.width() - 2, 14)
            painter.drawText(at, Qt.AlignmentFlag.AlignRight, name)

    def _paint_series(self, painter: QPainter, series: Series) -> None:
        points = [self.point(n, v) for n, v in sorted(series.values.items()) if not math.isnan(v)]
        painter.setPen(QPen(QColor(series.colour), 1.8))
        painter.setBrush(QColor(series.colour))
        for before, after in pairwise(points):
            painter.drawLine(before, after)
        for point in points:
            painter.drawEllipse(point, 2.6, 2.6)

    def _paint_names(self, painter: QPainter) -> None:
        """Write the newest value of each series in its colour, at the right of the title."""
        right = self.width() - 6.0
        for series in reversed(self.series):
            if not series.values:
                continue
            at, values = self.current, series.values
            shown = at if at is not None and at in values else max(values)
            text = f"{series.name} {self._said(values[shown])}"
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.setPen(QColor(series.colour))
            painter.drawText(QPointF(right - width, 15), text)
            right -= width + 10

    def _said(self, value: float) -> str:
        return f"{100 * value:.3g} %" if self._percent else f"{value:.5g}".rstrip()


def _round_up(value: float) -> float:
    """Return the next value of one or two digits."""
    digit = 10.0 ** math.floor(math.log10(value))
    return next(n * digit for n in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if n * digit >= value)


def _decades(low: float, high: float) -> list[float]:
    first, last = round(math.log10(low)), round(math.log10(high))
    step = max(1, math.ceil((last - first) / 4))
    return [10.0**power for power in range(first, last + 1, step)]
