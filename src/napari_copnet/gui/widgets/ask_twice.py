"""A button that asks before it does what is hard to foresee: it wants a second press."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton

from napari_copnet.gui.widgets.dock import delayed

# A second press within this time means it.
SURE_MS = 4000


class AskTwice:
    """Lets a button ask on itself, and take the next press within a while for a yes.

    Parameters
    ----------
    button : QPushButton
    """

    def __init__(self, button: QPushButton) -> None:
        self._button, self._text = button, button.text()
        self._timer = delayed(self.forget, SURE_MS, button)

    def is_sure(self, question: str) -> bool:
        """Return whether this press answers the question; else ask it."""
        if self._timer.isActive():
            self.forget()
            return True
        self._text = self._button.text()
        self._button.setText(question)
        self._timer.start()
        return False

    def forget(self) -> None:
        """Ask anew the next time."""
        self._timer.stop()
        self._button.setText(self._text)
