"""What is to be run: layers, settings, and the work that this asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_copnet.gui.viewer.layer_source import ways_read
from napari_copnet.gui.workflow.run_on_disk import run_on_disk
from napari_copnet.gui.workflow.run_stages import run_stages
from napari_copnet.params import Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Steps
from napari_copnet.store.stage import RunStore
from napari_copnet.types import Stack


@dataclass(frozen=True)
class AskedRun:
    """A run, as the form asks for it.

    Attributes
    ----------
    layer : napari.layers.Image
        The image.
    given : napari.layers.Image or None
        What takes the place of Step 1; None where the network makes the contours.
    stack, contours : Stack
        The same as stacks.
    settings : Settings
    repair : bool
        Whether to fill pixels that are no numbers.
    """

    layer: Any
    given: Any
    stack: Stack
    contours: Stack | None
    settings: Settings
    repair: bool

    def steps(self, store: RunStore, folder: Path | None, **more: Any) -> Steps[RunResult | None]:
        """Return the work.

        Parameters
        ----------
        store : RunStore
            For a run in memory.
        folder : Path or None
            For one on disk.
        **more
            `until`, `first` and `load` of `run_stages.run_stages`.
        """
        more |= {"contours": self.contours, "repair": self.repair}
        if folder is None:
            return run_stages(self.stack, self.settings, store=store, **more)
        more |= ways_read(self.layer, self.stack, self.given, self.contours)
        return run_on_disk(self.stack, self.settings, folder, **more)
