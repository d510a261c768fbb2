"""Messages at the cursor: what went wrong is read where one looks, and moves nothing."""

from __future__ import annotations

from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QToolTip, QWidget

# It stays so long, ms, and this far from the cursor, px.
SHOWN_MS = 6000
BESIDE = QPoint(14, 18)


def show_at_cursor(text: str, over: QWidget | None) -> bool:
    """Show a message at the cursor, if that is over a widget; return whether it is."""
    at = QCursor.pos()
    if over is None or not over.rect().contains(over.mapFromGlobal(at)):
        return False
    QToolTip.showText(at + BESIDE, text, over, QRect(), SHOWN_MS)
    return True


def clear_at_cursor() -> None:
    """Take the message away."""
    QToolTip.hideText()
