"""Files that are dropped on a window, or opened from its menu, are read beside it."""

import threading
import time

import mrcfile
import numpy as np
import pytest
from hand import LEFT, PLAIN
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.viewer.layer_source import source_of

VALUES = np.arange(3 * 16 * 20, dtype=np.uint8).reshape(3, 16, 20)


@pytest.fixture
def dropped(make_napari_viewer, tmp_path, monkeypatch, qtbot):
    """Drop files on a window while its event loop runs; reading takes half a second each."""
    from napari_copnet.io import read

    viewer = make_napari_viewer(show=True)
    slow, threads = read.read_stack, []

    def read_stack(*given, **more):
        threads.append(threading.current_thread())
        time.sleep(0.5)
        return slow(*given, **more)

    monkeypatch.setattr(read, "read_stack", read_stack)
    given = QMimeData()

    def drop(*paths):
        given.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        place = canvas_of(viewer.window._qt_window).rect().center()
        how = (Qt.DropAction.CopyAction, given, LEFT, PLAIN)
        QTimer.singleShot(0, lambda: let_go(place, *how))

    def let_go(place, *how):
        target = viewer.window._qt_viewer
        QApplication.sendEvent(target, QDragEnterEvent(place, *how))
        QApplication.sendEvent(target, QDropEvent(QPointF(place), *how))

    return viewer, drop, threads


def written(path, values=VALUES):
    with mrcfile.new(path) as file:
        file.set_data(values.view(np.int8))
    return path


def test_a_window_goes_on_while_files_are_read(dropped, tmp_path, qtbot):
    viewer, drop, threads = dropped
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(len(viewer.layers)))
    timer.start(20)
    drop(written(tmp_path / "one.mrc"), written(tmp_path / "two.mrc"))
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20000)
    timer.stop()
    # The event loop had its turns while the files were read.
    assert ticks.count(0) >= 10
    assert threads and threading.main_thread() not in threads
    one, two = viewer.layers
    assert (one.name, two.name) == ("one", "two")
    # The session of a stack lies beside its file.
    assert source_of(one) == tmp_path / "one.mrc"
    assert one.source.reader_plugin == "napari-copnet"
    assert np.array_equal(np.asarray(one.data), VALUES.view(np.int8))


def test_a_file_that_cannot_be_read_is_told_of(dropped, tmp_path, qtbot):
    viewer, drop, _ = dropped
    path = tmp_path / "broken.mrc"
    path.write_bytes(b"nothing")
    before = len(notification_manager.records)
    drop(path)
    qtbot.waitUntil(lambda: len(notification_manager.records) > before, timeout=20000)
    assert "broken.mrc was not opened" in notification_manager.records[-1].message
    assert not viewer.layers


def test_a_script_has_its_layers_at_once(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    (layer,) = viewer.open(str(written(tmp_path / "one.mrc")), plugin="napari-copnet")
    assert layer in viewer.layers
