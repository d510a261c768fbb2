"""Commands of the menus and the palette."""

from __future__ import annotations

from typing import Any

_PLUGIN = "napari-copnet"
# As napari names the dock of the entry in its Plugins menu, which so knows whether it is open.
DOCK = "COp-Net (COp-Net)"


def open_preprocess() -> Any:
    """Open the dock at the settings for normalising, resizing and aligning slices."""
    return _open_at("preprocess")


def open_cells() -> Any:
    """Open the dock at the settings for labelling cells."""
    return _open_at("cells")


def open_run() -> None:
    """Ask for the folder of a run and open its image, contours, iterations and cells."""
    from napari.utils.notifications import show_warning
    from qtpy.QtWidgets import QFileDialog

    from napari_copnet.gui.readers import is_run

    viewer = _viewer()
    path = QFileDialog.getExistingDirectory(None, "Open the folder of a run")
    if not path:
        return
    from pathlib import Path

    if not is_run(Path(path)):
        show_warning(f"{Path(path).name} is not the folder of a run: it has no run.json.")
        return
    viewer.open(path, plugin=_PLUGIN)


def open_proofreading(folder: Any = None) -> Any:
    """Open the dock at Correct, on the folder of a session where one is given."""
    dock = open_stage("correct")
    if folder is not None:
        dock.panels.open_session(folder)
    return dock


def open_training() -> Any:
    """Open the dock at Teach."""
    return open_stage("teach")


def ask_for_file() -> None:
    """Ask for a stack and open it in the dock."""
    open_stage("open").panels.workflow.stack.ask_file()


def ask_for_folder() -> None:
    """Ask for a folder and open it: a session, a run, or a stack."""
    from qtpy.QtWidgets import QFileDialog

    path = QFileDialog.getExistingDirectory(None, "Open a folder of slices, a run or a session")
    if path:
        _viewer().open(path, plugin=_PLUGIN)


def main_dock(viewer: Any) -> Any:
    """Return the dock of a window, or None."""
    from napari_copnet.gui.stages.main_dock import CopnetDock
    from napari_copnet.gui.viewer.dock_places import docked

    return next((widget for widget in docked(viewer) if isinstance(widget, CopnetDock)), None)


def open_stage(name: str = "", viewer: Any = None) -> Any:
    """Open the dock of a window, which is made where there is none, at a stage.

    Parameters
    ----------
    name : str
        Of a stage, or of a tab in one; empty leaves it where it is.
    viewer : napari.Viewer, optional
        By default the one in front.

    Returns
    -------
    CopnetDock
    """
    from napari_copnet.gui.stages.main_dock import CopnetDock
    from napari_copnet.gui.viewer.dock_places import bring_forward

    viewer = _viewer() if viewer is None else viewer
    dock = main_dock(viewer)
    if dock is None:
        dock = CopnetDock(viewer)
        # A stretch below it would take the more room from its stages, the more docks were made.
        viewer.window.add_dock_widget(dock, name=DOCK, area="right", add_vertical_stretch=False)
    bring_forward(dock)
    if name:
        dock.open_at(name)
    return dock


def _open_at(section: str) -> Any:
    dock = open_stage("settings")
    dock.panels.workflow.show_section(section)
    return dock


def _viewer() -> Any:
    import napari

    from napari_copnet.gui.napari_compat.bare_viewer import bare_viewer

    viewer = napari.current_viewer()
    if viewer is None:
        raise RuntimeError("napari has no window.")
    return bare_viewer(viewer)
