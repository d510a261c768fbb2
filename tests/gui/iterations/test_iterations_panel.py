"""The dock for iterations on iterations drawn by hand, with its real buttons."""

import gc
import weakref

import numpy as np
import pytest
from panels import dock_panel
from qtpy.QtCore import QPoint, Qt

from napari_copnet.gui.napari_compat.viewer_camera import camera_of

LEFT = Qt.MouseButton.LeftButton


def drawn():
    """Two rooms whose wall has a gap of two pixels; one closes in each of two iterations."""
    rooms = np.full((24, 48), 0.1, np.float32)
    rooms[[0, -1]] = rooms[:, [0, -1]] = 0.9
    rooms[:, 24] = 0.9
    rooms[10:12, 24] = 0.1
    once, twice = rooms.copy(), rooms.copy()
    once[10, 24] = 0.9
    twice[10:12, 24] = 0.9
    return np.stack([rooms, once, twice, twice])[:, None].repeat(3, axis=1)


@pytest.fixture
def window(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(window, qtbot):
    """The dock beside an image, its iterations (cells of at least 5 px) and a truth."""
    data = drawn()
    scale = (0.05, 0.01, 0.01)
    window.add_image(data[0] * 100, name="image", scale=scale)
    window.add_image(
        data,
        name="iterations",
        scale=(1, *scale),
        metadata={
            "copnet": {
                "role": "iterations",
                "changed": {1: 0.25},
                "cells": {"min_size": 5, "dilation": 0},
            }
        },
    )
    _, panel = dock_panel(window, "COp-Net iterations")
    qtbot.waitUntil(lambda: len(panel.cells_plot.series[0].values) == 4, timeout=20000)
    yield panel
    panel.shut_down()


def press(button):
    from qtpy.QtTest import QTest

    QTest.mouseClick(button, LEFT)


def values(plot, at=0):
    return dict(plot.series[at].values)


def wait(qtbot, panel, name, act):
    with qtbot.waitSignal(panel.finished, timeout=20000, check_params_cb=lambda n: n == name):
        act()


def test_plots_show_what_the_run_told_and_count_the_rest(dock):
    changed = values(dock.changed_plot)
    assert changed[1] == 0.25  # told by the run
    assert changed[2] == pytest.approx(1 / (24 * 48))  # a pixel in each slice
    assert changed[3] == 0
    assert values(dock.cells_plot) == {0: 3, 1: 3, 2: 6, 3: 6}


def test_values_are_drawn_where_they_belong(dock):
    plot = dock.changed_plot
    high, low = plot.point(1, 0.1), plot.point(1, 0.001)
    assert high.y() < low.y()
    assert plot.point(1, 0.1).x() < plot.point(3, 0.1).x()
    image = plot.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(0, 118)}
    assert "#40c4ff" in colours and "#ffb74d" in colours


def test_scrubbing_moves_the_window_and_back(dock, window, qtbot):
    dock.slider.setValue(0)
    assert window.dims.current_step[0] == 0
    assert dock.at.text() == "0 (Step 1)"
    window.dims.set_current_step(0, 2)
    assert dock.slider.value() == 2
    assert dock.changed_plot.current == 2


def test_a_click_on_a_plot_goes_to_its_iteration(dock, window, qtbot):
    point = dock.cells_plot.point(1, 3)
    qtbot.mouseClick(dock.cells_plot, LEFT, pos=QPoint(round(point.x()), round(point.y())))
    assert window.dims.current_step[0] == 1


def test_difference_marks_what_was_added(dock, window, qtbot):
    dock.first.setValue(0)
    dock.second.setValue(1)
    wait(qtbot, dock, "difference", lambda: press(dock.difference_button))
    layer = window.layers[-1]
    assert layer.name == "Added and removed, iteration 0 to 1"
    assert np.argwhere(layer.data).tolist() == [[z, 10, 24] for z in range(3)]
    assert np.allclose(layer.scale, (0.05, 0.01, 0.01))
    assert "added" in dock.legend.text()


def test_closed_when_counts_iterations(dock, window, qtbot):
    wait(qtbot, dock, "births", lambda: press(dock.births_button))
    born = window.layers[-1].data
    assert born[0, 9:13, 24].tolist() == [1, 2, 3, 1]
    assert born[0, 5, 5] == 0


def test_side_by_side_shows_the_other_iteration_and_follows(dock, window, qtbot):
    dock.first.setValue(0)
    dock.second.setValue(2)
    press(dock.side_button)
    second_canvas = dock.second_canvas
    canvas = weakref.ref(second_canvas._qt)
    shown = second_canvas.model.layers[-1]
    assert np.array_equal(shown.data, drawn()[2])
    assert second_canvas.model.layers[0].name == "image"
    camera_of(window).zoom = 1234.0
    assert camera_of(second_canvas.model).zoom == 1234.0
    camera_of(second_canvas.model).center = (0.0, 0.1, 0.2)
    assert camera_of(window).center == pytest.approx((0.0, 0.1, 0.2))
    window.dims.set_current_step(1, 2)
    assert second_canvas.model.dims.current_step[0] == 2
    dock.second.setValue(1)
    assert np.array_equal(shown.data, drawn()[1])
    press(dock.side_button)
    assert dock.second_canvas is None
    camera_of(window).zoom = 99.0  # the closed side does not follow any more
    assert camera_of(second_canvas.model).zoom != 99.0
    del second_canvas, shown
    qtbot.waitUntil(lambda: gc.collect() >= 0 and canvas() is None, timeout=10_000)


def test_scores_by_iteration(dock, window, qtbot):
    # Larger: the paper's settings grow and shrink cells by several pixels.
    window.layers["iterations"].data = drawn().repeat(4, axis=2).repeat(4, axis=3)
    truth = np.zeros((3, 96, 192), np.uint8)
    truth[:, 4:-4, 4:96] = 1
    truth[:, 4:-4, 100:-4] = 2
    window.add_labels(truth, name="truth", scale=(0.05, 0.01, 0.01))
    qtbot.waitUntil(dock.score_button.isEnabled)
    wait(qtbot, dock, "score", lambda: press(dock.score_button))
    labelled, merged, split = (values(dock.score_plot, at) for at in range(3))
    assert labelled[3] == 1.0 and merged[3] == 0.0 and split[3] == 0.0
    assert labelled[0] == 0.0 and merged[0] == 1.0


def test_a_truth_of_another_stack_is_refused_in_a_sentence(dock, window, qtbot):
    window.add_labels(np.ones((2, 5, 5), np.uint8), name="other")
    qtbot.waitUntil(dock.score_button.isEnabled)
    press(dock.score_button)
    assert "other has the shape 2 × 5 × 5" in dock.message.text()


def test_further_iterations_join_as_they_come(dock, window, qtbot):
    layer = window.layers["iterations"]
    layer.data = np.concatenate([layer.data, np.full((1, 3, 24, 48), 0.9, np.float32)])
    qtbot.waitUntil(lambda: values(dock.cells_plot).get(4) == 0, timeout=20000)
    assert dock.slider.maximum() == 4
    assert values(dock.changed_plot)[4] > 0.5


def test_the_iterations_layer_may_be_deleted(dock, window, qtbot):
    press(dock.side_button)
    window.layers.remove("iterations")
    qtbot.waitUntil(lambda: not dock.births_button.isEnabled())
    assert dock.second_canvas is None
    press(dock.births_button)
    assert [layer.name for layer in window.layers] == ["image"]


def test_closing_the_dock_ends_its_thread(dock, window, qtbot):
    from napari_copnet.gui.background.jobs import threads_alive

    press(dock.side_button)
    dock.show_births()
    window.window.remove_dock_widget(dock)
    assert not threads_alive()
    window.layers["iterations"].data = drawn()[:2]  # nobody listens any more
    assert dock.slider.maximum() == 3
