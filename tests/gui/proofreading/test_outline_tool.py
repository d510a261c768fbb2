"""Cells outlined free-hand and by clicks, and erased again, by real mouse and keys."""

import numpy as np
import pytest
from drawn_session import WALL, rooms, start
from hand import LEFT, PLAIN, Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.proofreading.line_in_hand import NEAR_PX
from napari_copnet.progress import finish
from napari_copnet.proofreading import outlines, session_files

Z = 0


@pytest.fixture
def dock(make_napari_viewer, tmp_path, qtbot):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=90000):
        panel.open(finish(session_files.make(tmp_path / "rooms", start())))
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=90000)
    window.dims.set_current_step(0, Z)
    window.reset_view()
    yield panel
    panel.shut_down()


@pytest.fixture
def hand(dock):
    return Hand(dock.viewer, dock.controller.layers.contour, dock)


def free_hand(hand, points):
    """Draw along points (y, x) without letting go."""
    places = [hand.at(point) for point in points]
    QTest.mouseMove(hand.canvas, places[0])
    QTest.mousePress(hand.canvas, LEFT, PLAIN, places[0])
    for place in places:
        QTest.mouseMove(hand.canvas, place)
        QTest.qWait(5)
    QTest.mouseRelease(hand.canvas, LEFT, PLAIN, places[-1])
    QTest.qWait(5)


def circle(y, x, radius):
    turn = np.linspace(0, 2 * np.pi, 40)
    return [(y + radius * np.sin(t), x + radius * np.cos(t)) for t in turn]


def cells(dock):
    return np.asarray(dock.controller.layers.cells.data[Z])


def test_a_free_hand_ring_is_a_cell_and_is_erased_by_a_click(dock, hand):
    press(dock.tool_buttons["outline"])
    centre = camera_of(dock.viewer).center
    free_hand(hand, circle(20, 16, 9))
    assert camera_of(dock.viewer).center == centre  # it was not dragged along
    inside, outside = cells(dock)[20, 16], cells(dock)[4, 4]
    assert inside > 0 and inside != outside and len(dock.session.history) == 1
    ring = (dock.session.contour[Z] > 0) & (rooms()[Z] == 0)
    away = np.hypot(*(np.argwhere(ring) - (20, 16)).T)
    # As it was drawn: nothing is snapped to the walls of the room.
    assert abs(away - 9).max() < 2.5
    # The same, around it, makes one cell of all within.
    free_hand(hand, circle(20, 16, 13))
    assert len(dock.session.history) == 2, dock.message.text
    assert cells(dock)[20, 16] == cells(dock)[20, 24] != cells(dock)[4, 4]
    hand.key(Qt.Key.Key_R)
    hand.click((20, 16))
    np.testing.assert_array_equal(dock.session.contour, rooms())
    made = [dock.session.history[number].tool for number in range(3)]
    assert made == ["outline", "outline", "erase cell"]


def test_clicks_and_strokes_make_one_line_until_it_comes_back(dock, hand):
    hand.key(Qt.Key.Key_W)
    assert dock.tool_buttons["outline"].isChecked()
    marks, line = dock.controller.marks, dock.controller.tool_controller.line
    for corner in ((8, 6), (8, 24), (30, 24)):
        hand.click(corner)
    shown = marks.points("preview")
    assert len(shown) and len(dock.session.history) == 0
    # straight from click to click
    assert np.abs(shown[shown[:, 1] < 20][:, 1] - 8).min() < 0.5
    free_hand(hand, [(30, 20), (32, 12), (30, 8)])
    hand.key(Qt.Key.Key_Backspace)
    np.testing.assert_array_equal(marks.points("preview"), shown)
    hand.key(Qt.Key.Key_Escape)
    assert not line.is_begun and not len(marks.points("preview"))
    assert dock.tool_buttons["outline"].isChecked()
    for corner in ((8, 6), (8, 24), (30, 24), (30, 6), (8, 6)):
        hand.click(corner)
    assert not line.is_begun and len(dock.session.history) == 1
    assert cells(dock)[20, 15] not in (0, cells(dock)[4, 4])
    hand.key(Qt.Key.Key_U)
    np.testing.assert_array_equal(dock.session.contour, rooms())


def test_a_line_that_comes_back_makes_a_cell_though_all_its_corners_lie_on_contour(dock, hand):
    session = dock.session
    # a cell with a stray line in it, between walls that are there
    hand.key(Qt.Key.Key_W)
    ring = ((8, 6), (8, 24), (30, 24), (30, 6))
    for corner in (*ring, ring[0]):
        hand.click(corner)
    session.apply(outlines.wall(session, [Z], [(10.0, 15.0), (28.0, 15.0)]))
    assert (session.contour[Z][14:24, 15] > 0).all()
    for corner in (*ring, ring[0]):
        hand.click(corner)
    # what lay within is gone: it was no wall between two ends
    assert len(session.history) == 3 and not session.contour[Z][12:26, 10:20].any()
    # once more changes nothing, and the line is gone: the next one begins anew
    for corner in (*ring, ring[0]):
        hand.click(corner)
    assert "already" in dock.message.text and len(session.history) == 3
    assert not dock.controller.tool_controller.line.is_begun


def test_enter_ends_a_line_between_walls_as_a_wall(dock, hand):
    hand.key(Qt.Key.Key_W)
    hand.click((20, 2))
    hand.click((24, 14))
    hand.key(Qt.Key.Key_Return)  # one end in the open: a ring around nothing
    assert "encloses nothing" in dock.message.text and len(dock.session.history) == 0
    hand.click((20, WALL - 3))
    hand.key(Qt.Key.Key_Return)
    assert cells(dock)[10, 12] != cells(dock)[34, 12] and len(dock.session.history) == 1
    # In another slice a line that was begun is not led on.
    hand.click((5, 40))
    dock.viewer.dims.set_current_step(0, 3)
    hand.click((5, 50))
    assert "begun in slice 1" in dock.message.text


def test_a_line_follows_a_sure_contour_and_is_straight_elsewhere(dock, hand, monkeypatch):
    rows, columns = np.mgrid[:40, :64]
    bow = np.abs(rows - (12 + 6 * np.sin((columns - 36) / 6))) < 1.2
    monkeypatch.setattr(dock.session, "probability", lambda z: bow * np.float32(0.9))
    hand.key(Qt.Key.Key_W)
    hand.click((12, 36))
    hand.click((12 + 6 * np.sin(22 / 6), 58))
    hand.click((30, 58))
    points = dock.controller.tool_controller.line.points
    led, straight = points[points[:, 1] < 57], points[points[:, 0] > 14]
    straight = straight[straight[:, 1] > 55]
    assert bow[tuple(np.rint(led).astype(int).T)].mean() > 0.9
    assert np.abs(straight[:, 1] - 58).max() <= 1


def test_an_outline_whose_last_corner_is_near_its_first_is_closed_by_a_click_there(dock, hand):
    """Corners nearer to each other on the screen than a quick click's two."""
    press(dock.tool_buttons["outline"])
    before = len(np.unique(cells(dock)))
    line = dock.controller.tool_controller.line
    near = line.marks.of_screen(NEAR_PX)
    ring = [(10.0, 10.0), (10.0, 24.0), (24.0, 24.0), (24.0, 10.0), (10.0 + 0.7 * near, 10.0)]
    for point in ring[:-1]:
        assert not line.click(Z, point)
    # the corner before the end lies near the beginning, and closes the outline itself
    assert line.click(Z, ring[-1])
    line.drop()
    # at the beginning, the second of two quick clicks does nothing
    assert not line.click(Z, ring[0]) and not line.click(Z, ring[0])
    assert len(line.points) == 1
    line.drop()
    # a line that was drawn free-hand almost back to where it began
    line.click(Z, ring[0])
    line.drag(Z, [*ring[1:4], (10.0 + 1.5 * near, 10.0)])
    assert line.click(Z, (10.0 + 0.8 * near, 10.0))
    line.drop()
    assert len(np.unique(cells(dock))) == before
