"""The iterations dock: step through, compare two, show what closed when, and score."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import Signal

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.gui.background.task_queue import TaskQueue
from napari_copnet.gui.iterations.iteration_data import (
    IterationsData,
    as_stack,
    count_cells,
    iterations_data_of,
    score_iterations,
    truth_stack,
)
from napari_copnet.gui.iterations.iteration_layers import IterationLayers
from napari_copnet.gui.iterations.iterations_form import IterationsForm
from napari_copnet.gui.viewer.layer_roles import (
    ADDED_COLOUR,
    REMOVED_COLOUR,
    SCORE_COLOURS,
    birth_colours,
    is_iterations,
    is_truth,
    panel_of,
    role_of,
    square,
)
from napari_copnet.gui.viewer.second_canvas import SecondCanvas
from napari_copnet.gui.viewer.side_by_side import SideBySide
from napari_copnet.gui.widgets.colours import set_tone
from napari_copnet.gui.widgets.controls import quiet
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.gui.widgets.iteration_plot import Series
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.iteration_history import ADDED, REMOVED, births, difference


class IterationsPanel(IterationsForm):
    """Inspect the iterations of closing, during a run or afterwards.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    tasks : TaskQueue
        What is being computed.
    finished : Signal
        Name of what has been computed.
    """

    finished = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.tasks = TaskQueue(last="count")
        self.setObjectName("copnet_iterations")
        self._known: IterationsData | None = None
        self._listed: list[Any] = []
        self._layer: Any = None
        self._changed: dict[int, float] = {}
        self._cells: dict[int, float] = {}
        self._scores: dict[str, dict[int, float]] = {}
        self._marks = IterationLayers(viewer)
        self._beside = SideBySide(viewer, lambda: self.side_button.setChecked(False))
        self._timer = delayed(self._refresh, 60, self)
        self._connect()
        self._use_theme()
        self._on_layers()
        self._refresh()

    # Building ----------------------------------------------------------------

    def _connect(self) -> None:
        self.layers.currentIndexChanged.connect(self._on_chosen)
        self.slider.valueChanged.connect(self._on_slider)
        self.second.valueChanged.connect(self._show_twin_iteration)
        self.first.valueChanged.connect(self._on_first)
        self.side_button.toggled.connect(self._on_side_by_side)
        self.difference_button.clicked.connect(lambda: self.show_difference())
        self.births_button.clicked.connect(lambda: self.show_births())
        self.score_button.clicked.connect(lambda: self.score())
        for plot in (self.changed_plot, self.cells_plot, self.score_plot):
            plot.picked.connect(self._on_picked)
        self._hear_layers(self._on_layers, self.viewer)
        self._hear(self._on_step, self.viewer.dims.events.current_step)
        self._hear(self._use_theme, self.viewer.events.theme)

    # What the user can do ----------------------------------------------------

    @property
    def layer(self) -> Any:
        """The iterations layer looked at, or None."""
        return self._layer

    def go_to(self, position: int) -> None:
        """Show the iteration at a position along the iteration axis."""
        axis = self._axis()
        if axis is None:
            return
        self._show_iterations()
        self.viewer.dims.set_current_step(axis, position)

    def show_difference(self) -> None:
        """Add a layer of the contour added and removed between the two iterations."""
        known, layer = self._known, self._layer
        if known is None:
            return
        first, second = self.first.value(), self.second.value()
        data, unite = as_stack(layer.data), known.unite
        names = known.numbers[first], known.numbers[second]

        def show(marks: np.ndarray) -> None:
            name = f"Added and removed, iteration {names[0]} to {names[1]}"
            colours = [ADDED_COLOUR, REMOVED_COLOUR]
            self._marks.show("difference", layer, marks, name, colours)
            added, removed = (100 * float((marks == k).mean()) for k in (ADDED, REMOVED))
            self.legend.setText(
                f"From iteration {names[0]} to {names[1]}: {square(ADDED_COLOUR)} added "
                f"{added:.2g} %, {square(REMOVED_COLOUR)} removed {removed:.2g} % of the pixels."
            )

        self._do("difference", lambda: difference(data, first, second, unite), show)

    def show_births(self) -> None:
        """Colour contour pixels by the iteration that closed them, as a layer."""
        known, layer = self._known, self._layer
        if known is None:
            return
        data, unite, numbers = as_stack(layer.data), known.unite, known.numbers

        def show(born: np.ndarray) -> None:
            colours = birth_colours(len(numbers))
            self._marks.show("births", layer, born, "Closed in iteration", colours)
            names = ["Step 1", *(str(number) for number in numbers[1:])]
            kinds = [f"{square(c)}&nbsp;{n}" for c, n in zip(colours, names, strict=True)]
            self.legend.setText("Closed in iteration: " + "&nbsp; ".join(kinds))

        self._do("births", lambda: births(data, unite), show)

    def score(self) -> None:
        """Score each iteration against the chosen truth."""
        known, layer, truth = self._known, self._layer, self.truths.currentData()
        if known is None:
            return
        if truth is None or truth not in self.viewer.layers:
            self._say_error(
                InputError(
                    "There is no ground truth to score against.",
                    "Open or draw a labels layer of cells.",
                )
            )
            return
        data, numbers, unite = as_stack(layer.data), known.numbers, known.unite
        try:
            true = truth_stack(truth, tuple(data.shape[1:]))
        except CopnetError as error:
            self._say_error(error)
            return
        self._scores = {name: {} for name in SCORE_COLOURS}
        self.score_plot.show()
        self._do("score", lambda: score_iterations(data, numbers, unite, true), lambda _: None)

    def _shut_down(self) -> None:
        """Stop all work, close the second canvas and release the viewer."""
        self._timer.stop()
        self.tasks.shut_down()
        self._beside.shut_down()
        self._watch(None)

    # The layer looked at -----------------------------------------------------

    def _on_layers(self) -> None:
        here = [layer for layer in self.viewer.layers if is_iterations(layer)]
        chosen = self._layer if self._layer in here else (here[-1] if here else None)
        if here and self._layer is not None and here[-1] not in self._listed:
            chosen = here[-1]
        self._listed = here
        self.list_layers(here, chosen, [x for x in self.viewer.layers if is_truth(x)])
        self._watch(chosen)

    def _on_chosen(self) -> None:
        self._watch(self.layers.currentData())

    def _watch(self, layer: Any) -> None:
        if layer is not self._layer:
            if self._layer is not None:
                with contextlib.suppress(ValueError):
                    self._layer.events.data.disconnect(self._on_data)
            if self.second_canvas is not None and not self._is_closed:
                self.side_button.setChecked(False)
            self._layer = layer
            self._known = None
            self._changed, self._cells = {}, {}
            self._scores = {}
            if layer is not None:
                layer.events.data.connect(self._on_data)
        if not self._is_closed:
            self._timer.start()

    def _on_data(self) -> None:
        # The dock tells the shares after it showed the layer: look a little later.
        self._timer.start()

    def _refresh(self) -> None:
        layer = self._layer
        is_there = layer is not None
        for widget in (
            *(self.slider, self.first, self.second, self.side_button, self.difference_button),
            *(self.births_button, self.score_button, self.truths),
        ):
            widget.setEnabled(is_there)
        self.score_button.setEnabled(is_there and self.truths.count() > 0)
        if not is_there:
            self._known = None
            self._draw()
            return
        before = self._known
        known = self._known = iterations_data_of(layer, panel_of(self.viewer))
        last = len(known.numbers) - 1
        if before is not None and before.numbers != known.numbers[: len(before.numbers)]:
            self._changed, self._cells = {}, {}  # another closing took its place
        self._changed |= known.changed
        for widget in (self.slider, self.first, self.second):
            with quiet(widget):
                was_last = before is None or widget.value() == len(before.numbers) - 1
                widget.setRange(0, last)
                if widget is self.second and was_last:
                    widget.setValue(last)
        self._on_step()
        missing = [at for at, number in enumerate(known.numbers) if number not in self._cells]
        if missing:
            self._do("count", lambda: count_cells(known, missing), lambda _: self._timer.start())
        self._show_twin_iteration()
        self._draw()

    def _draw(self) -> None:
        self.changed_plot.show_series(
            Series("", ADDED_COLOUR, {n: v for n, v in self._changed.items() if n})
        )
        self.cells_plot.show_series(Series("", "#81c784", dict(self._cells)))
        scores = [Series(n, c, dict(self._scores.get(n, {}))) for n, c in SCORE_COLOURS.items()]
        self.score_plot.show_series(*scores)

    # Iteration in view -------------------------------------------------------

    def _axis(self) -> int | None:
        layer = self._layer
        if layer is None or layer not in self.viewer.layers:
            return None
        axis = self.viewer.dims.ndim - layer.ndim
        return axis if axis >= 0 else None

    def _show_iterations(self) -> None:
        """Show only the iterations over the image, and restore the visibility of results later."""
        self._layer.visible = True
        for layer in self.viewer.layers:
            if role_of(layer) in ("closed", "cells", "contours"):
                layer.visible = False

    def _on_step(self) -> None:
        axis = self._axis()
        if axis is None or self._known is None:
            return
        position = min(int(self.viewer.dims.current_step[axis]), len(self._known.numbers) - 1)
        with quiet(self.slider):
            self.slider.setValue(position)
        number = self._known.numbers[position]
        self.at.setText("0 (Step 1)" if number == 0 else f"{number} of {self._known.numbers[-1]}")
        for plot in (self.changed_plot, self.cells_plot, self.score_plot):
            plot.mark(number)
        self._show_twin_iteration()

    def _on_slider(self, position: int) -> None:
        self.go_to(position)

    def _on_picked(self, number: int) -> None:
        if self._known is not None and number in self._known.numbers:
            self.go_to(self._known.numbers.index(number))

    def _on_first(self, position: int) -> None:
        if self.second_canvas is not None:
            self.go_to(position)

    # Side by side ------------------------------------------------------------

    @property
    def second_canvas(self) -> SecondCanvas | None:
        """The second canvas, while it is shown."""
        return self._beside.second_canvas

    def _on_side_by_side(self, on: bool) -> None:
        if on and self._layer is not None and self.second_canvas is None:
            self.go_to(self.first.value())
            self._beside.open(self._layer, self.second.value())
            self._show_twin_iteration()
        elif not on:
            self._beside.close()

    def _show_twin_iteration(self) -> None:
        if self.second_canvas is None or self._known is None:
            return
        numbers = self._known.numbers
        position = min(self.second.value(), len(numbers) - 1)
        left = numbers[min(self.slider.value(), len(numbers) - 1)]
        self.second_canvas.choose(
            position, f"<b>Iteration {numbers[position]}</b>; on the left {left}"
        )

    # Jobs --------------------------------------------------------------------

    def _do(self, name: str, work: Callable[[], Steps[Any]], show: Callable[[Any], None]) -> None:
        """Compute something beside the window and show it, if its layer is still looked at."""
        layer = self._layer

        def shown(result: Any) -> None:
            if name != "count":
                self.message.hide()
            if layer is self._layer and layer is not None:
                show(result)
                self.finished.emit(name)

        def came(news: list[Progress]) -> None:
            if layer is self._layer:
                self._on_progress(name, news)

        self.message.hide()
        task = self.tasks.add(name, work)
        task.progressed.connect(came)
        task.finished.connect(shown)
        task.failed.connect(self._say_error)

    def _on_progress(self, name: str, news: list[Progress]) -> None:
        for progress in news:
            if progress.partial is None:
                continue
            if name == "count":
                number, changed, cells = progress.partial
                self._cells[number] = cells
                if changed is not None:
                    self._changed.setdefault(number, changed)
            elif name == "score":
                number, scores = progress.partial
                for score, value in scores.items():
                    self._scores.setdefault(score, {})[number] = value
        if name != "count":
            last = news[-1]
            done = round(100 * last.done / last.total) if last.total else 0
            self.message.setText(f"{name.capitalize()}: {done} % done.")
            self.message.show()
        self._draw()

    def _say_error(self, error: CopnetError) -> None:
        set_tone(self.message, "wrong")
        self.message.setText(str(error))
        self.message.show()

    # Qt ----------------------------------------------------------------------

    def _use_theme(self) -> None:
        for plot in (self.changed_plot, self.cells_plot, self.score_plot):
            plot.use_theme(self.viewer.theme)
