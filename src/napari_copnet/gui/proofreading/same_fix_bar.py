"""The line of the proofreading dock that offers the same fix for neighbouring slices."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_copnet.gui.widgets.controls import plain_button


class SameFixBar(QFrame):
    """What is proposed, and the buttons to look at it, take it or drop it.

    Attributes
    ----------
    text : QLabel
    look_button, yes_button, no_button, all_button, drop_button : QPushButton
        Before looking: look, take all, drop. While looking: yes, no, take the rest, drop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("same_fix")
        self.setStyleSheet("#same_fix { background: #3a3420; border-left: 3px solid #ffd54f; }")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 6, 6)
        column.setSpacing(4)
        self.text = QLabel()
        self.text.setWordWrap(True)
        column.addWidget(self.text)
        self.look_button = plain_button(
            "Review  T", "same_fix_look", "Step through the slices one by one (T)."
        )
        self.yes_button = plain_button(
            "Yes ⏎", "same_fix_yes", "Make the same fix in this slice (Enter)."
        )
        self.no_button = plain_button("No ⌫", "same_fix_no", "Skip this slice (Backspace).")
        self.all_button = plain_button(
            "Accept all",
            "same_fix_all",
            "Make the fix in all proposed slices; one undo reverts it.",
        )
        self.drop_button = plain_button(
            "Discard", "same_fix_drop", "Make the fix in none of these slices (Escape)."
        )
        line = QHBoxLayout()
        for button in self.buttons:
            line.addWidget(button)
        column.addLayout(line)
        self.hide()

    @property
    def buttons(self) -> tuple[QPushButton, ...]:
        """All buttons."""
        return (
            self.look_button,
            self.yes_button,
            self.no_button,
            self.all_button,
            self.drop_button,
        )

    def offer(self, text: str, looking: bool) -> None:
        """Show a sentence and the buttons that go with it."""
        self.text.setText(text)
        self.look_button.setVisible(not looking)
        self.yes_button.setVisible(looking)
        self.no_button.setVisible(looking)
        self.all_button.setText("Accept the rest" if looking else "Accept all")
        self.show()
