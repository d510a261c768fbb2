"""Trying sizes on the slice in view, and taking one."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QLabel, QPushButton

from napari_copnet.gui.workflow.size_choice import sizes_for


def image():
    """Slices of 150×200 px: grey, with one dark line more in each."""
    data = np.full((3, 150, 200), 200, np.uint8)
    for z in range(3):
        data[z, :, 20 : 20 + 60 * (z + 1) : 60] = 10
    return data


def press(widget, name):
    QTest.mouseClick(widget.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def dialogs(panel):
    return panel.findChildren(QDialog, "size_choice")


def test_sizes_worth_a_try():
    assert sizes_for((150, 200), 200) == [200, 256, 384]
    assert sizes_for((2048, 1000), 512) == [256, 384, 512, 768]
    assert sizes_for((2048, 1000), 0) == [256, 384, 512, 768, 2048]
    # The size is left to the run: none is set.
    assert sizes_for((2048, 1000), None) == [256, 384, 512, 768]
    assert sizes_for((50, 100), None) == [100]


def test_a_size_is_chosen_by_what_it_makes_of_the_slice(make_panel, qtbot, models):
    viewer, panel = make_panel(show=True, data=image())
    viewer.dims.set_point(0, 2)
    row = panel.sections["preprocess"].form.rows["size"]
    press(panel, "try_sizes")
    assert not panel.run_controls.run_button.isEnabled()
    qtbot.waitUntil(lambda: any(dialog.isVisible() for dialog in dialogs(panel)))
    assert panel.run_controls.run_button.isEnabled()
    (dialog,) = dialogs(panel)
    # Each network saw one slice, at each size once at least.
    assert len(models.networks["contours"].corners) == 3
    texts = [button.text() for button in dialog.findChildren(QPushButton)]
    assert texts == ["Keep 200 px", "Use 256 px", "Use 384 px"]
    shown = dialog.findChild(QLabel, "sizes_picture").pixmap()
    assert shown.width() > 2 * shown.height()
    assert row.value == "0"
    press(dialog, "take_384")
    assert row.value == "384"
    qtbot.waitUntil(lambda: not dialogs(panel))
    # Nothing was added to the window, and the image is as it was.
    assert len(viewer.layers) == 1
    np.testing.assert_array_equal(viewer.layers[0].data, image())


def test_trying_can_be_cancelled(make_panel, qtbot, models):
    for network in models.networks.values():
        network.pause = 0.3
    _, panel = make_panel(data=image())
    press(panel, "try_sizes")
    qtbot.waitUntil(lambda: models.networks["contours"].passes > 0)
    QTest.mouseClick(panel.run_controls.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.run_controls.run_button.isEnabled)
    assert not dialogs(panel)
    assert panel.sections["preprocess"].sizes_button.isEnabled()
    assert panel.sections["preprocess"].form.rows["size"].value == "0"


def test_without_an_image_it_says_so(make_panel):
    viewer, panel = make_panel()
    viewer.layers.clear()
    press(panel, "try_sizes")
    assert "no image" in panel.run_controls.message.text
