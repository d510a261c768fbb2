"""A table of measures in the window: sorted by its headings, with thousands of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QItemSelection, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_copnet.measures.schema import Column
from napari_copnet.measures.table import Table

_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class MeasureModel(QAbstractTableModel):
    """Some rows of a table, in the order of a column.

    Attributes
    ----------
    table : Table or None
    rows : ndarray, int64
        The rows of the table that are shown, in their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table: Table | None = None
        self.rows = np.zeros(0, np.int64)
        self._columns: tuple[Column, ...] = ()
        self._wanted: np.ndarray | None = None
        self._sorted = (-1, Qt.SortOrder.AscendingOrder)

    def show_table(self, table: Table | None, wanted: np.ndarray | None = None) -> None:
        """Show a table, or those of its rows that are wanted; the order stays where it can."""
        if table is None or self.table is None or table.name != self.table.name:
            self._sorted = (-1, Qt.SortOrder.AscendingOrder)
        self.beginResetModel()
        self.table, self._wanted = table, wanted
        self._columns = () if table is None else table.known
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; rows of which nothing is known come last."""
        self.beginResetModel()
        self._sorted = (column, order)
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        table = self.table
        if table is None:
            self.rows = np.zeros(0, np.int64)
            return
        rows = np.arange(len(table)) if self._wanted is None else self._wanted
        column, order = self._sorted
        if 0 <= column < len(self._columns):
            values = table[self._columns[column].name][rows]
            falling = order == Qt.SortOrder.DescendingOrder
            if values.dtype.kind == "U":
                place = np.argsort(values, kind="stable")
                place = place[::-1] if falling else place
            else:
                keys = values.astype(np.float64)
                # NaN is last in either order.
                place = np.argsort(-keys if falling else keys, kind="stable")
            rows = rows[place]
        self.rows = rows

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        """Return the number of rows."""
        return 0 if parent.isValid() else int(self.rows.size)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a value as text, or how it is placed."""
        if not index.isValid() or self.table is None:
            return None
        column = self._columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return text_of(self.table[column.name][self.rows[index.row()]], column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column.kind in ("integer", "number"):
            return _RIGHT
        return None

    def headerData(
        self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the title of a column, or its definition."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self._columns):
            return None
        column = self._columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        return column.meaning if role == Qt.ItemDataRole.ToolTipRole else None


class MeasureView(QTableView):
    """Shows a `MeasureModel`; several rows can be chosen."""

    def __init__(self, model: MeasureModel) -> None:
        super().__init__()
        self._rows = model
        self.setObjectName("measure_table")
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMinimumHeight(180)
        side, head = self.verticalHeader(), self.horizontalHeader()
        assert side is not None
        assert head is not None
        side.hide()
        side.setDefaultSectionSize(20)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        head.setDefaultSectionSize(92)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)

    def show_table(self, table: Table | None, wanted: np.ndarray | None = None) -> None:
        """Show a table, or those of its rows that are wanted."""
        before, head = self._rows.table, self.horizontalHeader()
        if head is not None and (table is None or before is None or table.name != before.name):
            head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self._rows.show_table(table, wanted)
        for number, column in enumerate(() if table is None else table.known):
            self.setColumnWidth(number, 140 if column.kind == "text" else 96)

    @property
    def chosen(self) -> np.ndarray:
        """The chosen rows, as rows of the table, sorted."""
        model = self.selectionModel()
        if model is None:
            return np.zeros(0, np.int64)
        ranges = model.selection()
        parts = [ranges[number] for number in range(len(ranges))]
        shown = [np.arange(part.top(), part.bottom() + 1) for part in parts if part.isValid()]
        places = np.unique(np.concatenate(shown)) if shown else np.zeros(0, np.int64)
        return np.sort(self._rows.rows[places[places < self._rows.rows.size]])

    def choose(self, rows: np.ndarray, scroll: bool = True) -> None:
        """Choose rows of the table, as far as they are shown, and show the first of them."""
        model = self.selectionModel()
        if model is None:
            return
        places = np.flatnonzero(np.isin(self._rows.rows, rows))
        selection = QItemSelection()
        last = self._rows.columnCount() - 1
        # Neighbouring rows are one range: thousands of single rows would take seconds.
        for part in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            if part.size:
                first, end = int(part[0]), int(part[-1])
                selection.select(self._rows.index(first, 0), self._rows.index(end, last))
        model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if scroll and places.size:
            self.scrollTo(self._rows.index(int(places[0]), 0))


def text_of(value: Any, column: Column) -> str:
    """Return a value for people; empty where it is not known."""
    if column.kind == "truth":
        return "yes" if value else "no"
    if column.kind == "number":
        return "" if value != value else f"{float(value):.4g}"
    return str(value)
