"""Teach: annotate slices, train on them, simulate gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_copnet.errors import InputError
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.stages.tabs import LazyTabs
from napari_copnet.gui.widgets.dock_section import Mark

if TYPE_CHECKING:
    from napari_copnet.gui.simulation.simulation_panel import SimulatePanel
    from napari_copnet.gui.training.training_panel import TrainingPanel


class TeachStage(Stage):
    """Corrected slices teach the networks."""

    name, title, page = "teach", "Teach", "training.md"
    purpose = "If the networks do badly on your tissue, teach them with a few corrected slices."
    is_beside = True

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels)
        self.training: TrainingPanel | None = None
        self.simulation: SimulatePanel | None = None
        self._tabs: LazyTabs | None = None

    def state(self) -> tuple[Mark, str]:
        """Return how far annotating or training is."""
        training = self.training
        if training is None:
            return Mark.WAITING, ""
        if training.train.run.is_running:
            return Mark.RUNNING, "training"
        project = training.link.project
        if project is None or not project.chosen:
            return Mark.READY, ""
        done, chosen = len(project.done), len(project.chosen)
        return Mark.DONE if done == chosen else Mark.READY, f"{done} of {chosen} slices done"

    def step(self) -> Step | None:
        """Return what teaching begins with, and each turn of learning slice by slice."""
        turn = self._turn()
        if turn is not None:
            return turn
        if not self.panels.looks_wrong:
            return None
        if self.panels.session is None:
            return Step("Opening …") if self.panels.is_opening else Step("Annotate", self._begin)
        return Step("Annotate slices, then train")

    def _turn(self) -> Step | None:
        """Return that a slice is to be shown, or is to be done, where slices are learnt in turn."""
        training, tabs = self.training, self._tabs
        if training is None or tabs is None or tabs.currentIndex() != 0:
            return None
        z = training.loop.next_slice
        if z is None or not training.loop.switch.isChecked():
            return None
        if training.link.z != z:
            return Step(f"Next: slice {z + 1}", training.loop.show_next)
        return Step(f"Done with slice {z + 1}", training.review.finish)

    def _make(self) -> QWidget:
        self._tabs = LazyTabs(
            ("Annotate and train", self._train), ("Simulated gaps", self._simulate)
        )
        self._tabs.currentChanged.connect(lambda _: self._rest_or_work())
        return self._tabs

    def _train(self) -> QWidget:
        # Not before it is needed: it loads much.
        from napari_copnet.gui.training.training_panel import TrainingPanel

        self.training = self.panels.keep(TrainingPanel(self.panels.viewer))
        self.training.slices.offer_begin(self._begin)
        return self.training

    def _begin(self) -> None:
        if self.panels.finished is None and self.training is not None:
            self.training.message.error(
                InputError("There is no finished run.", "Run the stack under Segment first.")
            )
        else:
            self.panels.begin_session()

    def _simulate(self) -> QWidget:
        from napari_copnet.gui.simulation.simulation_panel import SimulatePanel

        self.simulation = self.panels.keep(SimulatePanel(self.panels.viewer))
        return self.simulation

    def _on_unfolded(self, on: bool) -> None:
        self._rest_or_work(on)

    def _rest_or_work(self, is_unfolded: bool = True) -> None:
        if self.simulation is not None and self._tabs is not None:
            self.simulation.set_at_work(is_unfolded and self._tabs.currentIndex() == 1)
