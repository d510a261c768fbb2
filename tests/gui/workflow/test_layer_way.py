"""Layers that are no stack: what is said of them, and the one button that makes them one."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_copnet.gui.workflow.layer_way import LayerWay
from napari_copnet.gui.workflow.stack_section import StackSection
from napari_copnet.io.arrange import luminance
from napari_copnet.lazy_array import LazyArray

GREY = np.random.default_rng(0).integers(0, 255, (2, 16, 18)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY // 2, GREY // 4], axis=-1)


@pytest.fixture
def section(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    made = StackSection(viewer)
    viewer.window.add_dock_widget(made, name="stack")
    yield viewer, made
    made.stop()


def button(section, qtbot):
    found = section.findChild(QPushButton, "make_usable")
    qtbot.waitUntil(found.isVisible)
    return found


def press(section, qtbot):
    QTest.mouseClick(button(section, qtbot), Qt.MouseButton.LeftButton)
    return section.layer


@pytest.mark.parametrize("data", [COLOUR, COLOUR[0]], ids=["stack", "image"])
def test_colour_is_made_grey(section, qtbot, data):
    viewer, made = section
    given = viewer.add_image(data, rgb=True, name="photo", scale=(2, 3, 4)[-(data.ndim - 1) :])
    assert button(made, qtbot).text() == "Make grey"
    assert made.text.startswith("photo is a colour image. Press Make grey")
    assert made.nothing_to_run().message == "photo is a colour image."
    layer = press(made, qtbot)
    assert layer.name == "photo, grey" and not layer.rgb
    assert tuple(layer.scale) == tuple(given.scale)
    planes = data if data.ndim == 4 else data[None]
    expected = np.stack([luminance(one) for one in planes]).reshape(data.shape[:-1])
    np.testing.assert_array_equal(layer.data, expected)
    # The layer that was given is as it was, and out of view.
    assert not given.visible
    np.testing.assert_array_equal(given.data, data)
    qtbot.waitUntil(lambda: not made.way.isVisible())
    assert "px" in made.text


def test_an_axis_of_length_one_is_left_out(section, qtbot):
    viewer, made = section
    viewer.add_image(GREY[None], name="one channel", scale=(1, 5, 2, 3))
    assert button(made, qtbot).text() == "Leave out an axis of length 1"
    assert "one channel has 4 axes (1 × 2 × 16 × 18)" in made.text
    layer = press(made, qtbot)
    assert layer.data.shape == GREY.shape and tuple(layer.scale) == (5, 2, 3)
    np.testing.assert_array_equal(layer.data, GREY)


def test_the_time_point_in_view_is_used(section, qtbot):
    viewer, made = section
    movie = np.stack([GREY, GREY + 1, GREY + 2])
    viewer.add_image(movie, name="movie", axis_labels=("t", "z", "y", "x"))
    # napari begins in the middle.
    assert button(made, qtbot).text() == "Use time point 2 of 3"
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: button(made, qtbot).text() == "Use time point 3 of 3")
    layer = press(made, qtbot)
    assert layer.name == "movie, time point 3"
    np.testing.assert_array_equal(layer.data, GREY + 2)
    assert tuple(layer.axis_labels) == ("z", "y", "x")


def test_channels_have_their_name_and_data_on_disk_stay_there(section, qtbot):
    viewer, made = section
    lazy = LazyArray((2, 2, 16, 18), np.uint8, lambda c, z: GREY[z] + c)
    viewer.add_image(lazy, name="two", axis_labels=("channel", "z", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: button(made, qtbot).text() == "Use channel 2 of 2")
    layer = press(made, qtbot)
    assert isinstance(layer.data, LazyArray)
    np.testing.assert_array_equal(np.asarray(layer.data), GREY + 1)


def test_loose_slices_are_stacked_in_the_order_of_their_names(section, qtbot):
    viewer, made = section
    for number in (10, 2, 1):
        viewer.add_image(GREY[0] // number, name=f"slice{number}", scale=(2, 3))
    assert button(made, qtbot).text() == "Stack them"
    assert "3 images of 16 × 18 px are separate slices" in made.way.why.text()
    layer = press(made, qtbot)
    np.testing.assert_array_equal(layer.data, np.stack([GREY[0] // n for n in (1, 2, 10)]))
    assert tuple(layer.scale) == (1, 2, 3)
    assert [one.visible for one in viewer.layers] == [False, False, False, True]
    qtbot.waitUntil(lambda: not made.way.isVisible())


def test_stacks_and_labels_are_left_alone(section, qtbot):
    viewer, made = section
    viewer.add_image(GREY, name="stack")
    viewer.add_labels(GREY.astype(int)[None], name="labels")
    made.way.look()
    assert made.way.way is None and not made.way.isVisible()


def test_run_says_what_to_do_with_colour(make_panel, qtbot, click):
    viewer, panel = make_panel(show=True)
    viewer.layers.clear()
    viewer.add_image(COLOUR, rgb=True, name="photo")
    qtbot.waitUntil(panel.stack.way.isVisible)
    click(panel.run_controls.run_button)
    assert "photo is a colour image." in panel.run_controls.message.text
    assert "Make grey" in panel.run_controls.message.text


def test_the_time_point_in_view_is_counted_in_steps_of_its_own_layer(qtbot):
    viewer = ViewerModel()
    films = [
        viewer.add_image(np.zeros((count, 3, 16, 18), np.uint8), scale=(step, 1, 1, 1))
        for count, step in ((3, 2.0), (6, 1.0))
    ]
    viewer.dims.set_point(0, 2.0)
    line = LayerWay(viewer)
    for layer, said in zip(films, ("time point 2 of 3", "time point 3 of 6"), strict=True):
        viewer.layers.selection.active = layer
        line.look()
        assert said in line.way.button
    line.stop()
