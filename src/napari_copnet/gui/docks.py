"""The docks as napari makes them from its menus and its palette."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QTimer

from napari_copnet.gui.background.preload import preload
from napari_copnet.gui.iterations.iterations_panel import IterationsPanel
from napari_copnet.gui.napari_compat.bare_viewer import bare_viewer
from napari_copnet.gui.proofreading.proofreading_panel import ProofreadPanel
from napari_copnet.gui.simulation.simulation_panel import SimulatePanel
from napari_copnet.gui.training.training_panel import TrainingPanel
from napari_copnet.gui.viewer.dock_places import docked, give_room
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel

PRELOAD_MS = 300


class WorkflowDock(WorkflowPanel):
    """The workflow, given a viewer under the name by which napari knows to give one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(bare_viewer(napari_viewer))
        # The dock is drawn first.
        QTimer.singleShot(PRELOAD_MS, preload)


class IterationsDock(IterationsPanel):
    """The iterations, given a viewer under the name by which napari knows to give one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(bare_viewer(napari_viewer))


class ProofreadDock(ProofreadPanel):
    """Proofreading, given a viewer under the name by which napari knows to give one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(bare_viewer(napari_viewer))


class TrainingDock(TrainingPanel):
    """Annotating and training, given a viewer under the name by which napari knows to give one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(bare_viewer(napari_viewer))
        QTimer.singleShot(0, lambda: _come_in_front(self))


class SimulateDock(SimulatePanel):
    """Simulated gaps, given a viewer under the name by which napari knows to give one."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(bare_viewer(napari_viewer))
        QTimer.singleShot(0, lambda: _come_in_front(self))


def _come_in_front(dock: Any) -> None:
    """Share the place of the other docks, in front: below them it would be cut off."""
    with contextlib.suppress(RuntimeError):  # closed meanwhile
        others = (WorkflowPanel, ProofreadPanel, TrainingPanel, SimulatePanel)
        there = [w for w in docked(dock.viewer) if isinstance(w, others) and w is not dock]
        if there:
            give_room(dock, there[-1])
