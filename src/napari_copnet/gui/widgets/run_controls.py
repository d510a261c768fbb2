"""The foot of the dock: Run and Cancel, how far it is, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_copnet.errors import CopnetError
from napari_copnet.gui.widgets.controls import column_in, named
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.gui.widgets.pace import Pace, RunPace
from napari_copnet.progress import Progress


class RunControls(QFrame):
    """Buttons, progress and messages that stay in sight while the sections scroll.

    Attributes
    ----------
    slices : int
        Of the stack that is run, to tell the time left.
    """

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        self.message = Message()
        column.addWidget(self.message)
        self.progress_text = quiet_label()
        self.progress_text.setObjectName("progress_text")
        self.bar = Bar()
        column.addWidget(self.progress_text)
        column.addWidget(self.bar)
        self._above = column_in(extra := QWidget())
        column.addWidget(extra)
        row = QHBoxLayout()
        self.run_button = QPushButton("Run all")
        self.run_button.setObjectName("run_all")
        self.run_button.setStyleSheet(
            "QPushButton { background: #2e7d32; color: white; font-weight: bold; padding: 6px; }"
            "QPushButton:hover { background: #388e3c; }"
            "QPushButton:disabled { background: #3a3f47; color: #777; }"
        )
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("cancel")
        self.cancel_button.setStyleSheet("QPushButton { padding: 6px; }")
        row.addWidget(self.run_button, 2)
        row.addWidget(self.cancel_button, 1)
        column.addLayout(row)
        self._pace = RunPace()
        self.slices = 1
        self._is_part = False
        self.rest()

    def as_part(self) -> None:
        """Leave Run to the dock that holds this; Cancel shows while something runs."""
        self._is_part = True
        self.run_button.hide()
        self.cancel_button.setVisible(self.cancel_button.isEnabled())

    @property
    def share(self) -> float:
        """How far the work is, 0 to 1."""
        return self.bar.share

    def add(self, widget: QWidget) -> None:
        """Add a widget above the buttons."""
        self._above.addWidget(widget)

    def start(self) -> None:
        """Show that work has begun."""
        self.message.clear()
        self._pace = RunPace(self.slices)
        self.progress_text.setText("Starting …")
        self.progress_text.show()
        self.bar.set(0.0)
        self.bar.show()
        self.cancel_button.setEnabled(True)
        self.cancel_button.show()

    def show_progress(self, progress: Progress) -> None:
        """Show how far a step is, with the time left."""
        if not progress.unit:
            return
        self.progress_text.setText(self._pace.text(progress))
        self.bar.set(self._pace.share(progress))

    def stopping(self) -> None:
        """Show that Cancel was heard."""
        self.progress_text.setText("Stopping …")
        self.cancel_button.setEnabled(False)

    def rest(self) -> None:
        """Show that nothing runs."""
        self.progress_text.hide()
        self.bar.hide()
        self.cancel_button.setEnabled(False)
        self.cancel_button.setVisible(not self._is_part)


class Bar(QWidget):
    """How far a step is. A QProgressBar would paint the window anew at once with each value."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setFixedHeight(8)
        self.share = 0.0

    def set(self, share: float) -> None:
        """Show a share, 0 to 1."""
        self.share = min(1.0, max(0.0, share))
        self.update()

    def paintEvent(self, _event: Any) -> None:
        """Paint the bar."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#3a3f47"))
        done = self.rect()
        done.setWidth(round(done.width() * self.share))
        painter.fillRect(done, QColor("#4fc3f7"))
        painter.end()


class ProgressLine(QWidget):
    """How far a piece of work is, in words and as a bar; hidden while nothing runs."""

    def __init__(self) -> None:
        super().__init__()
        column = column_in(self, 4)
        self._text, self._bar = quiet_label(), Bar()
        column.addWidget(self._text)
        column.addWidget(self._bar)
        self.start()
        self.rest()

    def start(self) -> None:
        """Begin anew: times are those of this piece of work."""
        self._pace = Pace()

    def show_progress(self, news: list[Progress]) -> None:
        """Show the last of what came."""
        last = news[-1]
        self._text.setText(self._pace.text(last))
        self._bar.set(last.done / last.total if last.total else 0.0)
        self.show()

    def rest(self) -> None:
        """Show that nothing runs."""
        self.hide()


class Message(QFrame):
    """One sentence and its hint, until it is closed or the next run starts."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self._is_error = False
        column = column_in(self, 6)
        column.setContentsMargins(8, 6, 4, 6)
        row = QHBoxLayout()
        column.addLayout(row)
        self._answers = QVBoxLayout()
        self._answers.setContentsMargins(0, 0, 4, 0)
        column.addLayout(self._answers)
        self._text = QLabel()
        self._text.setObjectName("message_text")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setText("✕")
        close.setToolTip("Close this message.")
        close.clicked.connect(self.clear)
        row.addWidget(self._text, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.clear()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def error(self, error: CopnetError) -> None:
        """Show what went wrong."""
        self._is_error = True
        self._show(f"{error.message}\n{error.hint}".strip(), "#5d2a20", "#ff8a65")

    def note(self, text: str) -> None:
        """Show something worth knowing."""
        self._is_error = False
        self._show(text, "#26384a", "#4fc3f7")

    def clear_note(self) -> None:
        """Hide what is only worth knowing; an error stays."""
        if not self._is_error:
            self.clear()

    def ask(self, text: str, answers: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Show what has to be known, and a button for each answer."""
        self.note(text)
        for answer, act in answers:
            button = named(QPushButton(answer), "answer", "Open it so.")
            button.clicked.connect(lambda _=False, act=act: act())
            self._answers.addWidget(button)

    def clear(self) -> None:
        """Hide it."""
        self._clear_answers()
        self._text.setText("")
        self.hide()

    def _clear_answers(self) -> None:
        while (item := self._answers.takeAt(0)) is not None:
            button = item.widget()
            if button is not None:
                button.hide()
                button.deleteLater()

    def _show(self, text: str, back: str, edge: str) -> None:
        self._clear_answers()
        self.setStyleSheet(
            f"QFrame#message {{ background: {back}; border-left: 3px solid {edge}; }}"
            "QFrame#message QLabel, QFrame#message QToolButton "
            "{ background: transparent; color: white; border: none; }"
        )
        self._text.setText(text)
        self.show()
