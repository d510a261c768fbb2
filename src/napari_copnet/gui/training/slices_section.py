"""Section 1: a session to work on, and its slices to annotate."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.training.project_section import (
    SIGNS,
    ProjectSection,
    doubts_left,
)
from napari_copnet.gui.widgets.controls import canvas_button, column_in, row
from napari_copnet.gui.widgets.dock_section import Mark, quiet_label
from napari_copnet.gui.widgets.lazy_rows import Rows, RowsView
from napari_copnet.gui.widgets.params_form import ParamsForm
from napari_copnet.params import ChooseParams
from napari_copnet.teaching.project import DONE, UNTOUCHED
from napari_copnet.teaching.slice_choice import Proposal, propose

_PURPOSE = "From a few slices corrected by hand, the networks learn what your tissue looks like."


class SlicesSection(ProjectSection):
    """Choose slices to annotate, and see how far they are.

    Takes what a `ProjectSection` takes but number, title and purpose.

    Attributes
    ----------
    went : Signal
        A slice of the list was gone to.
    """

    went = Signal(int)

    def __init__(self, link: ProjectLink, compute: Compute) -> None:
        super().__init__(1, "Slices to annotate", _PURPOSE, link, compute)
        self._listed: list[int] = []
        self.beginning = self._beginning()
        self.work = self._work()
        self.add(self.beginning)
        self.add(self.work)
        link.changed.connect(self.renew)
        self.renew()

    def _beginning(self) -> QWidget:
        box = QWidget()
        column = column_in(box, 4)
        self.begin_button = canvas_button(
            "Begin from this run", "begin", "Annotate the slices of the latest run."
        )
        self.folder_button = canvas_button(
            "Begin from a run's folder …", "begin_folder", "Annotate the output of `copnet run`."
        )
        self.open_button = canvas_button(
            "Open a session …", "open_session", "Continue where you left off."
        )
        for button, ask in (
            (self.begin_button, "begin"),
            (self.folder_button, "begin_from_folder"),
            (self.open_button, "ask_open"),
        ):
            button.clicked.connect(lambda _=False, ask=ask: self._begin(ask))
            column.addWidget(button)
        return box

    def _work(self) -> QWidget:
        box = QWidget()
        column = column_in(box, 4)
        self.form = ParamsForm(ChooseParams)
        self.form.changed.connect(self._show_rows_of_form)
        column.addWidget(self.form.widget)
        self.choose_button = canvas_button(
            "Propose slices", "propose", "Add these slices to the list."
        )
        self.add_button = canvas_button(
            "Add this slice", "add_slice", "Add the slice in view to the list."
        )
        self.drop_button = canvas_button(
            "Remove", "drop_slice", "Remove the slice in view from the list."
        )
        column.addWidget(row(self.choose_button, self.add_button, self.drop_button))
        self.table = RowsView("slices", stretched=2)
        self.table.setMinimumHeight(130)
        self.rows = Rows(
            ("Slice", "State", "Why"),
            lambda: len(self._listed),
            self._cell,
            lambda at: self._state(at) == DONE,
        )
        self.table.show_rows(self.rows)
        self.table.setColumnWidth(0, 50)
        self.table.setColumnWidth(1, 104)
        self.table.clicked.connect(lambda index: self.go_to(self._listed[index.row()]))
        column.addWidget(self.table)
        self.hint = quiet_label("Click a row to go to its slice.")
        column.addWidget(self.hint)
        self.choose_button.clicked.connect(lambda: self.propose())
        self.add_button.clicked.connect(lambda: self.add_slice())
        self.drop_button.clicked.connect(lambda: self.drop_slice())
        self._show_rows_of_form()
        return box

    # What the user can do ----------------------------------------------------

    def offer_begin(self, begin: Callable[[], None]) -> None:
        """Have one button begin a session without asking where; the dock has the others."""
        self.begin_button.clicked.disconnect()
        self.begin_button.clicked.connect(lambda: begin())
        self.begin_button.setText("Annotate this run")
        self.folder_button.hide()

    def propose(self) -> None:
        """Put slices on the list as the form says."""
        project = self._link.project
        if project is None:
            return
        try:
            params = self.form.get()
        except CopnetError as error:
            self.failed.emit(error)
            return
        session, done = project.session, tuple(project.chosen)
        dock = self._link.dock
        queue = (
            dock.controller.queue.state
            if dock is not None and dock.controller is not None
            else None
        )
        items = tuple(queue.shown) if queue is not None else ()

        def take(proposals: list[Proposal]) -> None:
            if self._link.project is project:
                self._do(lambda: project.choose(proposals))

        work = self._compute("choose", lambda: propose(session, params, done=done, items=items))
        work.finished.connect(take)

    def add_slice(self) -> None:
        """Add the slice in view to the list."""
        project, z = self._link.project, self._link.z
        if project is not None and z is not None:
            self._do(lambda: project.choose([Proposal(z, "by hand")]))

    def drop_slice(self) -> None:
        """Remove the slice in view from the list."""
        project, z = self._link.project, self._link.z
        if project is not None and z is not None:
            self._do(lambda: project.drop(z))

    def go_to(self, z: int) -> None:
        """Show a slice of the list, ready to be painted on."""
        self._link.fly(z)
        self.went.emit(z)
        self.renew()

    # Keeping it true ---------------------------------------------------------

    def renew(self) -> None:
        """Show the list as it is now."""
        project = self._link.project
        self.beginning.setVisible(project is None)
        self.work.setVisible(project is not None)
        if project is None:
            self._listed = []
            self.rows.renew()
            self.tell(Mark.READY, _PURPOSE, "Needs a session with contours to start from.")
            return
        self._listed = project.chosen
        z = self._link.z
        self.table.renew(self._listed.index(z) if z in self._listed else -1)
        done = sum(self._state(at) == DONE for at in range(len(self._listed)))
        left = len(self._listed) - done
        if not self._listed:
            self.tell(Mark.READY, f"{project.shape[0]} slices.", "Propose some, or add one.")
        elif left:
            then = "Correct the next one with the tools below, or those of Correct."
            self.tell(Mark.RUNNING, f"{done} of {len(self._listed)} slices done.", then)
        else:
            self.tell(Mark.DONE, f"All {done} slices done.", "Next: train.")

    def _state(self, at: int) -> str:
        project = self._link.project
        return project.state(self._listed[at]) if project is not None else UNTOUCHED

    def _cell(self, at: int, column: int) -> str:
        project = self._link.project
        if project is None:
            return ""
        z = self._listed[at]
        if column == 0:
            return str(z + 1)
        if column == 1:
            state = self._state(at)
            return f"{SIGNS[state]} {state}"
        entry = project.slice(z)
        parts = [entry.reason] if entry.reason else []
        parts += ["in part"] if entry.part else []
        parts += [doubts_left(entry.left)] if entry.left else []
        return ", ".join(parts)

    def _begin(self, ask: str) -> None:
        dock = self._link.open_dock()
        dock.message.clear()
        getattr(dock, ask)()
        if dock.message.text:
            # What it says is read here, where the button is.
            self.failed.emit(CopnetError(dock.message.text))

    def _show_rows_of_form(self) -> None:
        by_step = self.form.rows["by"].value == "step"
        for name, on in (("every", by_step), ("first", by_step), ("count", not by_step)):
            self.form.rows[name].native.setEnabled(on)
