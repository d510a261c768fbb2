"""The list of layers: rows are painted when they change, and only then."""

import numpy as np
import pytest

pytest.importorskip("napari")

from panels import dock_panel
from qtpy.QtWidgets import QAbstractItemView


def test_rows_are_painted_only_when_they_change(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_image(np.zeros((3, 8, 8)), name="stack")
    views = viewer.window._qt_window.findChildren(QAbstractItemView)
    (view,) = [view for view in views if type(view).__name__ == "QtLayerList"]
    painted = []
    view.model().dataChanged.connect(lambda *_: painted.append(1))
    # As napari does it, so that the test says when this is of no use any more.
    layer.events.set_data()
    assert painted
    _, dock = dock_panel(viewer, "COp-Net proofreading")
    qtbot.waitUntil(dock.isVisible)
    painted.clear()
    layer.events.set_data()
    layer.events.extent()
    layer.cursor = "cross"
    layer.refresh(thumbnail=False)
    assert not painted
    layer.name = "contour"
    assert len(painted) == 1
    assert view.model().index(0, 0).data() == "contour"
    layer.visible = False
    assert len(painted) == 2
    # Layers that come later are in the list too.
    other = viewer.add_labels(np.zeros((3, 8, 8), int), name="cells")
    painted.clear()
    other.name = "more cells"
    assert painted
    dock.shut_down()
