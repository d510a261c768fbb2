"""What napari makes from its menus: the one dock of the plugin, or what opens it at a stage."""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_copnet.gui.commands import main_dock, open_stage
from napari_copnet.gui.napari_compat.bare_viewer import bare_viewer
from napari_copnet.gui.stages.main_dock import CopnetDock


def copnet_dock() -> QWidget:
    """Return the dock for the window in front; where it has one, what brings that to the fore."""
    import napari

    viewer = bare_viewer(napari.current_viewer())
    return CopnetDock(viewer) if main_dock(viewer) is None else Opener(viewer)


class Opener(QWidget):
    """Opens the dock at a stage, and goes: napari's menus can only make widgets.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Under the name by which napari knows to give one.
    """

    stage = ""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = bare_viewer(napari_viewer)
        self.setMaximumHeight(1)
        # Once napari has put this into a dock.
        QTimer.singleShot(0, self._open)

    def _open(self) -> None:
        with contextlib.suppress(LookupError, RuntimeError):  # closed meanwhile
            self._viewer.window.remove_dock_widget(self)
            self.deleteLater()
            open_stage(self.stage, self._viewer)


class WorkflowDock(Opener):
    """Opens the dock at Segment, or at Open where there is no stack."""

    stage = "segment"


class IterationsDock(Opener):
    """Opens the dock at Segment, with the iterations in view."""

    stage = "iterations"


class ProofreadDock(Opener):
    """Opens the dock at Correct."""

    stage = "correct"


class TrainingDock(Opener):
    """Opens the dock at Teach."""

    stage = "teach"


class SimulateDock(Opener):
    """Opens the dock at Teach, with the simulated gaps in view."""

    stage = "simulation"
