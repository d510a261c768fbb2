"""What is done with docks a little later, and that nothing waits for it."""

import gc
import weakref

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QLabel, QWidget

from napari_copnet.gui.viewer.dock_places import dock_beside_canvas, later


def test_it_is_done_with_what_is_there_and_keeps_nothing_alive(qtbot):
    kept, gone, deleted = QLabel("kept"), QLabel("gone"), QLabel("deleted")
    for widget in (kept, deleted):
        qtbot.addWidget(widget)
    seen = []
    later(20, lambda *widgets: seen.append([w.text() for w in widgets]), kept)
    later(20, lambda *widgets: seen.append(widgets), kept, gone)
    later(20, lambda *widgets: seen.append([w.text() for w in widgets]), kept, deleted)
    ref = weakref.ref(gone)
    del gone, widget
    gc.collect()
    assert ref() is None
    deleted.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(lambda: bool(seen), timeout=2000)
    qtbot.wait(50)
    assert seen == [["kept"]]


def test_a_window_that_closes_at_once_is_not_kept_by_its_second_canvas(make_napari_viewer):
    """Two timers are to share its width: napari's fixture would find a leak."""
    viewer = make_napari_viewer(show=True)
    dock_beside_canvas(viewer, QWidget(), "beside")
