"""The loop: slices that are done are carried and learnt, and the next one comes drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import free_cores
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.training.project_section import ProjectSection
from napari_copnet.gui.training.training_run import TrainingRun, share_of
from napari_copnet.gui.widgets.controls import canvas_button, named, row
from napari_copnet.gui.widgets.dock_section import Mark, quiet_label
from napari_copnet.gui.widgets.iteration_plot import IterationPlot, Series
from napari_copnet.gui.widgets.params_form import ParamsForm
from napari_copnet.networks.package import ModelPackage
from napari_copnet.params import DeviceParams, LoopParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching import loop, loop_models
from napari_copnet.teaching.carrying.carried import CarriedSlice
from napari_copnet.teaching.carrying.project_carry import carry
from napari_copnet.teaching.fine_tuning import began
from napari_copnet.teaching.loop_state import PATIENCE, brought_nothing, verdict
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.project import DONE, Project
from napari_copnet.teaching.slice_choice import Proposal

_PURPOSE = (
    "Each time a slice is done, a network learns it in the background and draws the contours of "
    "the next slice to correct."
)
LABELLED_COLOUR, DEFAULT_COLOUR, NSD_COLOUR = "#81c784", "#b0bec5", "#4fc3f7"


class LoopSection(ProjectSection):
    """Goes on by itself while it is switched on; all it made lies in the project's folder.

    Parameters
    ----------
    link : ProjectLink
    compute : callable
        See `background.task_queue.Compute`.
    is_busy : callable
        Whether another training runs.

    Attributes
    ----------
    run : TrainingRun
    adopted : Signal
        The newest `ModelPackage` is the default now, and the stack shall be run with it.
    """

    adopted = Signal(object)

    def __init__(self, link: ProjectLink, compute: Compute, is_busy: Callable[[], bool]) -> None:
        super().__init__(0, "Learn slice by slice", _PURPOSE, link, compute)
        self.run = TrainingRun()
        self._is_busy = is_busy
        self._task = ""
        # for which slices contours were carried, and for which no further one was found
        self._carried: list[int] = []
        self._all_done: list[int] = []
        # slices that a model has drawn already, or could not: undoing it is final
        self._tried: set[tuple[int, str]] = set()
        self.switch = named(QCheckBox("Learn while I correct"), "loop_switch", _PURPOSE)
        self.add(self.switch)
        self.form = ParamsForm(LoopParams)
        self.form.changed.connect(self.renew)
        self.add(self.form.widget)
        self.next_button = canvas_button("Next slice", "loop_next", "Show the slice to correct.")
        self.adopt_button = canvas_button(
            "Adopt and run the stack",
            "loop_adopt",
            "Make the newest model the default, and run the whole stack with it.",
        )
        self.add(row(self.next_button, self.adopt_button))
        self.status = quiet_label()
        self.add(self.status)
        self.plot = IterationPlot(
            "Before each slice was learnt",
            percent=True,
            highest=1.0,
            over="slice",
            tip="Slices in the order in which they were done; click to go to one.",
        )
        self.add(self.plot)
        self.switch.toggled.connect(self._on_switch)
        self.next_button.clicked.connect(lambda: self.show_next())
        self.adopt_button.clicked.connect(lambda: self.adopt())
        self.plot.picked.connect(self._show_point)
        self.run.progressed.connect(self._on_progress)
        self.run.finished.connect(self._on_trained)
        self.run.failed.connect(self._on_failed)
        self.run.stopped.connect(lambda _: self.renew())
        link.changed.connect(self._on_project)
        self.renew()

    @property
    def is_at_work(self) -> bool:
        """Whether something is being computed or learnt."""
        return self.run.is_running or bool(self._task)

    @property
    def next_slice(self) -> int | None:
        """The slice to correct next; None where there is none yet."""
        project = self._link.project
        if project is None:
            return None
        return next((z for z in project.chosen if project.state(z) != DONE), None)

    # What the user can do ----------------------------------------------------

    def show_next(self) -> None:
        """Show the slice to correct next."""
        z = self.next_slice
        if z is not None:
            self._link.fly(z)

    def adopt(self) -> None:
        """Use the newest model by default, and have the stack run with it."""
        project = self._link.project
        if project is None:
            return
        try:
            model = loop_models.adopt_newest(project)
        except CopnetError as error:
            self.failed.emit(error)
            return
        self.adopted.emit(model)

    def stop(self) -> None:
        """Stop with a checkpoint, when the dock goes."""
        self.run.shut_down()

    # Going on ----------------------------------------------------------------

    def go_on(self) -> None:
        """Begin what is to be done next, unless it is switched off or something runs."""
        project = self._link.project
        if project is None or project.session.read_only or not self.switch.isChecked():
            return
        if self._task:
            return
        try:
            self._begin(project)
        except CopnetError as error:
            self._on_failed(error)

    def renew(self) -> None:
        """Show the curve, and go on."""
        project = self._link.project
        writable = project is not None and not project.session.read_only
        for widget in (self.switch, self.form.widget, self.plot, self.next_button):
            widget.setVisible(project is not None)
        self.adopt_button.setVisible(project is not None)
        self.switch.setEnabled(writable)
        if project is None:
            self.status.setText("")
            self.tell(Mark.WAITING, _PURPOSE, "Needs a session.")
            return
        try:
            points, model = loop.curve(project), loop_models.newest_model(project)
            gain = self.form.get().gain
        except CopnetError as error:
            self.tell(Mark.FAILED, str(error))
            return
        self.plot.show_series(
            *(
                Series(
                    name,
                    colour,
                    {
                        n: value
                        for n, point in enumerate(points, 1)
                        if (value := getattr(point, key)) is not None
                    },
                )
                for key, name, colour in (
                    ("labelled", "cells right", LABELLED_COLOUR),
                    ("by_default", "by default", DEFAULT_COLOUR),
                    ("nsd", "NSD", NSD_COLOUR),
                )
            )
        )
        self.adopt_button.setEnabled(model is not None)
        z = self.next_slice
        self.next_button.setEnabled(z is not None)
        self.next_button.setText("Next slice" if z is None else f"Next: slice {z + 1}")
        if points:
            idle = brought_nothing(points, gain) >= PATIENCE or points[-1].harmed
            mark = Mark.CHANGED if idle else Mark.RUNNING if self.run.is_running else Mark.READY
            self.tell(mark, verdict(points, gain))
        else:
            self.tell(Mark.READY, _PURPOSE)
        if not self.is_at_work:
            self.status.setText("")
        self.go_on()

    def _begin(self, project: Project) -> None:
        params: LoopParams = self.form.get()
        device = DeviceParams(threads=free_cores())
        done = project.done
        waiting = loop.unmeasured(project)
        if waiting:
            # the round that begins meanwhile may end before this does
            newest = loop_models.current_model(project)
            self._compute_next(
                "Scoring the newest model …",
                project,
                lambda: loop.measure(project, waiting, model=newest, device=device),
            )
            self._train(project, params, device)
            return
        self._train(project, params, device)
        if params.carry and done and self._carried != done:
            self._carried = done
            self._compute_next(
                "Carrying contours …", project, lambda: carry(project, device=device)
            )
            return
        z = self.next_slice
        if z is None:
            if self._all_done != done or not done:
                self._compute_next(
                    "Choosing the next slice …", project, lambda: loop.propose_next(project)
                )
            return
        model = loop_models.newest_model(project)
        attempt = z, "" if model is None else model.sha256
        if attempt not in self._tried and loop.wants_prefill(project, z):
            self._tried.add(attempt)
            self._compute_next(
                f"Drawing contours in slice {z + 1} …",
                project,
                lambda: loop.prefill(project, z, device=device),
            )

    def _train(self, project: Project, params: LoopParams, device: DeviceParams) -> None:
        if self.run.is_running or self._is_busy() or not loop.unlearnt(project):
            return
        self.run.begin(
            loop_models.rounds_folder(project) / loop_models.next_name(project),
            lambda: loop.train_round(
                project, params, device=device, command="trained slice by slice in the window"
            ),
        )

    def _compute_next(self, text: str, project: Project, work: Callable[[], Steps[Any]]) -> None:
        """Have something computed, take its result, and go on."""
        self._task = text
        self.status.setText(text)

        def take(news: list[Progress]) -> None:
            for progress in news:
                if isinstance(progress.partial, CarriedSlice):
                    self._take(project, progress.partial)

        def end(result: object) -> None:
            self._task = ""
            self._take(project, result)
            self.renew()

        def fail(_: object) -> None:
            # said by the dock; the same would fail again
            self._task = ""
            self.switch.setChecked(False)

        task = self._compute("loop", work)
        task.progressed.connect(take)
        task.finished.connect(end)
        task.failed.connect(fail)

    def _take(self, project: Project, result: object) -> None:
        if self._link.project is not project:
            return
        try:
            if isinstance(result, CarriedSlice):
                project.take_carried(result)
            elif isinstance(result, PrefilledSlice):
                project.take_prefilled(result)
            elif isinstance(result, Proposal):
                project.choose([result])
            elif result is None and self.next_slice is None:
                self._all_done = project.done
        except CopnetError as error:
            self.failed.emit(error)

    # Events ------------------------------------------------------------------

    def _on_switch(self, on: bool) -> None:
        self._carried, self._all_done = [], []
        if not on:
            self.run.pause()
        self.renew()

    def _on_project(self) -> None:
        if self.run.is_running:
            # its slices are written down: it goes on when the project is opened again
            self.run.pause()
        self._tried.clear()
        self.switch.setChecked(False)
        self.renew()

    def _on_progress(self, news: list[Progress]) -> None:
        if self._task:
            return
        last = news[-1]
        if began(last):
            name = self.run.out.name if self.run.out is not None else ""
            self.status.setText(f"Training {name}: {100 * share_of(last):.0f} % of the time.")
        else:
            self.status.setText("Preparing the training …")

    def _on_trained(self, _: ModelPackage) -> None:
        self.renew()

    def _on_failed(self, error: CopnetError) -> None:
        self.switch.setChecked(False)
        self.failed.emit(error)

    def _show_point(self, number: int) -> None:
        project = self._link.project
        points = [] if project is None else loop.curve(project)
        if 1 <= number <= len(points):
            self._link.fly(points[number - 1].z)
