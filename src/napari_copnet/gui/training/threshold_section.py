"""One button: find the threshold of Step 1 that suits the slices that are done."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.gui.background.jobs import free_cores
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.widgets.controls import canvas_button, column_in
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.networks.package import find_model
from napari_copnet.params import DeviceParams
from napari_copnet.teaching.threshold_choice import (
    ThresholdChoice,
    choose_threshold,
    scorable_slices,
)

_PURPOSE = (
    "Close the slices that are done at several thresholds of Step 1, and set the one at which "
    "most cells come out right. Nothing is trained."
)


class ThresholdSection(QWidget):
    """A button, and a sentence on what it found.

    Parameters
    ----------
    link : ProjectLink
    compute : callable
        See `background.task_queue.Compute`.
    model : callable
        Returns the name or folder of the contour model that the stack is run with.

    Attributes
    ----------
    found : Signal
        A `ThresholdChoice`.
    failed : Signal
        A `CopnetError` to be shown.
    """

    found = Signal(object)
    failed = Signal(object)

    def __init__(self, link: ProjectLink, compute: Compute, model: Callable[[], str]) -> None:
        super().__init__()
        self._link, self._compute, self._model = link, compute, model
        self._running = False
        column = column_in(self, 4)
        self.button = canvas_button("Fit the threshold", "fit_threshold", _PURPOSE)
        self.status = quiet_label()
        column.addWidget(self.button)
        column.addWidget(self.status)
        self.button.clicked.connect(lambda: self.fit())
        link.changed.connect(self._forget)
        self.renew()

    def fit(self) -> None:
        """Find the threshold for the model that the stack is run with."""
        project = self._link.project
        if project is None or self._running:
            return
        name = self._model()
        try:
            if not name:
                raise InputError(
                    "Contours come from a layer, not from a network.",
                    "Choose the network under Segment, Contours.",
                )
            model = find_model(name, "contours")
        except CopnetError as error:
            self.failed.emit(error)
            return
        self._running = True
        device = DeviceParams(threads=free_cores())

        def take(choice: ThresholdChoice) -> None:
            self._running = False
            if self._link.project is project:
                self.status.setText(choice.text)
                self.found.emit(choice)
            self.renew()

        def failed(_: CopnetError) -> None:
            self._running = False
            self.renew()

        task = self._compute("threshold", lambda: choose_threshold(project, model, device=device))
        task.finished.connect(take)
        task.failed.connect(failed)
        self.renew()

    def renew(self) -> None:
        """Offer it where there is a slice to fit to."""
        project = self._link.project
        self.setVisible(project is not None)
        self.button.setEnabled(not self._running and self._has_slices())

    def _has_slices(self) -> bool:
        project = self._link.project
        if project is None or not project.done:
            return False
        try:
            return bool(scorable_slices(project, find_model(self._model(), "contours")))
        except CopnetError:
            return False

    def _forget(self) -> None:
        self.status.setText("")
        self.renew()
