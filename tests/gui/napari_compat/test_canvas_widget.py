"""The canvas and its OpenGL context."""

import numpy as np
import pytest

pytest.importorskip("napari")

from panels import dock_panel
from qtpy.QtGui import QOpenGLContext

from napari_copnet.gui.napari_compat.canvas_widget import canvas_of


def test_layers_go_in_the_context_of_the_canvas(make_napari_viewer, qtbot):
    """In another one vispy would delete programs of the window's frame."""
    viewer, found = make_napari_viewer(show=True), []
    events = viewer.layers.events
    for event in (events.removed, events.end_batch):
        # Called after the dock, which comes later, and before napari.
        event.connect(
            lambda _: found.append(QOpenGLContext.currentContext() is canvas.context()),
            position="first",
        )
    _, dock = dock_panel(viewer, "COp-Net proofreading")
    layers = [viewer.add_image(np.zeros((3, 8, 8))) for _ in range(2)]
    canvas = canvas_of(dock.window())
    qtbot.waitUntil(lambda: dock.isVisible() and canvas.isVisible())
    canvas.doneCurrent()
    viewer.layers.remove(layers[0])
    assert found == [True]
    # As by the button of the list of layers.
    with viewer.layers.batched_update():
        viewer.layers.remove(layers[1])
        canvas.doneCurrent()
    assert found == [True, True, True]
    dock.shut_down()
    later = viewer.add_image(np.zeros((3, 8, 8)))
    canvas.doneCurrent()
    viewer.layers.remove(later)
    assert not found[-1]
