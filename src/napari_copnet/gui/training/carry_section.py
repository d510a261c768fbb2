"""One button: carry the contours of slices that are done to those beside and between them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import free_cores
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.widgets.controls import canvas_button, column_in
from napari_copnet.gui.widgets.dock_section import quiet_label
from napari_copnet.params import CarryParams, DeviceParams
from napari_copnet.teaching.carrying.carried import CarriedSlice
from napari_copnet.teaching.carrying.project_carry import carry, named_range, targets

_PURPOSE = (
    "Carry the contours of slices that are done to their neighbours, as far as they are likely "
    "right."
)


class CarrySection(QWidget):
    """A button, and a sentence on how far contours were carried.

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
        self._running = False
        # How far contours could be trusted so far, in slices.
        self._reach = CarryParams().reach
        column = column_in(self, 4)
        self.button = canvas_button("Carry to slices", "carry", _PURPOSE)
        self.status = quiet_label()
        column.addWidget(self.button)
        column.addWidget(self.status)
        self.button.clicked.connect(lambda: self.carry())
        link.changed.connect(self._forget)
        self.renew()

    def carry(self) -> None:
        """Carry from all slices that are done; each slice is drawn as soon as it is there."""
        project = self._link.project
        if project is None or self._running:
            return
        self._running = True
        taken: list[CarriedSlice] = []
        params = CarryParams()

        def take(news: list[Any]) -> None:
            for progress in news:
                one = progress.partial
                if isinstance(one, CarriedSlice) and self._link.project is project:
                    try:
                        if project.take_carried(one):
                            taken.append(one)
                    except CopnetError as error:
                        self.failed.emit(error)

        def end(_: object) -> None:
            self._running = False
            if self._link.project is project:
                self._tell(taken, params)
            self.renew()

        device = DeviceParams(threads=free_cores())
        task = self._compute("carry", lambda: carry(project, params, device=device))
        task.progressed.connect(take)
        task.finished.connect(end)
        task.failed.connect(end)
        self.renew()

    def renew(self) -> None:
        """Show the slices that contours would be carried to."""
        project = self._link.project
        near: list[int] = []
        if project is not None and not project.session.read_only:
            near = targets(project, project.done, self._reach)
        self.setVisible(project is not None)
        self.button.setEnabled(bool(near) and not self._running)
        self.button.setText(
            f"Carry to slices {named_range(near, 1)}" if near else "Carry to slices"
        )

    def _tell(self, taken: list[CarriedSlice], params: CarryParams) -> None:
        if not taken:
            self.status.setText("No neighbouring slice can be carried to with enough certainty.")
            return
        doubts = sum(len(one.doubtful) for one in taken)
        where = named_range((one.z for one in taken), 1)
        self.status.setText(
            f"Carried to {where}. {doubts} cell{'s' if doubts != 1 else ''} doubtful: "
            "they are listed when their slice is checked."
        )
        far = max(min(abs(one.z - source) for source in one.sources) for one in taken)
        self._reach = min(far, params.reach)

    def _forget(self) -> None:
        self._reach = CarryParams().reach
        self.status.setText("")
        self.renew()
