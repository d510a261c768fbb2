"""Sliders for some settings of a parameter class, each with its number to type into."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget
from superqt import QLabeledDoubleSlider, QLabeledSlider

from napari_copnet.gui.widgets.controls import quiet
from napari_copnet.gui.widgets.params_form import tooltip
from napari_copnet.params import field_type, settings


class Span(NamedTuple):
    """What a slider reaches; a typed value may lie beyond its end."""

    low: float
    high: float
    step: float = 1.0


class Sliders(QWidget):
    """A slider for each of some settings.

    Parameters
    ----------
    kind : type
        A dataclass of `params`.
    spans : mapping of str to Span
        Which settings, and from where to where.

    Attributes
    ----------
    rows : dict of str to slider
    changed : Signal
        Sent when the user, but not `set`, changed something.
    """

    changed = Signal()

    def __init__(self, kind: type, spans: Mapping[str, Span]) -> None:
        super().__init__()
        self.kind = kind
        self._base = kind()
        self.rows: dict[str, Any] = {}
        self.labels: dict[str, QLabel] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(2)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in spans:
            setting = settings(kind)[name]
            whole = field_type(kind, name) is int
            slider = (QLabeledSlider if whole else QLabeledDoubleSlider)(Qt.Orientation.Horizontal)
            slider.setObjectName(name)
            slider.setToolTip(tooltip(setting))
            slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            slider.valueChanged.connect(lambda _: self.changed.emit())
            label = QLabel(setting.label)
            label.setToolTip(tooltip(setting))
            self.rows[name], self.labels[name] = slider, label
            form.addRow(label, slider)
        self.reach(spans)
        self.set(self._base)

    def reach(self, spans: Mapping[str, Span]) -> None:
        """Let sliders reach other values, without a signal."""
        for name, span in spans.items():
            slider = self.rows[name]
            whole = not isinstance(slider, QLabeledDoubleSlider)
            sort = int if whole else float
            with quiet(slider):
                slider.setRange(sort(span.low), sort(span.high))
                slider.setSingleStep(sort(span.step))
                if not whole:
                    slider.setDecimals(len(f"{span.step:f}".rstrip("0").partition(".")[2]))

    def get(self) -> Any:
        """Return the settings as an instance of the class."""
        values = {
            name: field_type(self.kind, name)(slider.value()) for name, slider in self.rows.items()
        }
        return dataclasses.replace(self._base, **values)

    def set(self, params: Any) -> None:
        """Show the values of an instance of the class, reaching farther where they need it."""
        self._base = params
        for name, slider in self.rows.items():
            value = getattr(params, name)
            with quiet(slider):
                if value > slider.maximum():
                    slider.setMaximum(value)
                slider.setValue(value)
