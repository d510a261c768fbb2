"""Opening a file in the dock, and asking which of several ways it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QInputDialog

from napari_copnet.errors import NeedsChoiceError
from napari_copnet.gui.viewer.add_stack import read
from napari_copnet.gui.viewer.layer_source import remember_read
from napari_copnet.params import ReadParams

if TYPE_CHECKING:
    from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel

# Options that are numbers from 0 on.
NUMBERED = ("channel", "time_point")
_MOST = 9999


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
        take = partial(self._panel.origin.take, params)
        if self._panel.open_with(lambda: read(path, params), choose=take):
            self.again = lambda values: self.contours(path, replace(params, **values))

    def ask(self, error: NeedsChoiceError) -> None:
        """Have the user say how a file is meant: by a button, a number, or its option."""
        again = self.again
        if again is not None and error.answers:
            self._panel.run_controls.message.ask(
                error.message, [(text, partial(again, values)) for text, values in error.answers]
            )
        elif again is not None and error.option in NUMBERED:
            text = f"{error.message} Which one? They are counted from 0."
            title = error.option.replace("_", " ").capitalize()
            number, is_chosen = QInputDialog.getInt(self._panel, title, text, 0, 0, _MOST)
            if is_chosen:
                again({error.option: number})
        else:
            self._panel.stack.ask(error.option)
