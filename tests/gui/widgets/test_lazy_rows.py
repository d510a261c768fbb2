"""Tables of many rows, told anew without being laid out anew."""

import pytest

pytest.importorskip("napari")

from qtpy.QtTest import QSignalSpy

from napari_copnet.gui.widgets.lazy_rows import Rows, RowsView


def test_rows_are_laid_out_anew_only_when_some_come_or_go(qtbot):
    texts = ["wall", "gap"]
    rows = Rows(
        ("what", "row"), lambda: len(texts), lambda r, c: (texts[r], str(r))[c], lambda r: False
    )
    view = RowsView("rows", 0)
    qtbot.addWidget(view)
    view.show_rows(rows)
    resets, changes = QSignalSpy(rows.modelReset), QSignalSpy(rows.dataChanged)
    view.renew(1)
    assert (len(resets), len(changes)) == (0, 1)
    first, last = changes[0][:2]
    assert (first.row(), first.column(), last.row(), last.column()) == (0, 0, 1, 1)
    assert view.currentIndex().row() == 1
    texts.append("split")
    view.renew(2)
    assert (len(resets), len(changes)) == (1, 1)
    assert rows.rowCount() == 3
    texts.clear()
    view.renew(-1)
    assert len(resets) == 2
    assert rows.rowCount() == 0
