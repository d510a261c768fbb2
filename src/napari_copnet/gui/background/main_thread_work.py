"""Do work that needs the main thread in pieces, one per turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qtpy.QtCore import QObject, QTimer


class MainThreadWork:
    """Do a long thing in pieces, so that the window is drawn and listens in between.

    Parameters
    ----------
    parent : QObject or None
        The work ends with it.
    pieces : iterator
        Does one piece whenever it is asked for its next value.
    done : callable
        Called when there is none left.
    """

    def __init__(
        self,
        parent: QObject | None,
        pieces: Iterator[object],
        done: Callable[[], None] | None = None,
    ) -> None:
        self._pieces, self._done = pieces, done
        # Qt draws and hears the mouse before it calls a timer of no interval.
        self._timer = QTimer(parent)
        self._timer.timeout.connect(self._go_on)
        self._timer.start(0)

    @property
    def is_running(self) -> bool:
        """Whether there is something left to do."""
        return self._timer.isActive()

    def stop(self) -> None:
        """Leave what is left undone."""
        self._timer.stop()

    def _go_on(self) -> None:
        try:
            next(self._pieces)
        except StopIteration:
            self._timer.stop()
            if self._done is not None:
                self._done()
        except BaseException:
            self._timer.stop()
            raise
