"""One key: the outline of the cell under the mouse, from the slice beside, moved here."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.proofreading.keys import Keys
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.teaching.carrying.one_cell import CarriedOutline, outline_from_beside

KEY = "O"


class OutlineKey(QObject):
    """Listens to the key for as long as a project is open that can be changed.

    Parameters
    ----------
    link : ProjectLink
    compute : callable
        See `background.task_queue.Compute`.

    Attributes
    ----------
    failed : Signal
        A `CopnetError` to be shown.
    """

    failed = Signal(object)

    def __init__(self, link: ProjectLink, compute: Compute) -> None:
        super().__init__()
        self._link, self._compute = link, compute
        self._keys: Keys | None = None
        self._asked = False
        link.changed.connect(self._on_project)

    def take(self, position: Any = None) -> None:
        """Draw the outline at a position of the viewer, where the mouse is by default."""
        project, controller = self._link.project, self._link.controller
        if project is None or controller is None:
            return
        layers = controller.layers
        place = layers.place(self._link.viewer.cursor.position if position is None else position)
        if place is None:
            return
        layers.take_strokes()
        z, (y, x) = place
        point = round(y), round(x)

        def draw(outline: CarriedOutline) -> None:
            if self._link.project is project:
                try:
                    project.take_outline(outline)
                except CopnetError as error:
                    self.failed.emit(error)

        work = self._compute("outline", lambda: outline_from_beside(project, z, point))
        work.finished.connect(draw)

    def ask(self) -> None:
        """Take the next click into the image as the place."""
        controller = self._link.controller
        if controller is None:
            return
        self._forget_asking()
        # no brush: its stroke would begin at the same click
        controller.pick(None)
        self._asked = True
        self._link.viewer.mouse_drag_callbacks.append(self._on_click)

    def release(self) -> None:
        """Give the key back."""
        self._forget_asking()
        keys, self._keys = self._keys, None
        if keys is not None:
            keys.release()

    def _on_click(self, _viewer: Any, event: Any) -> None:
        self._forget_asking()
        self.take(event.position)

    def _forget_asking(self) -> None:
        if self._asked:
            self._asked = False
            with contextlib.suppress(ValueError):
                self._link.viewer.mouse_drag_callbacks.remove(self._on_click)

    def _on_project(self) -> None:
        self.release()
        project = self._link.project
        if project is not None and not project.session.read_only:
            self._keys = Keys(self._link.viewer, {KEY: self.take})
