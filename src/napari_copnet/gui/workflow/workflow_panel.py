"""The workflow dock: stack, preprocess, contours, closing and cells, in working order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from psygnal import Signal as PySignal

from napari_copnet.errors import CopnetError, NeedsChoiceError
from napari_copnet.gui.background.jobs import Job, after
from napari_copnet.gui.viewer.add_stack import Opened
from napari_copnet.gui.viewer.layer_source import Placement, slice_in_view
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.gui.widgets.model_picker import ModelPicker
from napari_copnet.gui.workflow.image_runs import ImageRuns
from napari_copnet.gui.workflow.layer_groups import LayerGroups
from napari_copnet.gui.workflow.membrane_ruler import MembraneRuler
from napari_copnet.gui.workflow.opening import Opening
from napari_copnet.gui.workflow.result_controls import ResultControls
from napari_copnet.gui.workflow.run_stages import STAGES
from napari_copnet.gui.workflow.size_choice import SizeChoice, SizeTrial
from napari_copnet.gui.workflow.verdict_note import VerdictNote
from napari_copnet.gui.workflow.workflow_form import WorkflowForm
from napari_copnet.gui.workflow.workflow_status import ImageRun, WorkflowStatus
from napari_copnet.networks.nnunet import Network
from napari_copnet.params import Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps

Asked = TypeVar("Asked")


class WorkflowPanel(WorkflowForm):
    """A stack becomes cells.

    Parameters
    ----------
    viewer : napari.Viewer
    load : callable
        Loads a network on a device, as for `pipeline.run`.

    Attributes
    ----------
    job : Job or None
        What runs now.
    runs : ImageRuns
        Images that were run in this dock.
    progressed, ended : Signal
        For further widgets: (Source, list of partial results) as they are shown, and
        (Source, state as text) when a run has ended.
    """

    progressed = PySignal(object, object)
    ended = PySignal(object, str)

    def __init__(self, viewer: Any, load: Callable[..., Any] = Network.load) -> None:
        super().__init__(viewer)
        self.job: Job | None = None
        self._last: threading.Thread | None = None
        self.runs = ImageRuns(viewer)
        self._load = load
        self._running: ImageRun | None = None
        self._until = STAGES[-1]
        self._notes: list[str] = []
        self._narrator = WorkflowStatus(self.sections)
        self._connect()
        self.verdict = VerdictNote(self)
        self.opening = Opening(self)
        self.groups = LayerGroups(self)
        self._refresh()

    def _connect(self) -> None:
        self.run_controls.run_button.clicked.connect(lambda: self.run())
        self.run_controls.cancel_button.clicked.connect(lambda: self.cancel())
        self.stack.source_changed.connect(self._on_source)
        self.stack.moved.connect(self._on_moved)
        self.stack.open_asked.connect(self.open)
        self.origin.look(self.stack.layer)
        self.origin.changed.connect(self._later)
        self.origin.open_asked.connect(self.open_contours)
        self.sections["preprocess"].sizes_button.clicked.connect(lambda: self.try_sizes())
        for stage, section in self.sections.items():
            section.run_button.clicked.connect(lambda _=False, stage=stage: self.run(stage))
            section.form.changed.connect(self._later)
        contours, closing = self.sections["contours"], self.sections["closing"]
        contours.device_form.changed.connect(self._later)
        for picker in (contours.model, contours.device, closing.model):
            picker.changed.connect(self._later)
        self.controls = ResultControls(
            self.viewer, closing, self.sections["cells"], lambda: self.source, self._is_busy
        )
        self.ruler = MembraneRuler(
            self.viewer,
            self.sections["preprocess"],
            lambda: self.stack.layer,
            self.run_controls.message,
        )
        self.place.changed.connect(self._later)
        self.runs.edited.connect(self.controls.tell_edit)
        # Typing changes a setting with each key: look once it pauses.
        self._timer = delayed(self._refresh, 100, self)

    def _later(self) -> None:
        self._timer.start()

    # What the user can do ----------------------------------------------------

    def open(self, path: Path | str) -> None:
        """Read a stack file in the background and add it as an image layer."""
        params = self._asked(self.stack.read_params)
        if params is not None:
            self.opening.stack(Path(path), params)

    def open_contours(self, path: Path | str) -> None:
        """Read a contour probability in the background, and choose it in place of Step 1."""
        params = self._asked(self.stack.read_params)
        if params is not None:
            self.opening.contours(Path(path), params)

    def open_with(
        self,
        work: Callable[[], Steps[Opened]],
        then: Callable[[Any], None] | None = None,
        choose: Callable[[Any], None] | None = None,
    ) -> bool:
        """Read a stack in the background and add it as an image layer; return whether it begins.

        Parameters
        ----------
        work : callable
            Reads the stack, in a thread.
        then : callable, optional
            Called with the layer.
        choose : callable, optional
            Chooses the layer for what it is; by default as the image to segment.
        """
        if self._is_busy():
            return False

        def show(opened: Opened) -> None:
            self._on_opened(opened, choose or self.stack.choose)
            if then is not None:
                then(opened.layer)

        self._start(Job(work, "copnet-read", behind=False), show)
        return True

    def run(self, until: str = STAGES[-1]) -> None:
        """Run the chosen image through the stages up to `until`.

        Only stages behind a changed setting run again.
        """
        asked = self._asked(self.asked_run)
        if asked is None:
            return
        try:
            folder = self.place.folder(asked.layer, asked.settings)
        except CopnetError as error:
            self.run_controls.message.error(error)
            return
        before, first = self._last, slice_in_view(self.viewer, asked.layer)

        def work(source: ImageRun) -> Steps[RunResult | None]:
            steps = asked.steps(source.store, folder, until=until, first=first, load=self._load)
            return steps if folder is None else after(before, steps)

        self._follow(asked.layer, asked.settings, folder, until, work, asked.given)

    def show_finished(
        self, layer: Any, settings: Settings, work: Callable[[], Steps[RunResult]]
    ) -> None:
        """Show a run of an image layer that was done before: first where it led to.

        Parameters
        ----------
        layer : napari.layers.Image
        settings : Settings
            Of the run; where those of the dock differ, it will run again.
        work : callable
            Yields partial results as `run_stages` does, and returns the result; in a thread.
        """
        if not self._is_busy():
            source = self._follow(layer, settings, None, STAGES[-1], lambda _: work(), behind=False)
            source.layers.hold_steps()

    def _follow(
        self,
        layer: Any,
        settings: Settings,
        folder: Path | None,
        until: str,
        work: Callable[[ImageRun], Steps[RunResult | None]],
        given: Any = None,
        *,
        behind: bool = True,
    ) -> ImageRun:
        """Do the work of a run in a thread, and show what comes of it."""
        source = self.runs.begin(layer, folder, settings, until, given)
        self.run_controls.slices = int(layer.data.shape[0]) if layer.ndim == 3 else 1
        self._running, self._until, self._settings = source, until, settings
        self._notes.clear()
        self._narrator.begin(source, settings, until)
        job = Job(lambda: work(source), "copnet-run", behind)
        job.progressed.connect(self._on_progress)
        self._start(job, self._on_finished)
        return source

    def try_sizes(self) -> None:
        """Show the slice in view to the networks at several sizes, for one to be chosen."""
        asked = self._asked(self.asked_run)
        if asked is None:
            return
        z, judged = slice_in_view(self.viewer, asked.layer), self.verdict.verdict
        ran = 0 if judged is None else judged.size
        given = asked.settings, self._load, asked.repair, ran, asked.contours
        trial = SizeTrial(asked.stack, z, *given)
        row = self.sections["preprocess"].form.rows["size"]

        def show(picture: bytes) -> None:
            self._rest()
            take = partial(setattr, row, "value")
            SizeChoice(self, picture, trial.sizes, trial.now, take).show()

        self._start(Job(trial.picture, "copnet-sizes"), show)

    def _asked(self, of: Callable[[], Asked]) -> Asked | None:
        """Return what the form asks for; None while something runs, or where that is wrong."""
        if self._is_busy():
            return None
        try:
            return of()
        except CopnetError as error:
            self.run_controls.message.error(error)
            return None

    def cancel(self) -> None:
        """Stop what runs; the last complete iteration is kept."""
        if self.job is not None and self.job.is_running:
            self.run_controls.stopping()
            self.job.cancel()

    def _shut_down(self) -> None:
        """Stop all work and wait for its thread."""
        self._timer.stop()
        if self.job is not None:
            self.job.give_up(wait=True)
            self.job = None
        for picker in self.findChildren(ModelPicker):
            picker.stop()
        for part in (self.ruler, self.stack, self.origin, self.controls, self.groups):
            part.stop()
        for source in self.sources:
            source.layers.stop()

    @property
    def source(self) -> ImageRun | None:
        """The chosen image and its results, when it was run."""
        return self.runs.of(self.stack.layer)

    @property
    def sources(self) -> list[ImageRun]:
        """Images that were run in this dock."""
        return self.runs.every

    # Jobs --------------------------------------------------------------------

    def _is_busy(self) -> bool:
        return self._is_closed or (self.job is not None and self.job.is_running)

    def _start(self, job: Job, finished: Callable[[Any], None]) -> None:
        self.job, self._last, self.opening.again = job, job.worker, None
        job.progressed.connect(self._show_progress)
        job.finished.connect(finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        self.run_controls.start()
        self.allow(False)
        job.start()

    def _show_progress(self, news: list[Progress]) -> None:
        for progress in news:
            if progress.note and progress.note not in self._notes:
                self._notes.append(progress.note)
                self.run_controls.message.note("\n".join(self._notes[-4:]))
        self.run_controls.show_progress(news[-1])

    def _on_progress(self, news: list[Progress]) -> None:
        source = self._running
        if source is None:
            return
        partials = [p.partial for p in news if p.partial is not None]
        source.layers.show(partials)
        self._narrator.news(source, news, early=self._until == "early")
        if partials:
            self.progressed.emit(source, partials)

    def _on_finished(self, result: RunResult | None) -> None:
        source = self._running
        assert source is not None
        note = ""
        if result is not None:
            source.result, source.settings = result, self._settings
            note = f"The results are in {source.folder}." if source.folder is not None else ""
        self._end(source, "finished", note)

    def _on_opened(self, opened: Opened, choose: Callable[[Any], None]) -> None:
        self.viewer.add_layer(opened.layer)
        self._rest()
        if opened.layer in self.viewer.layers:
            choose(opened.layer)
        if opened.notes:
            self.run_controls.message.note("\n".join(opened.notes))

    def _on_failed(self, error: CopnetError) -> None:
        source, self._running = self._running, None
        self._narrator.failed()
        self._rest()
        self.run_controls.message.error(error)
        if isinstance(error, NeedsChoiceError):
            self.opening.ask(error)
        if source is not None:
            source.layers.settle()
            self.ended.emit(source, "failed")

    def _on_cancelled(self) -> None:
        source = self._running
        if source is None:
            self._rest()
            self.run_controls.message.note("Cancelled.")
            return
        if source.folder is not None:
            note = "Cancelled. What is done is kept on disk, and the next Run continues from there."
            self._end(source, "cancelled", note)
            return
        left = None if self._until == "early" else source.left_over(self._settings)
        if left is None:
            self._end(source, "cancelled", "Cancelled. Finished steps are kept.")
            return
        # The contours of the last complete iteration, and their cells, in a moment.
        number, work = left
        self._until = "early"
        self._kept_note = (
            f"Cancelled. Iteration {number} is kept: its contours and cells are shown."
        )
        job = Job(work, "copnet-keep")
        job.progressed.connect(self._on_progress)
        self._start(job, lambda _: self._end(source, "cancelled", self._kept_note))

    def _end(self, source: ImageRun, state: str, note: str = "") -> None:
        self._running = None
        self._rest()
        source.layers.settle()
        source.iteration = source.layers.iteration_in_view()
        notes = [*([note] if note else []), *self._notes[-3:], *source.notes(self.viewer)]
        if notes:
            self.run_controls.message.note("\n".join(notes))
        self.ended.emit(source, state)

    def _rest(self) -> None:
        self.job = None
        self.run_controls.rest()
        self.allow(True)
        self._refresh()

    def showEvent(self, event: Any) -> None:
        """From now on the window's list leaves out what is only on the way."""
        super().showEvent(event)
        self.groups.watch(self.window())

    # Keeping the words true --------------------------------------------------

    def _on_source(self) -> None:
        self.origin.look(self.stack.layer)
        self._later()

    def _on_moved(self) -> None:
        source = self.source
        if source is not None:
            source.layers.place(Placement.of(source.layer))
        self._later()

    def _refresh(self) -> None:
        """Say of each stage whether it is done, and whether its settings have changed since."""
        if self._is_busy():
            return
        layer, source = self.stack.layer, self.source
        try:
            settings = self.settings()
        except CopnetError:
            settings = None
        self._narrator.refresh(source, layer is not None, settings, self.origin.layer)
        self.place.look(layer, settings)
        self.controls.refresh()
