"""The annotation project of the session that is open in the proofreading dock."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.commands import open_stage
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.proofreading.proofreading_panel import ProofreadPanel
from napari_copnet.gui.viewer.camera import fly_to
from napari_copnet.gui.viewer.dock_places import docked
from napari_copnet.teaching.project import Project

# How often to look whether the proofreading dock was opened meanwhile.
LOOK_MS = 400


class ProjectLink(QObject):
    """Follows the session of the window: slices are annotated with its tools.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    project : Project or None
        Of the open session.
    changed : Signal
        There is another project, or none.
    touched : Signal
        The state of a slice may have changed.
    failed : Signal
        A project could not be read or saved (CopnetError).
    """

    changed = Signal()
    touched = Signal(int)
    failed = Signal(object)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.project: Project | None = None
        self._dock: ProofreadPanel | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    @property
    def dock(self) -> ProofreadPanel | None:
        """The proofreading dock, or None."""
        return next((w for w in docked(self.viewer) if isinstance(w, ProofreadPanel)), None)

    @property
    def controller(self) -> Any:
        """Layers and tools of the open session, or None."""
        return (
            self._dock.controller if self._dock is not None and self.project is not None else None
        )

    @property
    def z(self) -> int | None:
        """The slice in view, or None without a project."""
        controller = self.controller
        return None if controller is None else int(controller.layers.z)

    def open_dock(self) -> ProofreadPanel:
        """Return the proofreading dock; it is opened where it is not."""
        dock = self.dock
        if dock is None:
            open_stage("correct", self.viewer)
            dock = self.dock
            assert dock is not None
        self.look()
        return dock

    def look(self) -> None:
        """Take up the session that is open, if it is another one."""
        dock = self.dock
        if dock is not self._dock:
            self._let_go()
            self._dock = dock
            if dock is not None:
                dock.opened.connect(self._on_opened)
                dock.closing.connect(self._release)
        session = dock.session if dock is not None else None
        if session is None or (self.project is not None and self.project.session is session):
            return
        self._release()
        try:
            self.project = Project(session)
        except CopnetError as error:
            self._timer.stop()
            self.failed.emit(error)
            return
        self.project.on_change.append(self.touched.emit)
        self.changed.emit()

    def fly(self, z: int, point: tuple[float, float] | None = None, size: float = 40.0) -> None:
        """Show a slice, or a place (y, x) in it."""
        controller = self.controller
        if controller is not None:
            canvas = canvas_of(self._dock.window()) if self._dock is not None else None
            fly_to(self.viewer, controller.layers.contour, z, point, size, canvas)

    def stop(self) -> None:
        """Save and let the session go."""
        self._timer.stop()
        self._let_go()

    def _on_opened(self, _folder: str) -> None:
        self._timer.start()
        self.look()

    def _let_go(self) -> None:
        self._release()
        dock, self._dock = self._dock, None
        if dock is not None:
            for signal, slot in ((dock.opened, self._on_opened), (dock.closing, self._release)):
                with contextlib.suppress(TypeError, RuntimeError):
                    signal.disconnect(slot)

    def _release(self) -> None:
        project, self.project = self.project, None
        if project is None:
            return
        project.on_change.clear()
        try:
            project.close()
        except CopnetError as error:
            self.failed.emit(error)
        self.changed.emit()
