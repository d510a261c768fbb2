"""Panels of the dock, each in a dock of its own: most of what they do needs no other."""

from napari_copnet.gui.iterations.iterations_panel import IterationsPanel
from napari_copnet.gui.napari_compat.bare_viewer import bare_viewer
from napari_copnet.gui.proofreading.proofreading_panel import ProofreadPanel
from napari_copnet.gui.simulation.simulation_panel import SimulatePanel
from napari_copnet.gui.training.training_panel import TrainingPanel
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel

PANELS = {
    "COp-Net workflow": WorkflowPanel,
    "COp-Net iterations": IterationsPanel,
    "COp-Net proofreading": ProofreadPanel,
    "COp-Net training": TrainingPanel,
    "COp-Net gap simulation": SimulatePanel,
}


def dock_panel(viewer, title):
    """Return the dock of a new panel, and the panel."""
    panel = PANELS[title](bare_viewer(viewer))
    dock = viewer.window.add_dock_widget(
        panel, name=title, area="right", add_vertical_stretch=False
    )
    return dock, panel
