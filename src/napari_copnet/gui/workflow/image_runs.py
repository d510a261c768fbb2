"""The images that were run in the dock, each with its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_copnet.gui.viewer.layer_source import Placement
from napari_copnet.gui.workflow.disk_layers import DiskLayers
from napari_copnet.gui.workflow.memory_estimate import iteration_bytes
from napari_copnet.gui.workflow.result_layers import ResultLayers
from napari_copnet.gui.workflow.run_stages import STAGES
from napari_copnet.gui.workflow.workflow_status import ImageRun, stale_stages
from napari_copnet.params import Settings


class ImageRuns:
    """Finds or makes the `ImageRun` of a layer.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    every : list of ImageRun
    edited : Signal
        (slice, cells in it) after an edit of a contour.
    """

    edited = Signal(int, int)

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.every: list[ImageRun] = []
        # A contour that was painted on stays in step with its cells for as long as these are held.
        self._left: list[ResultLayers | DiskLayers] = []

    def of(self, layer: Any) -> ImageRun | None:
        """Return the results of an image layer, when it was run."""
        return next((s for s in self.every if layer is not None and s.layer == layer), None)

    def begin(
        self, layer: Any, folder: Path | None, settings: Settings, until: str, given: Any = None
    ) -> ImageRun:
        """Get ready for a run of a layer.

        Parameters
        ----------
        layer : napari.layers.Image
        folder : Path or None
            Where the run works; None in memory. What ran elsewhere leaves the viewer.
        settings : Settings
        until : str
            The last stage.
        given : napari.layers.Image, optional
            What takes the place of Step 1.
        """
        known = self.of(layer)
        placement = Placement.of(layer)
        told: list[str] = []
        if known is not None and known.folder != folder:
            known.layers.notes.clear()
            known.layers.leave()
            told = known.layers.notes
            if told:
                self._left.append(known.layers)
            self.every.remove(known)
            known = None
        if known is None:
            # Only images still there can be run again; the others' caches are let go.
            self.every = [s for s in self.every if s.layer in self.viewer.layers]
            known = ImageRun(layer, self._layers(placement, folder), folder=folder)
            self.every.append(known)
        if known.given is not given:
            # With other contours another size may suit, so that no stage stays as it was.
            known.given = given
            known.done.clear()
        known.layers.place(placement)
        known.layers.begin(settings.cells, settings.closing.unite)
        known.layers.notes += told
        stale = stale_stages(known, settings, until)
        if isinstance(known.layers, DiskLayers) and stale:
            known.layers.forget(STAGES[STAGES.index(stale[0]) :])
        return known

    def _layers(self, placement: Placement, folder: Path | None) -> ResultLayers | DiskLayers:
        if folder is not None:
            return DiskLayers(self.viewer, placement)
        layers = ResultLayers(self.viewer, placement, iteration_bytes())
        layers.edited.connect(self.edited.emit)
        return layers
