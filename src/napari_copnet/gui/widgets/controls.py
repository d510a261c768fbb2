"""Small pieces of every dock: named fields, rows and columns, buttons, lists of layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSlider, QVBoxLayout, QWidget

W = TypeVar("W", bound=QWidget)


def named(widget: W, name: str, tip: str) -> W:
    """Give a widget a name and a tool tip, and return it."""
    widget.setObjectName(name)
    widget.setToolTip(tip)
    return widget


def row(*widgets: QWidget, wide: QWidget | None = None, spare: bool = False) -> QWidget:
    """Return widgets side by side.

    Sliders and lists, and the widget that is `wide`, take the room; `spare` leaves it at the end.
    """
    box = QWidget()
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        takes_room = widget is wide or isinstance(widget, QSlider | QComboBox)
        line.addWidget(widget, 1 if takes_room else 0)
    if spare:
        line.addStretch()
    return box


@contextlib.contextmanager
def quiet(widget: QWidget) -> Iterator[None]:
    """Change a widget without its signals."""
    before = widget.blockSignals(True)
    try:
        yield
    finally:
        widget.blockSignals(before)


def column_in(widget: QWidget, spacing: int | None = None) -> QVBoxLayout:
    """Lay a widget out as a column without a margin, and return the layout."""
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    if spacing is not None:
        column.setSpacing(spacing)
    return column


def canvas_button(text: str, name: str, tip: str) -> QPushButton:
    """Return a button that leaves the keyboard to the canvas."""
    button = named(QPushButton(text), name, tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def plain_button(text: str, name: str, tip: str) -> QPushButton:
    """Return a `canvas_button` of the proofreading dock: narrow, and blue while it is down."""
    button = canvas_button(text, name, tip)
    button.setStyleSheet(
        "QPushButton { padding: 4px 2px; }"
        "QPushButton:checked { background: #0277bd; color: white; }"
    )
    return button


def offer_layers(combo: QComboBox, layers: Sequence[Any], chosen: Any, otherwise: int = 0) -> None:
    """List layers to choose from, without a signal; `chosen` stays chosen where it is there."""
    with quiet(combo):
        combo.clear()
        for layer in layers:
            combo.addItem(layer.name, layer)
        combo.setCurrentIndex(layers.index(chosen) if chosen in layers else otherwise)
