"""The review of iterations: when a wall was closed, which slices converged, and scores."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap
from psygnal import Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.iterations.iteration_data import score_iterations, truth_stack
from napari_copnet.gui.proofreading.iteration_tab import IterationTab
from napari_copnet.gui.proofreading.session_layers import ROLE, SessionLayers
from napari_copnet.gui.viewer.layer_roles import SCORE_COLOURS, is_truth
from napari_copnet.gui.widgets.iteration_plot import IterationPlot, Series
from napari_copnet.gui.widgets.lazy_rows import Rows
from napari_copnet.lazy_array import LazyArray
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.closing_history import (
    SETTLED,
    SliceClosing,
    closing_by_slice,
    scores_by_edit,
)
from napari_copnet.proofreading.session import Session
from napari_copnet.steps.iteration_history import contour_after

ITERATION_COLOUR = "#76ff03"
NO_ITERATIONS = "The run did not keep its iterations. Run it again with Keep iterations."
HOW = "With no tool selected, click a contour to see its iteration and its item in the queue."


class IterationReview:
    """Fills the tab Iterations of an open session.

    Parameters
    ----------
    viewer : napari.Viewer
    tab : IterationTab
    session : Session
    layers : SessionLayers
    compute : callable
        See `background.task_queue.Compute`.

    Attributes
    ----------
    slice_asked, edit_asked : Signal
        A slice is to be shown; the history is to stand at an edit.
    failed : Signal
        A `CopnetError` to be shown.
    """

    slice_asked = Signal(int)
    edit_asked = Signal(int)
    failed = Signal(object)

    def __init__(
        self,
        viewer: Any,
        tab: IterationTab,
        session: Session,
        layers: SessionLayers,
        compute: Compute,
    ) -> None:
        self.viewer, self.tab, self.session, self.layers = viewer, tab, session, layers
        self.found: list[SliceClosing] = []
        self.layer: Any = None
        self._shown: list[int] = list(range(session.shape[0]))
        self._compute, self._stopped = compute, False
        self._scoring: Job | None = None
        self._scores: dict[str, dict[str, dict[int, float]]] = {}
        self._rows = Rows(
            ("Slice", "Changed", "Cells", "Closing"),
            lambda: len(self._shown),
            self._cell,
        )
        tab.slices_view.show_rows(self._rows)
        tab.show_iteration.setChecked(False)
        self._begin()
        self._connections = [
            (tab.show_iteration.toggled, self._on_shown),
            (tab.number.valueChanged, self._on_number),
            (tab.unsettled.toggled, self._filter),
            (tab.slices_view.clicked, lambda index: self._ask_slice(self._shown[index.row()])),
            # Slices are counted from 1 in all that is read.
            (tab.changed_plot.picked, lambda number: self._ask_slice(number - 1)),
            (tab.cells_plot.picked, lambda number: self._ask_slice(number - 1)),
            (tab.iteration_scores.picked, self.show_iteration),
            (tab.edit_scores.picked, self._ask_edit),
            (tab.score_button.clicked, lambda _: self.score()),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)
        events = viewer.layers.events
        self._layer_events = (events.inserted, events.removed)
        for emitter in self._layer_events:
            emitter.connect(self._list_truths)
        viewer.dims.events.current_step.connect(self._mark_slice)
        self._list_truths()
        self.changed()
        self._mark_slice()

    def find(self) -> None:
        """Read the closing history of all slices."""
        session = self.session

        def take(found: list[SliceClosing]) -> None:
            if self._stopped:
                return
            self.found = found
            values = {
                iteration_review.z + 1: iteration_review.changed[-1]
                for iteration_review in found
                if iteration_review.changed
            }
            self.tab.changed_plot.show_series(Series("", "#4fc3f7", values))
            self._filter()

        if self._iterations is not None:
            self._compute("course", lambda: closing_by_slice(session)).finished.connect(take)

    def take_run(self) -> None:
        """Another run is in use: show its iterations."""
        if self._scoring is not None:
            self._scoring.give_up(wait=True)
            self._scored()
        self._begin()
        self.tab.show_iteration.setChecked(self.tab.show_iteration.isChecked() and self._kept)
        self._on_number(self.tab.number.value())
        self._filter()
        self.find()

    def changed(self) -> None:
        """The session has changed: count cells anew."""
        counts = {z + 1: float(self.session.cell_count(z)) for z in range(self.session.shape[0])}
        self.tab.cells_plot.show_series(Series("", "#81c784", counts))
        self._rows.renew()

    def show_iteration(self, number: int) -> None:
        """Show the contour as it was after an iteration, over the present one."""
        self.tab.number.setValue(number)
        self.tab.show_iteration.setChecked(True)

    def score(self) -> None:
        """Score iterations and edits against the chosen truth."""
        session, truth = self.session, self.tab.truths.currentData()
        if truth is None or self._scoring is not None:
            return
        try:
            true = truth_stack(truth, session.shape)
            # For the thread: the session goes on meanwhile.
            contour, edits = session.contour.still(), session.history.packed()
        except CopnetError as error:
            self.failed.emit(error)
            return
        iterations, unite = self._iterations, session.unite

        def work() -> Steps[None]:
            if iterations is not None:
                numbers = list(range(len(iterations)))
                yield from score_iterations(iterations, numbers, unite, true)
            yield Progress("by edit", 0, 1, "steps", partial=None)
            yield from _renamed(scores_by_edit(contour, edits, true))

        self._scores = {"score": {}, "by edit": {}}
        self.tab.score_button.setEnabled(False)
        self.tab.score_button.setText("Scoring …")
        job = self._scoring = Job(work, "copnet-score")
        job.progressed.connect(self._on_scores)
        job.finished.connect(lambda _: self._scored())
        job.failed.connect(lambda error: self._scored(error))
        job.start()

    def stop(self) -> None:
        """Let the tab and the viewer go; the layer goes with those of the session."""
        self._stopped = True
        if self._scoring is not None:
            self._scoring.give_up(wait=True)
            self._scored()
        for signal, slot in self._connections:
            with contextlib.suppress(TypeError, RuntimeError):
                signal.disconnect(slot)
        for emitter in self._layer_events:
            with contextlib.suppress(ValueError):
                emitter.disconnect(self._list_truths)
        with contextlib.suppress(ValueError):
            self.viewer.dims.events.current_step.disconnect(self._mark_slice)

    # Helpers -----------------------------------------------------------------

    @property
    def _kept(self) -> bool:
        """Whether the run has kept its iterations."""
        return self._iterations is not None

    def _begin(self) -> None:
        """Show what there is of the run in use before anything is computed."""
        tab, self.found = self.tab, []
        self._iterations = self.session.iterations
        tab.hint.setText(HOW if self._kept else NO_ITERATIONS)
        tab.iteration_row.setVisible(self._kept)
        tab.unsettled.setVisible(self._kept)
        tab.unsettled.setChecked(False)
        tab.changed_plot.setVisible(self._kept)
        if self._iterations is not None:
            tab.number.setRange(0, len(self._iterations) - 1)
            tab.number.setValue(len(self._iterations) - 1)
        tab.iteration_scores.hide()
        tab.edit_scores.hide()

    def _cell(self, row: int, column: int) -> str:
        z = self._shown[row]
        iteration_review = self.found[z] if z < len(self.found) else None
        if column == 0:
            return str(z + 1)
        if column == 1:
            return (
                f"{100 * iteration_review.changed[-1]:.3g} %"
                if iteration_review and iteration_review.changed
                else ""
            )
        if column == 2:
            return str(self.session.cell_count(z))
        return iteration_review.state if iteration_review else ""

    def _filter(self) -> None:
        only = self.tab.unsettled.isChecked()
        all_of_them = range(self.session.shape[0])
        self._shown = [
            z for z in all_of_them if not only or (self.found and self.found[z].state != SETTLED)
        ]
        self._rows.renew()
        self._mark_slice()

    def _mark_slice(self) -> None:
        if self._stopped or self.layers.contour not in self.viewer.layers:
            return
        z = self.layers.z
        self.tab.changed_plot.mark(z + 1)
        self.tab.cells_plot.mark(z + 1)
        at = self._shown.index(z) if z in self._shown else -1
        if at != self._rows.current:
            self.tab.slices_view.renew(at)

    def _ask_slice(self, z: int) -> None:
        self.slice_asked.emit(z)

    def _ask_edit(self, position: int) -> None:
        self.edit_asked.emit(position)

    def _on_shown(self, on: bool) -> None:
        if self.layer is None and on:
            session, tab = self.session, self.tab

            def plane(z: int) -> np.ndarray:
                iterations = self._iterations
                if iterations is None:
                    return np.zeros(session.shape[1:], np.uint8)
                after = contour_after(iterations, tab.number.value(), z, session.unite)
                return after.view(np.uint8)

            active = self.viewer.layers.selection.active
            self.layer = Labels(
                LazyArray(session.shape, np.uint8, plane),
                name="Session: contour after iteration",
                colormap=CyclicLabelColormap(colors=["transparent", ITERATION_COLOUR]),
                opacity=0.7,
                metadata={"copnet": {"role": ROLE}},
                **self.layers.arguments,
            )
            self.layers.add_beside(self.layer)
            self.layer.editable = False
            self.viewer.layers.selection.active = active
        elif self.layer is not None and self.layer in self.viewer.layers:
            self.layer.visible = on

    def _on_number(self, _number: int) -> None:
        if self.layer is not None and self.layer in self.viewer.layers:
            self.layer.refresh()

    def _list_truths(self) -> None:
        self.tab.list_truths([layer for layer in self.viewer.layers if is_truth(layer)])

    def _on_scores(self, news: list[Progress]) -> None:
        for progress in news:
            if progress.partial is not None:
                at, scores = progress.partial
                for name, value in scores.items():
                    self._scores[progress.step].setdefault(name, {})[at] = value
        for step, plot in self._plots():
            values = self._scores[step]
            series = [Series(n, c, dict(values.get(n, {}))) for n, c in SCORE_COLOURS.items()]
            plot.setVisible(bool(values))
            plot.show_series(*series)

    def _plots(self) -> tuple[tuple[str, IterationPlot], ...]:
        return ("score", self.tab.iteration_scores), ("by edit", self.tab.edit_scores)

    def _scored(self, error: CopnetError | None = None) -> None:
        self._scoring = None
        self.tab.score_button.setText("Score")
        self.tab.score_button.setEnabled(self.tab.truths.count() > 0)
        if error is not None:
            self.failed.emit(error)


def _renamed(work: Steps[None]) -> Steps[None]:
    for progress in work:
        yield Progress("by edit", progress.done, progress.total, "steps", partial=progress.partial)
