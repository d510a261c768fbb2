"""The canvas and its OpenGL context."""

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtGui import QOpenGLContext

from napari_copnet.gui.canvas import canvas_of


def test_layers_go_in_the_context_of_the_canvas(make_napari_viewer):
    """In another one vispy would delete programs of the window's frame."""
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-copnet", "COp-Net proofreading")
    layers = [viewer.add_image(np.zeros((3, 8, 8))) for _ in range(2)]
    canvas = canvas_of(dock.window())
    found = []
    viewer.layers.events.removed.connect(
        lambda _: found.append(QOpenGLContext.currentContext() is canvas.context())
    )
    canvas.doneCurrent()
    viewer.layers.remove(layers[0])
    canvas.doneCurrent()
    # As by the button of the list of layers, several at once.
    with viewer.layers.batched_update():
        viewer.layers.remove(layers[1])
    assert found == [True, True]
    dock.shut_down()
    later = viewer.add_image(np.zeros((3, 8, 8)))
    canvas.doneCurrent()
    viewer.layers.remove(later)
    assert not found[-1]
