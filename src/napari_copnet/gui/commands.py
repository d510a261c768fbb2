"""Commands of the menus and the palette."""

from __future__ import annotations

from typing import Any

_PLUGIN = "napari-copnet"
WORKFLOW, PROOFREADING = "COp-Net workflow", "COp-Net proofreading"
TRAINING = "COp-Net training"


def open_preprocess() -> Any:
    """Open the workflow dock at its section for normalising, resizing and aligning slices."""
    return _open_at("preprocess")


def open_cells() -> Any:
    """Open the workflow dock at its section for labelling and editing cells."""
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
    """Open the proofreading dock, on the folder of a session where one is given."""
    _, panel = _viewer().window.add_plugin_dock_widget(_PLUGIN, PROOFREADING)
    if folder is not None:
        panel.open(folder)
    return panel


def open_training() -> Any:
    """Open the dock for annotating and training."""
    _, panel = _viewer().window.add_plugin_dock_widget(_PLUGIN, TRAINING)
    return panel


def _open_at(stage: str) -> Any:
    from qtpy.QtWidgets import QScrollArea

    _, panel = _viewer().window.add_plugin_dock_widget(_PLUGIN, WORKFLOW)
    scroll = panel.findChild(QScrollArea)
    if scroll is not None:
        scroll.ensureWidgetVisible(panel.sections[stage])
    return panel


def _viewer() -> Any:
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise RuntimeError("napari has no window.")
    return viewer
