"""Section 3: what a training will do and how long it takes, and its curves while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QLabel

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import free_cores
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.training.training_run import (
    TrainingRun,
    minutes_of,
    seconds_a_step,
    share_of,
)
from napari_copnet.gui.widgets.controls import canvas_button, named, row
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.gui.widgets.dock_section import DockSection, Mark, quiet_label
from napari_copnet.gui.widgets.iteration_plot import IterationPlot, Series
from napari_copnet.gui.widgets.model_picker import DevicePicker, ModelPicker, likely_device
from napari_copnet.gui.widgets.pace import Pace, duration
from napari_copnet.gui.widgets.params_form import ParamsForm
from napari_copnet.gui.widgets.run_controls import Bar
from napari_copnet.networks.package import KINDS, ModelPackage, find_model, models_folder
from napari_copnet.params import DegradeParams, DeviceParams, FineTuneParams
from napari_copnet.progress import Progress
from napari_copnet.teaching.fine_tuning import (
    Prospect,
    Unfinished,
    began,
    fine_tune,
    forget,
    free_name,
    prospect,
    unfinished,
)
from napari_copnet.training.losses import read_losses

_PURPOSE = "Train a network further on the slices that are done."
_KINDS = {"contours": "Contours (Step 1)", "closing": "Closing (Step 2)"}
_DEVICES = {"cpu": "CPU", "cuda": "CUDA GPU", "mps": "Apple GPU"}
# A second press within this time throws a training away.
SURE_MS = 4000
TRAIN_COLOUR, VALIDATION_COLOUR, DICE_COLOUR = "#ffb74d", "#4fc3f7", "#81c784"


class TrainSection(DockSection):
    """Train a network on the annotated slices.

    Parameters
    ----------
    link : ProjectLink
    degrade : callable
        Returns the settings of simulated gaps that were chosen in this window, or None.

    Attributes
    ----------
    run : TrainingRun
    trained : Signal
        The model it began from, and the new one.
    failed : Signal
        A `CopnetError` to be shown.
    """

    failed = Signal(object)
    trained = Signal(object, object)

    def __init__(
        self,
        link: ProjectLink,
        degrade: Callable[[], DegradeParams | None],
    ) -> None:
        super().__init__(3, "Train", _PURPOSE)
        self._link, self._degrade = link, degrade
        self.run = TrainingRun()
        # whether something else trains at the moment
        self.is_held: Callable[[], bool] = lambda: False
        self._left: Unfinished | None = None
        self._parent: ModelPackage | None = None
        self._pace = Pace()
        self._later = delayed(self.renew, 150, self)
        self.kind = named(QComboBox(), "train_kind", "The network to train.")
        for kind in KINDS:
            self.kind.addItem(_KINDS[kind], kind)
        self.add(row(QLabel("Network"), self.kind))
        self.parents = {kind: ModelPicker(kind) for kind in KINDS}
        for kind, picker in self.parents.items():
            picker.combo.setObjectName(f"parent_{kind}")
            picker.combo.setToolTip("The model to start from.")
            picker.changed.connect(self.renew)
            self.add(picker)
        self.form = ParamsForm(FineTuneParams)
        self.form.changed.connect(lambda: self._later.start())
        self.add(self.form.widget)
        self.device = DevicePicker()
        self.device.combo.setObjectName("train_device")
        self.device.changed.connect(self.renew)
        self.add(self.device)
        self.plan = quiet_label()
        self.plan.setObjectName("plan")
        self.add(self.plan)
        self.train_button = canvas_button("Train", "train", "Start training.")
        self.pause_button = canvas_button(
            "Pause", "pause", "Stop, and keep what has been learnt so far."
        )
        self.continue_button = canvas_button("Continue", "continue", "Resume the training.")
        self.cancel_button = canvas_button(
            "Cancel", "cancel_training", "Stop, and discard what has been learnt."
        )
        for button in (self.train_button, self.continue_button):
            button.setStyleSheet(
                "QPushButton { background: #2e7d32; color: white; font-weight: bold; }"
                "QPushButton:disabled { background: #3a3f47; color: #777; }"
            )
        self.add(
            row(self.train_button, self.continue_button, self.pause_button, self.cancel_button)
        )
        self.progress_text = quiet_label()
        self.progress_text.setObjectName("training_progress")
        self.bar = Bar()
        self.add(self.progress_text)
        self.add(self.bar)
        waits = "Appears after the first epoch."
        self.loss_plot = IterationPlot("Loss by epoch", empty=waits, tip="Lower is better.")
        self.dice_plot = IterationPlot(
            "Contour Dice on held-out slices",
            percent=True,
            highest=1.0,
            empty="Needs held-out slices.",
            tip="Agreement with your contours; higher is better.",
        )
        for plot in (self.loss_plot, self.dice_plot):
            plot.hide()
            self.add(plot)
        self._sure = delayed(lambda: self.cancel_button.setText("Cancel"), SURE_MS, self)
        self._connect()
        self.renew()

    def _connect(self) -> None:
        self.kind.currentIndexChanged.connect(self.renew)
        self.train_button.clicked.connect(lambda: self.train())
        self.pause_button.clicked.connect(lambda: self.pause())
        self.continue_button.clicked.connect(lambda: self.go_on())
        self.cancel_button.clicked.connect(lambda: self.cancel())
        self.run.progressed.connect(self._on_progress)
        self.run.finished.connect(self._on_finished)
        self.run.failed.connect(self._on_failed)
        self.run.stopped.connect(self._on_stopped)
        self._link.changed.connect(self.renew)

    # What the user can do ----------------------------------------------------

    def train(self) -> None:
        """Begin a training."""
        project, kind = self._link.project, str(self.kind.currentData())
        if project is None or self.run.is_running:
            return
        if self.is_held():
            self.failed.emit(
                CopnetError(
                    "Learning slice by slice is training already.",
                    "Switch off Learn while I correct first.",
                )
            )
            return
        try:
            params: FineTuneParams = self.form.get()
            plan = self._prospect(params)
            name = free_name(project.session.facts.name, kind)
        except CopnetError as error:
            self.failed.emit(error)
            return
        device = DeviceParams(device=self.device.value, threads=free_cores())
        degrade = self._degrade() if kind == "closing" else None
        self._parent = plan.parent
        self._begin(
            lambda: self.run.begin(
                models_folder() / name,
                lambda: fine_tune(
                    project,
                    kind,
                    plan.parent,
                    params,
                    device=device,
                    name=name,
                    degrade=degrade,
                    command="trained in the window",
                ),
            )
        )

    def pause(self) -> None:
        """Stop with a checkpoint; it can go on later, also in another window."""
        self.progress_text.setText("Saving what has been learnt …")
        self.run.pause()
        self._allow(stopping=True)

    def go_on(self) -> None:
        """Go on with the training that was stopped."""
        left = self._left
        if left is None or self.run.is_running or self.is_held():
            return
        try:
            self._parent = find_model(left.parent, left.kind)
        except CopnetError:
            self._parent = None
        self._begin(lambda: self.run.go_on(left))

    def cancel(self) -> None:
        """Throw the training away that runs or was stopped, once the user is sure."""
        if not self._sure.isActive():
            self.cancel_button.setText("Discard?")
            self._sure.start()
            return
        self._sure.stop()
        self.cancel_button.setText("Cancel")
        if self.run.is_running:
            self.progress_text.setText("Stopping …")
            self.run.cancel()
            self._allow(stopping=True)
        elif self._left is not None:
            forget(self._left)
            self.renew()

    def stop(self) -> None:
        """Stop with a checkpoint, when the dock goes."""
        self._later.stop()
        self._sure.stop()
        self.run.shut_down()

    def look(self) -> None:
        """Look what there is to go on with, and which models there are."""
        for picker in self.parents.values():
            picker.refresh()
        self.renew()

    # Keeping it true ---------------------------------------------------------

    def renew(self) -> None:
        """Say what a training would do."""
        kind = str(self.kind.currentData())
        for other, picker in self.parents.items():
            picker.setVisible(other == kind)
        if self.run.is_running:
            return
        self._left = next(iter(unfinished()), None)
        problem = None
        if self._link.project is None:
            self.plan.setText("")
            self.tell(Mark.WAITING, _PURPOSE, "Needs slices that are done.")
        else:
            try:
                self.plan.setText(self._plan_text(self.form.get()))
                self.tell(Mark.READY, _PURPOSE)
            except CopnetError as error:
                problem = error
                self.plan.setText("")
                self.tell(Mark.WAITING, _PURPOSE, str(error))
        self.train_button.setEnabled(self._link.project is not None and problem is None)
        if self._left is not None:
            epochs = len(read_losses(self._left.out))
            self.progress_text.setText(
                f"{self._left.name} was stopped after {epochs} epochs; it can be resumed."
            )
        self.progress_text.setVisible(self._left is not None)
        self.bar.hide()
        self._allow()

    def _prospect(self, params: FineTuneParams) -> Prospect:
        kind = str(self.kind.currentData())
        project = self._link.project
        assert project is not None
        return prospect(project, kind, find_model(self.parents[kind].value, kind), params, first=1)

    def _plan_text(self, params: FineTuneParams) -> str:
        plan = self._prospect(params)
        device = self.device.value if self.device.value != "auto" else likely_device()[0]
        text = f"{plan.text} In all about {duration(60 * plan.minutes)} on the {_DEVICES[device]}"
        seconds = seconds_a_step(plan.kind)
        if seconds:
            steps = round(60 * params.minutes / seconds)
            if params.steps:
                steps = min(steps, params.steps)
            text += f": {steps} steps of {seconds:.2g} s, as fast as last time"
        if plan.kind == "closing" and self._degrade() is not None:
            text += ", with the simulated gaps you chose"
        return text + "."

    def _begin(self, start: Callable[[], Any]) -> None:
        self._pace = Pace()
        self.progress_text.setText("Starting …")
        self.bar.set(0.0)
        for widget in (self.progress_text, self.bar, self.loss_plot, self.dice_plot):
            widget.show()
        start()
        self._draw()
        self.tell(Mark.RUNNING, "Training; you can go on annotating.")
        self._allow()

    def _allow(self, stopping: bool = False) -> None:
        running = self.run.is_running
        left = self._left is not None and not running
        self.train_button.setVisible(not running)
        self.train_button.setText("Train again" if left else "Train")
        self.continue_button.setVisible(left)
        self.pause_button.setVisible(running)
        self.pause_button.setEnabled(not stopping)
        self.cancel_button.setVisible(running or left)
        self.cancel_button.setEnabled(not stopping)
        for widget in (self.kind, self.form.widget, self.device, *self.parents.values()):
            widget.setEnabled(not running)

    def _draw(self) -> None:
        rows = read_losses(self.run.out) if self.run.out is not None else []
        columns = {
            key: {int(one["epoch"]): one[key] for one in rows if key in one}
            for key in ("train_loss", "validation_loss", "validation_dice")
        }
        self.loss_plot.show_series(
            Series("training", TRAIN_COLOUR, columns["train_loss"]),
            Series("held out", VALIDATION_COLOUR, columns["validation_loss"]),
        )
        self.dice_plot.show_series(Series("", DICE_COLOUR, columns["validation_dice"]))

    # The training ------------------------------------------------------------

    def _on_progress(self, news: list[Progress]) -> None:
        last = news[-1]
        if last.step != "training":
            self.progress_text.setText(self._pace.text(last))
            self.bar.set(last.done / last.total if last.total else 0.0)
            return
        if not began(last):
            self.progress_text.setText("Preparing the network …")
            return
        share = share_of(last)
        self.bar.set(share)
        text = f"Epoch {int(last.done) + 1}, {100 * share:.0f} % of the time"
        minutes = minutes_of(self.run.out) if self.run.out is not None else None
        if minutes and share > 0:
            text += f", {duration(60 * minutes * (1 - share))} left"
        rows = read_losses(self.run.out) if self.run.out is not None else []
        if rows and rows[-1].get("step"):
            text += f"; {rows[-1]['seconds'] / rows[-1]['step']:.2g} s per step"
        self.progress_text.setText(text + ".")
        self._draw()

    def _on_finished(self, package: ModelPackage) -> None:
        self._draw()
        self.look()
        self.tell(Mark.DONE, f"{package.name} is trained.", "Next: compare it with the old model.")
        self.trained.emit(self._parent, package)

    def _on_failed(self, error: CopnetError) -> None:
        self.renew()
        self.tell(Mark.FAILED, "Stopped by an error: see below.")
        self.failed.emit(error)

    def _on_stopped(self, left: Unfinished | None) -> None:
        self.renew()
        if left is None:
            self.tell(Mark.READY, "Cancelled.", "Nothing was kept.")
        else:
            self.tell(
                Mark.CHANGED, "Paused.", "You can continue at any time, even after a restart."
            )
