"""What every section of the dock has: a title, what it needs, what it did, what comes next."""

from __future__ import annotations

import enum

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_copnet.gui.widgets.colours import set_tone


class Mark(enum.Enum):
    """State of a section, with its sign and the tone of its colour."""

    WAITING = ("○", "waiting")
    READY = ("○", "now")
    RUNNING = ("◐", "now")
    DONE = ("●", "done")
    # Done, and what came of it is not to be trusted.
    RAN = ("●", "quiet")
    DOUBTFUL = ("!", "ask")
    CHANGED = ("◍", "ask")
    FAILED = ("✕", "wrong")


class DockSection(QFrame):
    """One step of the work.

    Parameters
    ----------
    number : int
        In the order of work; 0 for none.
    title : str
    purpose : str
        One sentence on what the step is for.
    stage : str
        Name in the pipeline; empty for a step that does not run.
    """

    def __init__(self, number: int, title: str, purpose: str, stage: str = "") -> None:
        super().__init__()
        self.stage = stage
        self.setObjectName(f"section_{stage or title.lower()}")
        self.setFrameShape(QFrame.Shape.NoFrame)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(4)
        head = QHBoxLayout()
        self._sign = QLabel()
        name = QLabel(f"<b>{number}&nbsp; {title}</b>" if number else f"<b>{title}</b>")
        name.setToolTip(purpose)
        head.addWidget(self._sign)
        head.addWidget(name)
        head.addStretch()
        self.run_button: QPushButton | None = None
        if stage:
            self.run_button = QPushButton("Run to here")
            self.run_button.setObjectName(f"run_to_{stage}")
            self.run_button.setToolTip(f"Run the steps up to {title} and stop there.")
            self.run_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            head.addWidget(self.run_button)
        column.addLayout(head)
        self._text = quiet_label(purpose)
        self._text.setObjectName("status")
        column.addWidget(self._text)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(4)
        column.addLayout(self.body)
        self.tell(Mark.WAITING, purpose)

    def tell(self, mark: Mark, text: str, then: str = "") -> None:
        """Show the state, what was done or is needed, and what comes next."""
        self.mark = mark
        sign, tone = mark.value
        self._sign.setText(sign)
        set_tone(self._sign, tone)
        self._text.setText(f"{text} {then}".strip())

    @property
    def text(self) -> str:
        """What the section says."""
        return self._text.text()

    def add(self, widget: QWidget) -> None:
        """Add a widget under what is there."""
        self.body.addWidget(widget)


def quiet_label(text: str = "") -> QLabel:
    """Return a label for sentences: wrapped, a little dimmer."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    set_tone(label, "quiet")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
