"""From a contour to its iteration and its item, how slices went, and scores by edit, by hand."""

import numpy as np
import pytest
from drawn_session import GAP, WALL, rooms, start
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files

IN_GAP = (19.5, WALL)


@pytest.fixture
def dock(make_napari_viewer, tmp_path, qtbot):
    """The gap of slice 2 was closed in iteration 2; a pixel of slice 3 comes and goes."""
    iterations = np.repeat(rooms()[None] * np.float32(0.9), 4, axis=0)
    iterations[:2, 2, GAP, WALL] = 0.2
    iterations[:, 1, GAP, WALL] = 0.3
    iterations[1::2, 3, 5, 5] = 0.8
    begun = start(
        iterations=iterations,
        converged=np.array([True, True, True, False]),
        record={"settings": {"closing": {"unite": False}}},
    )
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(finish(session_files.make(tmp_path / "rooms", begun)))
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=20000)
    window.reset_view()
    yield panel
    panel.shut_down()


@pytest.fixture
def hand(dock):
    return Hand(dock.viewer, dock.controller.layers.contour, dock)


def rows(view):
    model = view.model()
    return [
        tuple(model.data(model.index(row, column)) for column in range(model.columnCount()))
        for row in range(model.rowCount())
    ]


def test_a_click_on_contour_leads_to_its_item_and_iteration_and_back(dock, hand):
    window = dock.viewer
    window.dims.set_current_step(0, 2)
    dock.kinds.setCurrentIndex(dock.kinds.findData("gap"))
    zoom = window.scene.camera.zoom if hasattr(window, "scene") else window.camera.zoom
    hand.click(IN_GAP)
    # The filter hid the item; the camera stays where the click was.
    assert dock.kinds.currentData() == "" and "closed this gap" in dock.question.text()
    now = window.scene.camera.zoom if hasattr(window, "scene") else window.camera.zoom
    assert now == zoom
    assert "Closed in iteration 2" in dock.birth.text() and dock.see_button.isVisible()
    assert len(dock.controller.marks.points("item"))
    press(dock.see_button)
    assert (
        dock.tabs.currentWidget() is dock.iteration_tab and dock.iteration_tab.number.value() == 2
    )
    layer = dock.controller.iteration_review.layer
    assert layer.visible and np.asarray(layer.data[2])[GAP, WALL].all()
    dock.iteration_tab.number.setValue(1)
    assert not np.asarray(layer.data[2])[GAP, WALL].any()
    press(dock.iteration_tab.show_iteration)
    assert not layer.visible
    # The frame parts no cells and has no item; what is not contour tells nothing.
    hand.click((0, 10))
    assert dock.tabs.currentIndex() == 0 and "no item" in dock.question.text()
    assert dock.birth.text().startswith("Contour since Step 1")
    text = dock.question.text()
    hand.click((10, 12))
    assert dock.question.text() == text
    # From the item by N.
    hand.key(Qt.Key.Key_N)
    assert "There may be a gap" in dock.question.text()
    assert dock.birth.text().startswith("No iteration closed it; contour probability by iteration")
    assert not dock.see_button.isVisible()
    dock.close_session()
    assert not len(window.layers)


def test_slices_are_listed_filtered_and_gone_to(dock, hand):
    window, tab = dock.viewer, dock.iteration_tab
    dock.tabs.setCurrentWidget(tab)
    assert [(row[0], row[2], row[3]) for row in rows(tab.slices_view)] == [
        ("1", "2", "converged"),
        ("2", "1", "converged"),
        ("3", "2", "converged"),
        ("4", "2", "oscillates"),
    ]
    press(tab.unsettled)
    assert [row[0] for row in rows(tab.slices_view)] == ["4"]
    window.dims.set_current_step(0, 0)
    QTest.qWait(20)
    place = tab.slices_view.visualRect(tab.slices_view.model().index(0, 0)).center()
    QTest.mouseClick(tab.slices_view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert window.dims.current_step[0] == 3
    tab.ensureWidgetVisible(tab.cells_plot)
    at = tab.cells_plot.point(2, 1).toPoint()
    QTest.mouseClick(tab.cells_plot, Qt.MouseButton.LeftButton, pos=at)
    assert window.dims.current_step[0] == 1 and tab.cells_plot.current == 2
    # Cells are counted anew after an edit.
    hand.key(Qt.Key.Key_G)
    hand.click(IN_GAP)
    hand.key(Qt.Key.Key_Return)
    assert tab.cells_plot.series[0].values[2] == 2


def test_scores_by_iteration_and_by_edit(dock, hand, qtbot):
    window, tab = dock.viewer, dock.iteration_tab
    assert not tab.score_button.isEnabled()
    truth = np.zeros(rooms().shape, np.uint8)
    truth[:, 1:-1, 1:WALL], truth[:, 1:-1, WALL + 1 : -1] = 1, 2
    window.add_labels(
        truth, name="truth", scale=dock.controller.layers.contour.scale, visible=False
    )
    window.dims.set_current_step(0, 1)
    dock.controller.layers.activate()
    # Wide enough that the score's dilation does not close it.
    hand.key(Qt.Key.Key_E)
    hand.drag((8, WALL), (32, WALL))
    assert len(dock.session.history) == 1
    hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    dock.tabs.setCurrentWidget(tab)
    press(tab.score_button)
    qtbot.waitUntil(lambda: tab.score_button.text() == "Score", timeout=20000)
    assert not dock.message.text
    by_iteration = {s.name: s.values for s in tab.iteration_scores.series}
    by_edit = {s.name: s.values for s in tab.edit_scores.series}
    assert set(by_iteration["labelled"]) == {0, 1, 2, 3} and set(by_edit["labelled"]) == {0, 1}
    assert by_edit["merged"][1] > by_edit["merged"][0]
    assert by_iteration["labelled"][3] == pytest.approx(by_edit["labelled"][0])
    assert tab.edit_scores.isVisible()
    tab.ensureWidgetVisible(tab.edit_scores)
    at = tab.edit_scores.point(0, 0.5).toPoint()
    QTest.mouseClick(tab.edit_scores, Qt.MouseButton.LeftButton, pos=at)
    assert dock.session.history.position == 0
