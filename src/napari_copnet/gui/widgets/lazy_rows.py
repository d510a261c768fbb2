"""Lists of thousands of rows that are asked for only where they are in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

_DIM = QColor("#7d848e")


class Rows(QAbstractTableModel):
    """Rows of texts.

    Parameters
    ----------
    headers : tuple of str
    count : callable
        Returns the number of rows.
    cell : callable
        Returns the text of a row and column.
    is_dim : callable, optional
        Whether a row is shown dimmer; none is by default.
    picture : callable, optional
        Returns the picture (QPixmap) of a row and column, or None.

    Attributes
    ----------
    current : int
        The row shown in bold; -1 for none.
    """

    def __init__(
        self,
        headers: tuple[str, ...],
        count: Callable[[], int],
        cell: Callable[[int, int], str],
        is_dim: Callable[[int], bool] = lambda _: False,
        picture: Callable[[int, int], Any] = lambda *_: None,
    ) -> None:
        super().__init__()
        self.current = -1
        self._headers, self._count, self._cell, self._is_dim = headers, count, cell, is_dim
        self._picture = picture
        self._rows = count()

    def renew(self) -> None:
        """Rows have come or gone, or other texts."""
        if self._rows and self._rows == self._count():
            # A reset lays out the whole table, a noticeable delay when stepping through the queue.
            last = self.index(self._rows - 1, len(self._headers) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self._rows = self._count()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        """Return the number of rows."""
        return 0 if parent.isValid() else self._rows

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self._headers)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a text, or how it looks."""
        row = index.row()
        if not index.isValid() or row >= self._rows:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._cell(row, index.column())
        if role == Qt.ItemDataRole.DecorationRole:
            return self._picture(row, index.column())
        if role == Qt.ItemDataRole.ForegroundRole and self._is_dim(row):
            return _DIM
        if role == Qt.ItemDataRole.FontRole and row == self.current:
            bold = QFont()
            bold.setBold(True)
            return bold
        return None

    def headerData(
        self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the title of a column."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._headers[section]
        return None


class RowsView(QTableView):
    """A table of `Rows`; keys go past it to the canvas.

    Parameters
    ----------
    name : str
    stretched : int
        The column that takes the room that is left.
    height : int
        Of a row, px; more than 20 leaves room for a picture and two lines.
    hidden : tuple of int
        Columns that are not shown.
    """

    def __init__(
        self, name: str, stretched: int, height: int = 20, hidden: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self._unseen = hidden
        self.setObjectName(name)
        self._stretched = stretched
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(height > 20)
        side = self.verticalHeader()
        assert side is not None  # Qt makes both headers with the table
        side.hide()
        side.setDefaultSectionSize(height)
        self.setIconSize(QSize(height - 4, height - 4))
        self.setMinimumHeight(140)

    def show_rows(self, rows: Rows) -> None:
        """Show rows."""
        self.setModel(rows)
        header = self.horizontalHeader()
        assert header is not None
        header.setMinimumSectionSize(44)
        for column in range(rows.columnCount()):
            stretched = column == self._stretched
            mode = QHeaderView.ResizeMode.Stretch if stretched else QHeaderView.ResizeMode.Fixed
            header.setSectionResizeMode(column, mode)
            if not stretched:
                self.setColumnWidth(column, 76)
            self.setColumnHidden(column, column in self._unseen)

    def renew(self, current: int) -> None:
        """Ask for all texts in sight anew, and show a row as the current one."""
        rows = self.model()
        if not isinstance(rows, Rows):
            return
        rows.current = current
        rows.renew()
        if 0 <= current < rows.rowCount():
            self.selectRow(current)
            self.scrollTo(rows.index(current, 0))
