"""Rows of the list of layers that are left out of sight.

napari has no layers that are in the viewer but not in its list. Its list is a view of Qt, which can
hide rows; needed in napari 0.9.2, whose view is called `QtLayerList`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QAbstractItemView, QWidget


class HiddenRows(QObject):
    """Lists some layers only, whatever comes, goes or changes places.

    Parameters
    ----------
    window : QWidget
        Of the viewer. Nothing is hidden where napari has other names for its own.
    is_listed : callable
        Takes a layer.
    """

    def __init__(self, window: QWidget, is_listed: Callable[[Any], bool]) -> None:
        super().__init__(window)
        self._is_listed = is_listed
        views = window.findChildren(QAbstractItemView)
        self._view: Any = next((v for v in views if type(v).__name__ == "QtLayerList"), None)
        model = self._view.model() if self._view is not None else None
        if model is not None:
            for signal in (
                model.rowsInserted,
                model.rowsRemoved,
                model.rowsMoved,
                model.layoutChanged,
                model.modelReset,
            ):
                signal.connect(self.look)

    def look(self, *_: Any) -> None:
        """Hide what is to be hidden, and nothing else."""
        if self._view is None:
            return
        with contextlib.suppress(RuntimeError):  # deleted with the window
            model = self._view.model()
            for row in range(model.rowCount()):
                layer = model.index(row, 0).data(Qt.ItemDataRole.UserRole)
                hidden = layer is not None and not self._is_listed(layer)
                if self._view.isRowHidden(row) != hidden:
                    self._view.setRowHidden(row, hidden)
