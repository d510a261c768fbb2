"""Opening a file in the dock, and asking which of several ways it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_copnet.errors import NeedsChoiceError
from napari_copnet.gui.viewer.add_stack import read
from napari_copnet.gui.viewer.layer_source import remember_read
from napari_copnet.params import ReadParams

if TYPE_CHECKING:
    from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel


class Opening:
    """Opens files for a dock.

    Parameters
    ----------
    panel : WorkflowPanel

    Attributes
    ----------
    again : callable or None
        Opens the file that is being opened once more, with given fields of `ReadParams`.
    """

    def __init__(self, panel: WorkflowPanel) -> None:
        self._panel = panel
        self.again: Callable[[dict[str, Any]], None] | None = None

    def stack(self, path: Path, params: ReadParams) -> None:
        """Read a stack in the background and add it as an image layer."""
        if self._panel.open_with(lambda: read(path, params), lambda x: remember_read(x, params)):
            self.again = lambda values: self.stack(path, replace(params, **values))

    def contours(self, path: Path, params: ReadParams) -> None:
        """Read a contour probability, and choose it in place of Step 1."""
        origin = self._panel.origin
        if self._panel.open_with(lambda: read(path, params), choose=partial(origin.take, params)):
            origin.opening = path

    def ask(self, error: NeedsChoiceError) -> None:
        """Have the user say how a file is meant: by a button, else by its option."""
        if self._panel.origin.settle(error):
            return
        again = self.again
        if again is not None and error.answers:
            self._panel.run_controls.message.ask(
                error.message, [(text, partial(again, values)) for text, values in error.answers]
            )
        else:
            self._panel.stack.ask(error.option)
