"""A hand on the real window: mouse and keys on the canvas."""

import numpy as np
from qtpy.QtCore import QPointF, Qt
from qtpy.QtTest import QTest

from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.viewer.world import to_world

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Hand:
    """Clicks, drags and keys on the canvas of a window, at pixels (y, x) of a layer."""

    def __init__(self, viewer, layer, inside):
        self.viewer, self.layer = viewer, layer
        self.canvas = canvas_of(inside.window())

    def at(self, point):
        world = to_world(self.viewer, self.layer, (0, *point))
        camera = camera_of(self.viewer)
        return QPointF(
            self.canvas.width() / 2 + (world[-1] - camera.center[-1]) * camera.zoom,
            self.canvas.height() / 2 + (world[-2] - camera.center[-2]) * camera.zoom,
        ).toPoint()

    def across(self, point):
        """Where (z, x) lies in the XZ view."""
        world = np.asarray(self.layer.data_to_world((point[0], 0, point[1])), float)
        camera = camera_of(self.viewer)
        return QPointF(
            self.canvas.width() / 2 + (world[2] - camera.center[-1]) * camera.zoom,
            self.canvas.height() / 2 + (world[0] - camera.center[-2]) * camera.zoom,
        ).toPoint()

    def click(self, point, modifiers=PLAIN):
        QTest.mouseMove(self.canvas, self.at(point))
        QTest.mouseClick(self.canvas, LEFT, modifiers, self.at(point))

    def drag(self, start, end, steps=12, modifiers=PLAIN):
        places = [
            self.at(np.add(start, np.subtract(end, start) * t)) for t in np.linspace(0, 1, steps)
        ]
        QTest.mouseMove(self.canvas, places[0])
        QTest.mousePress(self.canvas, LEFT, modifiers, places[0])
        for place in places:
            QTest.mouseMove(self.canvas, place)
            QTest.qWait(5)
        QTest.mouseRelease(self.canvas, LEFT, modifiers, places[-1])
        QTest.qWait(5)

    def key(self, key, modifiers=PLAIN):
        QTest.keyClick(self.canvas, key, modifiers)


def press(button):
    assert button.isEnabled(), button.objectName()
    QTest.mouseClick(button, LEFT)
