"""The dock in which corrections teach the networks, its sections in the order of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Task, TaskQueue
from napari_copnet.gui.simulation.simulation_panel import panel_of as simulation_of
from napari_copnet.gui.training.carry_section import CarrySection
from napari_copnet.gui.training.comparison_section import CompareSection
from napari_copnet.gui.training.loop_section import LoopSection
from napari_copnet.gui.training.models_section import ModelsSection
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.training.review_section import ReviewSection
from napari_copnet.gui.training.slices_section import SlicesSection
from napari_copnet.gui.training.threshold_section import ThresholdSection
from napari_copnet.gui.training.train_section import TrainSection
from napari_copnet.gui.viewer.dock_places import give_room
from napari_copnet.gui.viewer.layer_roles import panel_of
from napari_copnet.gui.widgets.controls import column_in
from napari_copnet.gui.widgets.dock import Dock, delayed, scrolled
from napari_copnet.gui.widgets.run_controls import Message, ProgressLine
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import DegradeParams
from napari_copnet.progress import Steps
from napari_copnet.teaching.threshold_choice import ThresholdChoice
from napari_copnet.types import CONTOUR_ABOVE

# Strokes come fast, and telling whether a slice was edited compares all of it.
RENEW_MS = 120


class TrainingPanel(Dock):
    """Annotate slices, train, compare, adopt.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    link : ProjectLink
    slices, review, carry, threshold, loop, train, compare, models : Section
    tasks : TaskQueue
        What is being computed besides a training.
    message : Message
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.setObjectName("copnet_training")
        self.setMinimumWidth(360)
        self.tasks = TaskQueue()
        self._done: tuple[int, ...] | None = None
        # Hash of the model that the threshold was fitted to; empty where that is void.
        self._fitted_to: str | None = None
        self.link = ProjectLink(viewer)
        self.message = Message()
        self.slices = SlicesSection(self.link, self._compute)
        self.review = ReviewSection(self.link, self._compute)
        self.carry = CarrySection(self.link, self._compute)
        self.threshold = ThresholdSection(self.link, self._compute, self._contour_model)
        self.train = TrainSection(self.link, self._degrade)
        self.loop = LoopSection(self.link, self._compute, lambda: self.train.run.is_running)
        self.train.is_held = lambda: self.loop.run.is_running
        self.compare = CompareSection(viewer, self.link, self._compute, self.train.device)
        self.models = ModelsSection(self._compute)
        self.sections = (
            self.slices,
            self.review,
            self.carry,
            self.threshold,
            self.loop,
            self.train,
            self.compare,
            self.models,
        )
        self._lay_out()
        self._timer = delayed(self._renew, RENEW_MS, self)
        self._connect()
        self.link.look()

    def _lay_out(self) -> None:
        inside = QWidget()
        column = column_in(inside, 6)
        for section in self.sections:
            column.addWidget(section)
        column.addStretch()
        foot = QWidget()
        lines = QVBoxLayout(foot)
        lines.setContentsMargins(8, 2, 8, 6)
        lines.setSpacing(4)
        self.progress = ProgressLine()
        lines.addWidget(self.message)
        lines.addWidget(self.progress)
        whole = column_in(self, 0)
        whole.addWidget(scrolled(inside), 1)
        whole.addWidget(foot)

    def _connect(self) -> None:
        self.link.touched.connect(lambda _: self._timer.start())
        self.link.changed.connect(self._on_project)
        for failing in (self.link, *self.sections):
            failing.failed.connect(self.message.error)
        self.models.noted.connect(self.message.note)
        self.review.noted.connect(self.message.note)
        self.slices.went.connect(lambda _: self._timer.start())
        self.train.trained.connect(self._on_trained)
        for end in (self.train.run.finished, self.train.run.failed, self.train.run.stopped):
            end.connect(lambda _: self.loop.go_on())
        self.threshold.found.connect(self._on_threshold)
        self.loop.adopted.connect(self._on_adopted)
        self.compare.decided.connect(self._on_models)
        self.models.changed.connect(self._on_models)
        self._hear(self._on_step, self.viewer.dims.events.current_step)
        self._hear(self._use_theme, self.viewer.events.theme)
        self._use_theme()

    def _shut_down(self) -> None:
        self._timer.stop()
        # First of all: the process of a training takes a moment to save.
        self.train.stop()
        self.loop.stop()
        self.tasks.shut_down()
        self.review.release()
        self.compare.stop()
        self.link.stop()

    # Keeping it true ---------------------------------------------------------

    def _renew(self) -> None:
        if self._is_closed:
            return
        self.slices.renew()
        self.review.renew()
        project = self.link.project
        done = None if project is None else tuple(project.done)
        if done != self._done:
            # These read models, which takes longer than a stroke may be followed by.
            self._done = done
            self.carry.renew()
            self.threshold.renew()
            self.loop.renew()
            self.train.renew()
            self.compare.renew()

    def _on_step(self) -> None:
        self._timer.start()

    def _on_project(self) -> None:
        if self._is_closed:
            return
        self._timer.start()
        if self.link.project is not None:
            # The proofreading dock has come in front of this one, or beside it.
            give_room(self, self.link.dock)

    def _on_trained(self, old: ModelPackage | None, new: ModelPackage) -> None:
        self.models.show_model(new.folder)
        self.compare.offer(old, new)

    def _on_models(self) -> None:
        """Another model may be the default: whoever lists models looks again."""
        self._void_threshold()
        self.threshold.renew()
        self.models.renew()
        self.compare.list_models()
        self.train.look()
        workflow = panel_of(self.viewer)
        if workflow is not None:
            for stage in ("contours", "closing"):
                workflow.sections[stage].model.refresh()
                workflow.sections[stage].model.changed.emit()

    def _on_adopted(self, model: ModelPackage) -> None:
        """Run the stack with a model that was adopted, where there is one to run."""
        self._on_models()
        workflow = panel_of(self.viewer)
        if workflow is None:
            self.message.note(f"{model.name} was adopted. Run the stack under Segment.")
            return
        workflow.sections["contours"].model.set("default")
        # Training has taught it where contours begin: what was set for another model is void.
        workflow.sections["contours"].form.rows["threshold"].value = CONTOUR_ABOVE
        self.message.note(f"{model.name} was adopted. The stack is being run under Segment.")
        workflow.run()

    def _on_threshold(self, choice: ThresholdChoice) -> None:
        """Set the threshold of the next run."""
        workflow = panel_of(self.viewer)
        if workflow is None:
            return
        section = workflow.sections["contours"]
        if self._fitted_to is None:
            section.model.changed.connect(self._void_threshold)
        self._fitted_to = choice.model
        row = section.form.rows["threshold"]
        if float(row.value) != choice.best:
            row.value = choice.best
            self.message.note(
                f"{choice.best:g} is set under Segment, Contours. Run the stack to use it."
            )

    def _void_threshold(self) -> None:
        """Set one half again where another model is chosen than the threshold was fitted to."""
        workflow = panel_of(self.viewer)
        if workflow is None or not self._fitted_to or self._is_closed:
            return
        section = workflow.sections["contours"]
        try:
            same = find_model(section.model.value, "contours").sha256 == self._fitted_to
        except CopnetError:
            same = False
        if not same:
            self._fitted_to = ""
            section.form.rows["threshold"].value = CONTOUR_ABOVE

    def _contour_model(self) -> str:
        """Return the model that the stack is run with; nothing where a layer is in its place."""
        workflow = panel_of(self.viewer)
        if workflow is None:
            return "default"
        section = workflow.sections["contours"]
        return section.model.value if section.origin.layer is None else ""

    def _degrade(self) -> DegradeParams | None:
        panel = simulation_of(self.viewer)
        return panel.chosen if panel is not None else None

    def _use_theme(self) -> None:
        for plot in (self.train.loss_plot, self.train.dice_plot, self.loop.plot):
            plot.use_theme(self.viewer.theme)

    # Work and words ----------------------------------------------------------

    def _compute(self, name: str, work: Callable[[], Steps[Any]]) -> Task:
        self.message.clear()
        self.progress.start()
        task = self.tasks.add(name, work)
        task.progressed.connect(self.progress.show_progress)
        for end in (task.finished, task.failed):
            end.connect(lambda _: self.progress.rest())
        task.failed.connect(self.message.error)
        return task
