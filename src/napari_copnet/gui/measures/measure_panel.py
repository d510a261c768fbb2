"""The panel that measures cells: tables linked with the canvas, colours, and a filter that acts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.measures.canvas_link import CellClicks, show_cell
from napari_copnet.gui.measures.measure_form import NO_CELLS, TITLES, MeasureForm
from napari_copnet.gui.measures.measured_layers import (
    MeasuredLayers,
    is_measurable,
    is_of_session,
    source_of_layer,
)
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.viewer.dock_places import docked
from napari_copnet.gui.viewer.layer_source import slice_in_view
from napari_copnet.gui.widgets.controls import offer_layers, quiet
from napari_copnet.measures.cell_edits import chosen_of, delete_cells, mark_cells
from napari_copnet.measures.files import check_tables, write_measures
from napari_copnet.measures.measure import Measures, measure
from napari_copnet.measures.session_source import still_source
from napari_copnet.measures.source import Source
from napari_copnet.measures.table import Table
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import Edit
from napari_copnet.proofreading.session import Session


class MeasurePanel(MeasureForm):
    """Measure the cells of a labels layer or of the open session.

    Parameters
    ----------
    viewer : napari.Viewer
    session_of : callable, optional
        Returns the open session, or None. By default docks of the window are asked for theirs.

    Attributes
    ----------
    made : Measures or None
        What was measured last.
    finished : Signal
        Something has been computed: ``"measure"`` or ``"save"``.
    """

    finished = Signal(str)

    def __init__(self, viewer: Any, session_of: Callable[[], Session | None] | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.made: Measures | None = None
        self._session_of = session_of or self._docked_session
        self._job: Job | None = None
        self._source: Source | None = None
        self._session: Session | None = None
        self.over = MeasuredLayers(viewer)
        self._mouse = CellClicks(viewer, self)
        self._connect()
        self._use_theme()
        self._on_layers()
        self._renew()

    def _connect(self) -> None:
        self.measure_button.clicked.connect(lambda: self.measure())
        self.tables.currentIndexChanged.connect(lambda _: self._show_table())
        self.this_slice.toggled.connect(lambda _: self._show_rows())
        self.measures.currentIndexChanged.connect(lambda _: self._on_measure())
        self.colour_button.toggled.connect(lambda _: self._colour())
        self.side.currentIndexChanged.connect(lambda _: self._show_limit())
        self.limit.valueChanged.connect(lambda _: self._show_limit())
        self.histogram.picked.connect(self._on_picked)
        self.select_button.clicked.connect(lambda: self.select())
        self.delete_button.clicked.connect(lambda: self.delete())
        self.mark_button.clicked.connect(lambda: self.mark(self.kinds.currentText()))
        self.save_button.clicked.connect(lambda: self.ask_save())
        self.view.clicked.connect(lambda _: self._go_to_chosen())
        self.rows.modelReset.connect(self._on_selection)
        model = self.view.selectionModel()
        assert model is not None
        model.selectionChanged.connect(lambda *_: self._on_selection())
        self._hear_layers(self._on_layers, self.viewer)
        self._hear(self._on_step, self.viewer.dims.events.current_step)
        self._hear(self._use_theme, self.viewer.events.theme)
        self._mouse.clicked.connect(self.choose_cell)

    # What the user can do ----------------------------------------------------

    @property
    def table(self) -> Table | None:
        """The table that is shown, or None."""
        name = self.tables.currentData()
        return None if self.made is None or name is None else self.made.tables[name]

    def measure(self) -> None:
        """Measure the cells of the chosen layer."""
        layer = self.layers.currentData()
        if layer is None or self._job is not None:
            return
        session = self._session_of() if is_of_session(layer) else None
        source = source_of_layer(layer) if session is None else still_source(session)
        surface = self.surface.isChecked()
        begun = None if session is None else session.history.current

        def show(made: Measures) -> None:
            # Not before: until then the table is that of what was measured last.
            self._follow(session if layer in self.viewer.layers else None)
            self._source = source
            self.over.over(layer)
            self.made = made
            self._list_tables()
            self.tell(" ".join(made.notes))
            if session is not None and session.history.current != begun:
                self._on_edited(())

        self._do("measure", lambda: measure(source, surface=surface), show)

    def select(self) -> None:
        """Select the rows on the chosen side of the limit."""
        table, column = self.table, self.measures.currentData()
        if table is None or column is None:
            return
        values, limit = table.numbers(column), self.limit.value()
        there = values < limit if self.side.currentText() == "under" else values > limit
        self.view.choose(np.flatnonzero(there))

    def delete(self) -> None:
        """Delete the selected cells from the session, as one edit."""
        self._edit(delete_cells)

    def mark(self, kind: str) -> None:
        """Mark the selected cells of the session, as one edit."""
        self._edit(lambda session, chosen: mark_cells(session, chosen, kind))

    def ask_save(self) -> None:
        """Ask for a folder and save all tables there."""
        folder = QFileDialog.getExistingDirectory(self, "Save the tables to a folder")
        if folder:
            self.save(Path(folder))

    def save(self, folder: Path) -> None:
        """Save all tables as CSV and Parquet."""
        made, source = self.made, self._source
        if made is None or source is None:
            return

        def work() -> Steps[Any]:
            yield Progress("save", 0, 1, "files")
            check_tables(folder)
            return write_measures(made, source, folder)

        self._do("save", work, lambda _: self.tell(f"The tables were saved to {folder}."))

    def go_to(self, row: int) -> None:
        """Show the cell of a row of the table."""
        table, made = self.table, self.made
        if table is not None and made is not None and "cell" in table and self.over.is_there:
            show_cell(self.viewer, self.over.layer, made, table, row, canvas_of(self.window()))

    # Work --------------------------------------------------------------------

    def _do(self, name: str, work: Callable[[], Steps[Any]], then: Callable[[Any], None]) -> None:
        job = Job(work, f"copnet-{name}")
        self._job = job
        self.progress.setRange(0, 0)
        self.progress.show()
        self.tell("")

        def end() -> None:
            self._job = None
            self.progress.hide()
            self._renew()

        def done(result: Any) -> None:
            end()
            then(result)
            self.finished.emit(name)

        def failed(error: CopnetError) -> None:
            end()
            self.tell(str(error), wrong=True)

        def progressed(news: list[Progress]) -> None:
            self.progress.setRange(0, int(news[-1].total))
            self.progress.setValue(int(news[-1].done))

        job.progressed.connect(progressed)
        job.finished.connect(done)
        job.failed.connect(failed)
        job.start()
        self._renew()

    def _shut_down(self) -> None:
        """Stop all work and let the viewer and the session go."""
        if self._job is not None:
            self._job.give_up(wait=True)
            self._job = None
        self._mouse.release()
        self._follow(None)
        self.over.let_go()
        self._source = None

    # The session -------------------------------------------------------------

    def _docked_session(self) -> Session | None:
        for widget in docked(self.viewer):
            session = getattr(widget, "session", None)
            if isinstance(session, Session):
                return session
        return None

    def _follow(self, session: Session | None) -> None:
        if self._session is not None and self._on_edited in self._session.on_change:
            self._session.on_change.remove(self._on_edited)
        self._session = session
        if session is not None:
            session.on_change.append(self._on_edited)

    def _on_edited(self, _touched: Any) -> None:
        self.tell("The cells have changed since they were measured.")

    def _edit(self, tool: Callable[[Session, dict[int, np.ndarray]], Edit]) -> None:
        session, table = self._session, self.table
        if session is None or table is None:
            return
        chosen = chosen_of(table, self.view.chosen)
        try:
            edit = tool(session, chosen)
            session.apply(edit)
        except CopnetError as error:
            self.tell(str(error), wrong=True)
            return
        self.view.clearSelection()
        self.tell(f"{self._done(edit, chosen)} One undo reverts it.")

    @staticmethod
    def _done(edit: Edit, chosen: dict[int, np.ndarray]) -> str:
        count = np.unique(np.concatenate(list(chosen.values()))).size
        return f"Done: {edit.tool}, {count} cell{'' if count == 1 else 's'}."

    # The tables --------------------------------------------------------------

    def _list_tables(self) -> None:
        made, before = self.made, self.tables.currentData()
        with quiet(self.tables):
            self.tables.clear()
            for name, title in TITLES.items():
                if made is not None and name in made.tables:
                    self.tables.addItem(f"{title} ({len(made.tables[name])})", name)
            self.tables.setCurrentIndex(max(0, self.tables.findData(before)))
        self._show_table()

    def _show_table(self) -> None:
        table, before = self.table, self.measures.currentData()
        with quiet(self.measures):
            self.measures.clear()
            if table is not None and table.name in ("cells", "slices", "pairs"):
                for column in table.measures:
                    self.measures.addItem(column.title, column.name)
            sizes = ("volume_um3", "area_um2", "contact_area_um2", "voxels", "pixels", "faces_z")
            wanted = [self.measures.findData(name) for name in (before, *sizes)]
            self.measures.setCurrentIndex(next((n for n in wanted if n >= 0), 0))
        self._show_rows()
        self._on_measure()

    def _show_rows(self) -> None:
        table, wanted = self.table, None
        by_slice = table is not None and "slice" in table
        self.this_slice.setVisible(by_slice)
        if table is not None and by_slice and self.this_slice.isChecked():
            wanted = np.flatnonzero(table["slice"] == self._z())
        self.view.show_table(table, wanted)
        self._renew()

    def _on_measure(self) -> None:
        table, column = self.table, self.measures.currentData()
        if table is None or column is None:
            self.histogram.show_values(np.zeros(0), "")
        else:
            values = table.numbers(column)
            self.histogram.show_values(values, self.measures.currentText())
            there = values[np.isfinite(values)]
            with quiet(self.limit):
                self.limit.setValue(float(np.quantile(there, 0.1)) if there.size else 0.0)
                self.limit.setSuffix(self._unit(table, column))
        self._show_limit()
        self._colour()
        self._renew()

    @staticmethod
    def _unit(table: Table, column: str) -> str:
        unit = next(found.unit for found in table.columns if found.name == column)
        return f" {unit}" if unit else ""

    def _show_limit(self) -> None:
        limit, under = self.limit.value(), self.side.currentText() == "under"
        self.histogram.show_range(-np.inf if under else limit, limit if under else np.inf)

    def _on_picked(self, value: float) -> None:
        self.limit.setValue(value)

    # The canvas --------------------------------------------------------------

    def _on_selection(self) -> None:
        table, rows = self.table, self.view.chosen
        self._renew()
        if table is not None and table.name in ("cells", "slices") and rows.size:
            self.over.choose(chosen_of(table, rows))
        else:
            self.over.hide(self.over.chosen)

    def _go_to_chosen(self) -> None:
        rows = self.view.chosen
        if rows.size == 1:
            self.go_to(int(rows[0]))

    def choose_cell(self, z: int, cell: int) -> None:
        """Choose the rows of a cell that was clicked in a slice."""
        table = self.table
        if table is None or "cell" not in table:
            return
        there = table["cell"] == cell
        if table.name == "slices":
            there &= table["slice"] == z
        if table.name == "pairs":
            there |= table["neighbour"] == cell
        self.view.choose(np.flatnonzero(there))

    def _colour(self) -> None:
        table, column = self.table, self.measures.currentData()
        if (
            self.colour_button.isChecked()
            and table is not None
            and table.name in ("cells", "slices")
            and column is not None
        ):
            self.over.colour(table, column, self.measures.currentText())
        else:
            self.over.hide(self.over.colours)

    def _z(self) -> int:
        return 0 if self.over.layer is None else slice_in_view(self.viewer, self.over.layer)

    def _on_step(self, _event: Any = None) -> None:
        if self.this_slice.isChecked() and self.table is not None and "slice" in self.table:
            self._show_rows()

    def _on_layers(self, _event: Any = None) -> None:
        here = [layer for layer in self.viewer.layers if is_measurable(layer)]
        chosen = self.layers.currentData()
        if [self.layers.itemData(n) for n in range(self.layers.count())] != here:
            offer_layers(self.layers, here, chosen if chosen in here else (here or [None])[-1])
        if not self.over.is_there:
            # What was measured stays in the table; there is nothing to show it on.
            self._follow(None)
        self._renew()

    def _use_theme(self, _event: Any = None) -> None:
        self.histogram.use_theme(self.viewer.theme)

    def _renew(self) -> None:
        """Allow what can be done, and say what there is."""
        table, count = self.table, self.view.chosen.size
        busy, layer = self._job is not None, self.layers.currentData()
        self.measure_button.setEnabled(layer is not None and not busy)
        self.save_button.setEnabled(table is not None and not busy)
        measurable = self.measures.count() > 0
        for widget in (self.measures, self.side, self.limit, self.select_button):
            widget.setEnabled(measurable)
        of_cells = table is not None and table.name in ("cells", "slices")
        self.colour_button.setEnabled(of_cells and self.over.is_there)
        session = self._session
        editable = session is not None and not session.read_only and of_cells and count > 0
        for widget in (self.delete_button, self.mark_button, self.kinds):
            widget.setEnabled(editable)
        self.count.setText(f"{count} selected")
        if layer is None and table is None:
            self.state.setText(NO_CELLS)
        elif table is None:
            self.state.setText("Press Measure. Deleting and marking need an open session.")
        else:
            source = self._source.name if self._source is not None else ""
            self.state.setText(f"Measured: {source}")
