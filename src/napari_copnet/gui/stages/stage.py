"""What every stage of the dock has: a line with its state, its work, and what comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_copnet.gui.stages.help_pages import address
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.widgets.colours import set_tone
from napari_copnet.gui.widgets.controls import named
from napari_copnet.gui.widgets.dock_section import Mark


@dataclass(frozen=True)
class Step:
    """What the green button of the dock says and does; without `act` it can't be pressed."""

    text: str
    act: Callable[[], None] | None = None


class Stage(QFrame):
    """One stage of the work.

    Subclasses make their panel in `_make`, when the stage is first unfolded, and tell their state.

    Parameters
    ----------
    panels : Panels
        The panels that stages share.

    Attributes
    ----------
    name, title : str
    purpose : str
        One sentence, shown as a tool tip.
    page : str
        Of the documentation.
    invitation : str
        What the green button says when this stage is the next.
    is_beside : bool
        Whether the stage stands beside the others and is no step on the way.
    unfold_asked : Signal
        The line was clicked.
    """

    name, title, purpose, page = "", "", "", "napari.md"
    invitation = ""
    is_beside = False
    unfold_asked = Signal()

    def __init__(self, panels: Panels) -> None:
        super().__init__()
        self.panels = panels
        self.setObjectName(f"stage_{self.name}")
        self._content: QWidget | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.line = StageLine(self.title, self.purpose, address(self.page))
        self.line.setObjectName(f"line_{self.name}")
        self.line.pressed.connect(self.unfold_asked.emit)
        column.addWidget(self.line)
        self._body = QWidget()
        self._inside = QVBoxLayout(self._body)
        self._inside.setContentsMargins(4, 0, 4, 4)
        self._body.hide()
        column.addWidget(self._body, 1)

    def state(self) -> tuple[Mark, str]:
        """Return where the stage stands, and its figure in a few words."""
        raise NotImplementedError

    def step(self) -> Step | None:
        """Return what is to be done here while this stage is at work; None if nothing is left."""
        return None

    def waits(self) -> bool:
        """Whether the green button may lead here now."""
        return False

    def begin(self) -> None:
        """Do what the green button promised when it led here."""

    def way_on(self) -> Step | None:
        """Return what is to be done instead, where the run looks wrong."""
        way = self.panels.workflow.verdict.way_on() if self.panels.looks_wrong else None
        return None if way is None else Step(*way)

    @property
    def is_unfolded(self) -> bool:
        """Whether this is the stage at work."""
        return self._body.isVisibleTo(self)

    def set_unfolded(self, on: bool) -> None:
        """Show the work of the stage, or only its line."""
        if on and self._content is None:
            self._content = self._make()
            self._inside.addWidget(self._content)
        self._body.setVisible(on)
        self.line.set_unfolded(on)
        self._on_unfolded(on)

    def renew(self) -> None:
        """Show the state as it is now."""
        self.line.tell(*self.state())

    def show_tab(self, number: int) -> None:
        """Show a tab of the work, where it has tabs."""
        if isinstance(self._content, QTabWidget):
            self._content.setCurrentIndex(number)

    def stop(self) -> None:
        """Let go what the stage itself holds; panels are shut down by the dock."""

    def _make(self) -> QWidget:
        raise NotImplementedError

    def _on_unfolded(self, on: bool) -> None:
        """Something may have to rest while nobody sees it."""


class StageLine(QFrame):
    """A line to click on: sign, title, state, and a link to the documentation."""

    pressed = Signal()

    def __init__(self, title: str, purpose: str, page: str) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setToolTip(purpose)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 4, 4)
        row.setSpacing(6)
        self._sign, self._arrow = QLabel(), QLabel("▸")
        self._title = QLabel(f"<b>{title}</b>")
        self.text = QLabel()
        self.text.setObjectName("stage_state")
        self.text.setWordWrap(True)
        self.help = named(QToolButton(), "help", f"Read more about {title} in the documentation.")
        self.help.setText("?")
        self.help.setAutoRaise(True)
        self.help.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(page)))
        row.addWidget(self._arrow)
        row.addWidget(self._sign)
        row.addWidget(self._title)
        row.addWidget(self.text, 1)
        row.addWidget(self.help)

    def tell(self, mark: Mark, text: str) -> None:
        """Show a state."""
        sign, tone = mark.value
        set_tone(self._sign, tone)
        set_tone(self.text, "quiet")
        for label, words in ((self._sign, sign), (self.text, text)):
            if label.text() != words:
                label.setText(words)

    def set_unfolded(self, on: bool) -> None:
        """Show whether the work below is unfolded."""
        self._arrow.setText("▾" if on else "▸")

    def mouseReleaseEvent(self, event: Any) -> None:
        """Unfold."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit()

    def keyPressEvent(self, event: Any) -> None:
        """Unfold by the keyboard, too."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):
            self.pressed.emit()
        else:
            super().keyPressEvent(event)
