"""Slices that were annotated in another program, taken from a file into the open session."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.io.read import read_image
from napari_copnet.progress import Steps
from napari_copnet.proofreading.slice_names import named
from napari_copnet.teaching.drawn_elsewhere import DrawnSlice, drawn_slices


class DrawnFile(QObject):
    """Reads such a file: an image of one slice is the slice in view, a stack all that it draws.

    Parameters
    ----------
    link : ProjectLink
    compute : callable
        See `background.task_queue.Compute`.

    Attributes
    ----------
    taken : Signal
        A sentence about what was drawn.
    failed : Signal
        A `CopnetError` to be shown.
    """

    taken = Signal(str)
    failed = Signal(object)

    def __init__(self, link: ProjectLink, compute: Compute) -> None:
        super().__init__()
        self._link, self._compute = link, compute

    def ask(self, parent: QWidget, labelled_only: bool) -> None:
        """Ask for a file and take what it draws."""
        path, _ = QFileDialog.getOpenFileName(
            parent, "Labels of cells, contours or their probability"
        )
        if path:
            self.take(Path(path), labelled_only)

    def take(self, path: Path, labelled_only: bool = False) -> None:
        """Draw what a file holds; each slice is an edit."""
        project, z = self._link.project, self._link.z
        if project is None or z is None:
            return
        self._link.controller.layers.take_strokes()

        def read() -> Steps[list[DrawnSlice]]:
            image = read_image(path, lazy=True).data
            whole = image.shape[0] == project.shape[0]
            return (yield from drawn_slices(image, project.shape, None if whole else [z]))

        def draw(found: list[DrawnSlice]) -> None:
            if self._link.project is not project:
                return
            try:
                for one in found:
                    project.take_drawn(one, labelled_only=labelled_only)
            except CopnetError as error:
                self.failed.emit(error)
                return
            self.taken.emit(f"{path.name} was drawn in {named(one.z for one in found)}.")

        self._compute("file", read).finished.connect(draw)
