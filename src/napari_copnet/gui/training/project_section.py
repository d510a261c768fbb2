"""What the sections share that work on an annotation project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.widgets.dock_section import DockSection
from napari_copnet.teaching.project import DONE, IN_WORK, UNTOUCHED

SIGNS = {UNTOUCHED: "○", IN_WORK: "◐", DONE: "●"}


class ProjectSection(DockSection):
    """A section that looks at a project and changes it.

    Parameters
    ----------
    number, title, purpose
        As for `DockSection`.
    link : ProjectLink
    compute : callable
        See `background.task_queue.Compute`.

    Attributes
    ----------
    failed : Signal
        A `CopnetError` to be shown.
    """

    failed = Signal(object)

    def __init__(
        self,
        number: int,
        title: str,
        purpose: str,
        link: ProjectLink,
        compute: Compute,
    ) -> None:
        super().__init__(number, title, purpose)
        self._link, self._compute = link, compute

    def renew(self) -> None:
        """Show the project as it is now."""
        raise NotImplementedError

    def _do(self, act: Callable[[], Any]) -> None:
        """Change the project, say what went wrong, and look again."""
        try:
            act()
        except CopnetError as error:
            self.failed.emit(error)
        self.renew()


def doubts_left(count: int) -> str:
    """Say how many findings a slice was done with."""
    return f"{count} finding{'s' if count != 1 else ''} left"
