"""Buttons of the proofreading dock."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_copnet.gui.iterations.iterations_form import named


def plain_button(text: str, name: str, tip: str) -> QPushButton:
    """Return a button that leaves the keyboard to the canvas."""
    button: QPushButton = named(QPushButton(text), name, tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.setStyleSheet(
        "QPushButton { padding: 4px 2px; }"
        "QPushButton:checked { background: #0277bd; color: white; }"
    )
    return button
