"""A tour of a few balloons, shown the first time that the dock is used."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_copnet.gui.widgets.controls import named
from napari_copnet.networks.package import models_folder

_WIDTH, _MARGIN, _GAP, _SPARE = 280, 14, 10, 4
# The stage or button that each points at, and what it says.
BALLOONS = (
    ("line_open", "Open a stack here, or try the sample, which is segmented already."),
    (
        "line_segment",
        "Run finds the contours of the cells and closes their gaps. You can go on working.",
    ),
    (
        "line_correct",
        "Review likely errors one by one, with a key for each answer. Every edit is saved at once.",
    ),
    (
        "line_teach",
        "If the networks do badly on your tissue, teach them with a few corrected slices.",
    ),
    ("next_step", "This button always names the next step. Press ? for the keys."),
)


def is_first_use() -> bool:
    """Return whether nobody has seen the tour on this account."""
    return not _seen().exists()


def remember_use() -> None:
    """Do not show the tour again."""
    try:
        _seen().parent.mkdir(parents=True, exist_ok=True)
        _seen().touch()
    except OSError:
        return


def _seen() -> Path:
    return models_folder().parent / "tour-seen"


class FirstTour(QFrame):
    """A balloon that goes from one place of the dock to the next.

    Parameters
    ----------
    dock : QWidget
        In which the places are.

    Attributes
    ----------
    next_button, skip_button : QPushButton
    over : Signal
        The last balloon was seen, or the tour was skipped.
    """

    over = Signal()

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock.window())
        self.setObjectName("first_tour")
        self._dock, self._at = dock, 0
        self.setFixedWidth(_WIDTH)
        self.setStyleSheet(
            "QFrame#first_tour { background: #fff8e1; border: 2px solid #f9a825;"
            " border-radius: 6px; }"
            "QFrame#first_tour QLabel { color: #1d1d1f; background: transparent; }"
            "QFrame#first_tour QPushButton { color: #1d1d1f; background: #ffe082; padding: 4px; }"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        column.addWidget(self.text)
        row = QHBoxLayout()
        self.skip_button = named(QPushButton("Skip"), "tour_skip", "End the tour.")
        self.next_button = named(QPushButton("Next"), "tour_next", "Show the next one.")
        self.skip_button.clicked.connect(lambda: self.finish())
        self.next_button.clicked.connect(lambda: self.go_on())
        row.addWidget(self.skip_button)
        row.addStretch()
        row.addWidget(self.next_button)
        column.addLayout(row)
        self.show()
        self.raise_()
        self._point()

    def go_on(self) -> None:
        """Show the next balloon; after the last one the tour is over."""
        self._at += 1
        if self._at >= len(BALLOONS):
            self.finish()
        else:
            self._point()

    def finish(self) -> None:
        """End the tour."""
        remember_use()
        self.hide()
        self.over.emit()
        self.deleteLater()

    def _point(self) -> None:
        name, words = BALLOONS[self._at]
        last = self._at == len(BALLOONS) - 1
        self.text.setText(f"{words}  ▸")
        self.next_button.setText("Done" if last else f"Next ({self._at + 1} of {len(BALLOONS)})")
        # Qt leaves words that wrap too little room, and knows their font only once it is polished.
        self.text.ensurePolished()
        inner = _WIDTH - 2 * _MARGIN
        self.text.setFixedSize(inner, self.text.heightForWidth(inner) + _SPARE)
        self.adjustSize()
        window, target = self._dock.window(), self._dock.findChild(QWidget, name)
        if window is None or target is None:
            return
        corner = target.mapTo(window, QPoint(0, 0))
        left = corner.x() - self.width() - _GAP
        if left < 0:  # the dock is on the left
            left = min(corner.x() + target.width() + _GAP, window.width() - self.width())
        top = min(corner.y(), window.height() - self.height() - _GAP)
        self.move(max(0, left), max(0, top))
