"""A card with the keys, on the key ``?``."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_copnet.gui.proofreading.tool_list import TOOLS

_ALWAYS = (
    ("?", "This card"),
    ("Ctrl+Shift+P", "Find any command by its name"),
    ("← →", "Previous, next slice"),
)
_ANSWERS = (
    ("N  P", "Next, previous item"),
    ("Enter", "Yes: accept what is shown"),
    ("Backspace", "No: reject what is shown"),
    ("Escape", "Put the tool away"),
    ("U, Ctrl+Z", "Undo"),
    ("Ctrl+Shift+Z", "Redo"),
    ("[  ]", "Smaller, larger brush"),
)


class KeyCard(QDialog):
    """All keys; any key or click closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("key_card")
        self.setWindowTitle("Keys")
        self.setWindowFlag(Qt.WindowType.Tool)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        tools = tuple((tool.key, tool.label) for tool in TOOLS)
        for title, keys in (
            ("Always", _ALWAYS),
            ("While correcting", _ANSWERS),
            ("Tools for correcting", tools),
        ):
            column.addWidget(QLabel(f"<b>{title}</b>"))
            column.addLayout(_grid(keys))

    def keyPressEvent(self, _event: object) -> None:
        """Close."""
        self.close()

    def mousePressEvent(self, _event: object) -> None:
        """Close."""
        self.close()


def _grid(keys: tuple[tuple[str, str], ...]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(14)
    half = (len(keys) + 1) // 2 if len(keys) > 8 else len(keys)
    for number, (key, meaning) in enumerate(keys):
        row, column = number % half, 2 * (number // half)
        name = QLabel(f"<b>{key}</b>")
        grid.addWidget(name, row, column)
        grid.addWidget(QLabel(meaning), row, column + 1)
    grid.setColumnStretch(grid.columnCount(), 1)
    return grid


def show_keys(window: QWidget) -> KeyCard:
    """Show the card over a window."""
    card = KeyCard(window)
    card.show()
    card.raise_()
    card.setFocus()
    return card


def on_question_mark(window: QWidget, act: Callable[[], None]) -> QShortcut:
    """Have ``?`` do something wherever no text is typed, on every layout of the keyboard."""
    shortcut = QShortcut(window)
    shortcut.setKeys([QKeySequence("?"), QKeySequence("Shift+?")])
    shortcut.activated.connect(act)
    return shortcut
