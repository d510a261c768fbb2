"""A box dragged over the image: the part of a slice that was reviewed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_copnet.gui.training.project_link import ProjectLink


class ReviewedBox(QObject):
    """Takes the next drag over the image as a box, when it is asked for.

    Parameters
    ----------
    link : ProjectLink

    Attributes
    ----------
    drawn : Signal
        Slice, and its pixels in the box, shape (Y, X), bool; whether it is added to others (Shift).
    """

    drawn = Signal(int, object, bool)

    def __init__(self, link: ProjectLink) -> None:
        super().__init__()
        self._link = link
        self._asked: Any = None

    def ask(self) -> None:
        """Take the next drag."""
        controller = self._link.controller
        if controller is None:
            return
        self.release()
        # no brush: its stroke would begin at the same place
        controller.pick(None)
        # a drag means the box, not the camera
        controller.layers.contour.mouse_pan = False
        self._asked = controller.layers
        self._link.viewer.mouse_drag_callbacks.append(self._on_press)

    def release(self) -> None:
        """Ask no more."""
        layers = self._asked
        if layers is not None:
            layers.contour.mouse_pan = True
            layers.over.line(0, np.zeros((0, 2)))
        self._forget()

    def _forget(self) -> None:
        if self._asked is not None:
            self._asked = None
            with contextlib.suppress(ValueError):
                self._link.viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        controller = self._link.controller
        if controller is None or controller.tool_controller.tool is not None:
            # A tool was taken in hand instead.
            self._forget()
            return
        layers = self._asked
        start = end = None if layers is None else layers.place(event.position)
        more = "Shift" in [str(key.name) for key in event.modifiers]
        yield
        while event.type == "mouse_move":
            here = None if layers is None else layers.place(event.position)
            if start is not None and here is not None:
                end = here
                layers.over.line(start[0], _corners(start[1], end[1]))
            yield
        here = None if layers is None else layers.place(event.position)
        # Moves that come too fast are left out by Qt.
        end = here or end
        self.release()
        project = self._link.project
        if start is None or end is None or project is None or start[0] != end[0]:
            return
        (top, left), (bottom, right) = (np.rint(at).astype(int) for at in _ordered(start, end))
        box = np.zeros(project.shape[1:], bool)
        box[top : bottom + 1, left : right + 1] = True
        if bottom > top and right > left:
            self.drawn.emit(start[0], box, more)


def _ordered(start: Any, end: Any) -> tuple[np.ndarray, np.ndarray]:
    places = np.array([start[1], end[1]])
    return places.min(axis=0), places.max(axis=0)


def _corners(first: Any, second: Any) -> np.ndarray:
    """Return the corners of a box in order, the first one again at the end."""
    (y, x), (v, u) = first, second
    return np.array([(y, x), (y, u), (v, u), (v, x), (y, x)], float)
