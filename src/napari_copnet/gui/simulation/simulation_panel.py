"""The dock for simulated gaps: true contours degraded live, and fitted to real gaps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QStandardItemModel

from napari_copnet.errors import CopnetError
from napari_copnet.evaluation.fit_gaps import GapFit, Gaps
from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.background.task_queue import TaskQueue
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.simulation.layer_choices import position_of, real_gaps, stack_of, truths
from napari_copnet.gui.simulation.previews import (
    Preview,
    fit,
    live_box,
    map_gaps,
    preview,
    session_gaps,
)
from napari_copnet.gui.simulation.simulated_layer import SimulatedLayer
from napari_copnet.gui.simulation.simulation_form import SimulateForm
from napari_copnet.gui.simulation.units import SPANS, converted, spans_in
from napari_copnet.gui.viewer.dock_places import docked
from napari_copnet.gui.viewer.layer_source import slice_in_view, voxel_size_of
from napari_copnet.gui.viewer.world import to_data
from napari_copnet.gui.widgets.controls import quiet
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.params import DegradeParams
from napari_copnet.progress import Progress
from napari_copnet.training.degrade import rescaled
from napari_copnet.training.truth import scale_for

# How often to look whether more gaps were fixed in the session.
WATCH_MS = 1500
# Longer side that networks see; see `training.fit.train`.
NETWORK_SIDE = 512


class SimulatePanel(SimulateForm):
    """Simulate gaps in true contours.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    chosen : DegradeParams or None
        What "Use for training" was pressed for, in pixels of what networks see.
    simulated, real : Gaps or None
    shown : Signal
        The simulated map is there, with its gaps counted.
    taken : Signal
        Settings (DegradeParams) that training shall use.
    """

    shown = Signal()
    taken = Signal(object)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.chosen: DegradeParams | None = None
        self.simulated: Gaps | None = None
        self.real: Gaps | None = None
        self.job: Job | None = None
        self._seed = 0
        self._unit = "px"
        self._layer = SimulatedLayer(viewer)
        self._is_at_work = True
        self._truth: Any = None
        self._real_of: Any = None
        self._seen: tuple[Any, ...] = ()
        self._previews, self._counts = TaskQueue(), TaskQueue()
        self._timer = delayed(self._draw, 40, self)
        self._counted_at: Any = None
        self._watch = QTimer(self)
        self._watch.setInterval(WATCH_MS)
        self._watch.timeout.connect(self._on_watch)
        self._watch.start()
        self._connect()
        self._use_theme()
        self._on_layers()
        self._allow()

    def _connect(self) -> None:
        self.truths.currentIndexChanged.connect(self._on_truth)
        self.reals.currentIndexChanged.connect(self._on_real)
        self.unit.currentIndexChanged.connect(self._on_unit)
        self.sliders.changed.connect(self._on_sliders)
        self.again_button.clicked.connect(lambda: self.again())
        self.default_button.clicked.connect(lambda: self.reset())
        self.fit_button.clicked.connect(lambda: self.fit_or_stop())
        self.use_button.clicked.connect(lambda: self.use())
        self._hear_layers(self._on_layers, self.viewer)
        self._hear(self._on_step, self.viewer.dims.events.current_step)
        self._hear(self._use_theme, self.viewer.events.theme)

    # What the user can do ----------------------------------------------------

    @property
    def truth(self) -> Any:
        """The layer of true contours, or None."""
        return self._truth

    def params(self) -> DegradeParams:
        """Return the settings as the sliders show them."""
        return dataclasses.replace(self.sliders.get(), unit=self._unit)

    def set_at_work(self, on: bool) -> None:
        """Show the simulated map, or take it away while other work is in view."""
        if self._is_closed or on == self._is_at_work:
            return
        self._is_at_work = on
        self._layer.welcome()
        if on:
            self._timer.start()
        else:
            self._timer.stop()
            self._layer.remove()

    def again(self) -> None:
        """Draw other disks with the same settings."""
        self._layer.welcome()
        self._seed += 1
        self._draw()

    def reset(self) -> None:
        """Take the default settings."""
        self._layer.welcome()
        with quiet(self.unit):
            self.unit.setCurrentIndex(0)
        self._unit = "px"
        self.sliders.reach(SPANS)
        self.sliders.set(DegradeParams())
        self._draw()

    def fit_or_stop(self) -> None:
        """Fit the settings to the real gaps; while that goes on, stop it."""
        if self.job is not None:
            self.job.cancel()
            return
        if self._truth is None or self.real is None:
            return
        truth, real, start, size = stack_of(self._truth), self.real, self.params(), self._pixel_size
        self.message.clear()
        self.progress.start()
        job = self.job = Job(lambda: fit(truth, real, start, size), "copnet-fit")
        job.progressed.connect(self._on_fit_progress)
        job.finished.connect(self._on_fitted)
        job.failed.connect(lambda error: self._rest(error))
        job.cancelled.connect(lambda: self._rest(None, "Stopped. The best fit so far is shown."))
        self.fit_button.setText("Stop")
        self._allow()
        job.start()

    def use(self) -> None:
        """Have the next training of a closing network learn from such gaps."""
        scale = scale_for(np.shape(self._truth.data), NETWORK_SIDE) if self._truth else 1.0
        try:
            self.chosen = rescaled(self.params(), scale, self._pixel_size)
        except CopnetError as error:
            self.message.error(error)
            return
        self.taken.emit(self.chosen)
        self.message.note(
            "Closing networks trained in this window will learn from gaps like these."
        )

    def _shut_down(self) -> None:
        self._timer.stop()
        self._watch.stop()
        if self.job is not None:
            self.job.give_up(wait=True)
            self.job = None
        for queue in (self._previews, self._counts):
            queue.shut_down()

    # Layers and units --------------------------------------------------------

    @property
    def _pixel_size(self) -> float | None:
        return voxel_size_of(self._truth).x if self._truth is not None else None

    def _on_layers(self) -> None:
        if self._is_closed:
            return
        layers = truths(self.viewer)
        chosen = self._truth if self._truth in layers else (layers[-1] if layers else None)
        self.list_truths(layers, chosen)
        if chosen is not self._truth:
            self._set_truth(chosen)
        else:
            self._list_reals()

    def _on_sliders(self) -> None:
        self._layer.welcome()
        self._timer.start()

    def _on_truth(self) -> None:
        self._layer.welcome()
        self._set_truth(self.truths.currentData())

    def _set_truth(self, layer: Any) -> None:
        self._truth = layer
        self.simulated = None
        known = self._pixel_size is not None
        units = self.unit.model()
        assert isinstance(units, QStandardItemModel)  # which each QComboBox has of itself
        micrometres = units.item(1)
        assert micrometres is not None
        micrometres.setEnabled(known)
        if not known and self._unit == "um":
            self.unit.setCurrentIndex(0)
        self._list_reals()
        self._allow()
        self._timer.start()

    def _list_reals(self) -> None:
        found = real_gaps(self.viewer, self._truth)
        before = self._real_of
        self.list_reals(found, before)
        if self.reals.currentData() is not before:
            self._on_real()

    def _on_real(self) -> None:
        self._real_of, self.real = self.reals.currentData(), None
        self._show_gaps()
        real, truth = self._real_of, self._truth
        self._counted_at = position_of(real)
        if real is None or truth is None:
            return
        work = (
            (lambda: map_gaps(stack_of(truth), stack_of(real)))
            if hasattr(real, "data")
            else (lambda: session_gaps(real))
        )

        def counted(gaps: Gaps) -> None:
            # Others may have been chosen meanwhile.
            if real is self._real_of and truth is self._truth:
                self.real = gaps
                self._show_gaps()

        task = self._counts.add("count", work)
        task.finished.connect(counted)
        task.failed.connect(self.message.error)

    def _on_watch(self) -> None:
        if self.job is None and position_of(self._real_of) != self._counted_at:
            self._on_real()

    def _on_unit(self) -> None:
        unit, size = self.unit.currentData(), self._pixel_size
        if unit == self._unit or size is None:
            return
        params = converted(self.sliders.get(), unit, size)
        self._unit = unit
        self.sliders.reach(spans_in(size if unit == "um" else 1.0))
        self.sliders.set(params)
        self._timer.start()

    # The map -----------------------------------------------------------------

    def _on_step(self) -> None:
        if self._truth is not None and self._place() != self._seen:
            self._timer.start()

    def _place(self) -> tuple[Any, ...]:
        """Return the slice in view and the part of it that is degraded."""
        layer = self._truth
        shape = layer.data.shape[-2:]
        point = np.zeros(layer.ndim)
        point[-2:] = camera_of(self.viewer).center[-2:]
        centre = to_data(self.viewer, layer, point)[-2:].tolist()
        return slice_in_view(self.viewer, layer), live_box(shape, centre)

    def _draw(self) -> None:
        if self._is_closed or not self._is_at_work:
            return
        if self._truth is None or self._truth not in self.viewer.layers:
            return
        layer, params, seed, size = self._truth, self.params(), self._seed, self._pixel_size
        if params.radius_min > params.radius_max:
            params = dataclasses.replace(params, radius_max=params.radius_min)
        place = self._seen = self._place()
        z, box = place
        plane = np.array(stack_of(layer)[z][box])

        def show(done: Preview) -> None:
            if self._is_at_work and layer is self._truth and layer in self.viewer.layers:
                self._show(done, box)

        def came(news: list[Progress]) -> None:
            for progress in news:
                if progress.partial is not None:
                    show(progress.partial)

        def done(result: Preview) -> None:
            show(result)
            self.shown.emit()

        task = self._previews.add("preview", lambda: preview(plane, params, seed, size))
        task.progressed.connect(came)
        task.finished.connect(done)
        task.failed.connect(self.message.error)

    def _show(self, done: Preview, box: tuple[slice, slice]) -> None:
        self._layer.show(done.values, self._truth, box)
        if done.gaps is not None:
            self.simulated = done.gaps
            self._show_gaps()

    def _show_gaps(self) -> None:
        self.histogram.show_gaps(self.simulated, self.real)
        self._allow()

    def _allow(self) -> None:
        has = self._truth is not None
        for widget in (self.sliders, self.again_button, self.default_button, self.unit):
            widget.setEnabled(has and self.job is None)
        self.use_button.setEnabled(has and self.job is None)
        self.fit_button.setEnabled(self.job is not None or (has and self.real is not None))

    # The fit -----------------------------------------------------------------

    def _on_fit_progress(self, news: list[Progress]) -> None:
        self.progress.show_progress(news)
        best = next((p.partial for p in reversed(news) if p.partial is not None), None)
        if best is not None and best != self.params():
            self.sliders.set(best)
            self._draw()

    def _on_fitted(self, found: GapFit) -> None:
        self.sliders.set(found.params)
        self._rest(
            None,
            f"Fitted. Lengths differ by {found.distance_after:.1f} px on average (before: "
            f"{found.distance_before:.1f} px). Gaps per 1000 px of contour: "
            f"{found.gaps.rate:.1f}, real ones {self.real.rate if self.real else 0:.1f}.",
        )
        self._draw()

    def _rest(self, error: CopnetError | None, note: str = "") -> None:
        self.job = None
        self.fit_button.setText("Fit to real gaps")
        self.progress.rest()
        if error is not None:
            self.message.error(error)
        elif note:
            self.message.note(note)
        self._allow()

    def _use_theme(self) -> None:
        self.histogram.use_theme(self.viewer.theme)


def panel_of(viewer: Any) -> SimulatePanel | None:
    """Return the dock for simulated gaps of a window, or None."""
    return next((w for w in docked(viewer) if isinstance(w, SimulatePanel)), None)
