"""Each tool of the proofreading dock, by real mouse and keys, on a drawn session."""

import numpy as np
import pytest
from drawn_session import GAP, SIZE, WALL, rooms, start
from hand import CONTROL, LEFT, PLAIN, SHIFT, Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtGui import QCursor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QToolTip

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session import Session

LEFT_ROOM, RIGHT_ROOM = (10, 12), (10, 50)
IN_GAP = (19.5, WALL)


@pytest.fixture
def folder(tmp_path):
    return finish(session_files.make(tmp_path / "rooms", start()))


@pytest.fixture
def window(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(window, folder, qtbot):
    """The dock of a window with the drawn session open in slice 1."""
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(folder)
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=20000)
    window.dims.set_current_step(0, 1)
    window.reset_view()
    yield panel
    panel.shut_down()


@pytest.fixture
def hand(window, dock):
    return Hand(window, dock.controller.layers.contour, dock)


def cells(dock, z=1):
    return np.asarray(dock.controller.layers.cells.data[z])


def on_pixels(points):
    """Pixels that a line runs through the middle of."""
    return {tuple(p) for p in points[(points % 1 == 0).all(axis=1)].astype(int)}


def undone(dock, hand):
    """Take the last edit back by its key: everything is as the networks left it."""
    hand.key(Qt.Key.Key_U)
    assert dock.session.history.position == 0
    np.testing.assert_array_equal(dock.session.contour, rooms())
    np.testing.assert_array_equal(dock.controller.layers.contour.data, rooms())
    assert not dock.session.marks.any()
    assert cells(dock)[LEFT_ROOM] == cells(dock)[RIGHT_ROOM]


def test_layers_lie_in_the_physical_frame_and_a_gap_is_closed(window, dock, hand):
    layers = dock.controller.layers
    assert {layer.name for layer in layers.all} == {
        "rooms",
        "Session: contour probability",
        "Session: cells",
        "Session: areas",
        "Session: contour",
        "Session: in question",
    }
    # Nothing is marked: the layer of marks would only cost time.
    assert not layers.marks.visible
    for layer in layers.all:
        assert np.allclose(layer.scale, SIZE)
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert layer.axis_labels == ("z", "y", "x")
    assert cells(dock)[LEFT_ROOM] == cells(dock)[RIGHT_ROOM] > 0
    assert cells(dock, 0)[LEFT_ROOM] != cells(dock, 0)[RIGHT_ROOM]

    # Previewed by a click, dropped by Escape, taken by Enter.
    hand.key(Qt.Key.Key_G)
    assert dock.tool_buttons["gap"].isChecked() and "least-cost path" in dock.hint.text()
    hand.click(IN_GAP)
    marks = dock.controller.marks
    wall = {(1, y, WALL) for y in range(GAP.start, GAP.stop)}
    assert on_pixels(marks.points("preview")) == wall
    assert len(dock.session.history) == 0
    hand.key(Qt.Key.Key_Escape)
    assert len(marks.points("preview")) == 0 and dock.tool_buttons["gap"].isChecked()
    hand.click(IN_GAP)
    hand.key(Qt.Key.Key_Return)
    assert len(marks.points("preview")) == 0 and dock.session.contour[1, GAP, WALL].all()
    assert cells(dock)[LEFT_ROOM] != cells(dock)[RIGHT_ROOM]
    undone(dock, hand)

    # A second Escape puts the tool away.
    hand.key(Qt.Key.Key_Escape)
    assert dock.controller.tool_controller.tool is None and not dock.tool_buttons["gap"].isChecked()


def test_tools_find_their_place_beside_a_stack_in_another_unit(window, dock, hand):
    """napari then has the sliders, the mouse and the camera in nm, and the session is in µm."""
    before = len(window.layers)
    window.add_image(
        np.zeros((4, 40, 64), np.uint8), scale=np.multiply(SIZE, 1000), units=("nanometer",) * 3
    )
    assert len(window.layers) == before + 1
    window.dims.set_current_step(0, 1)
    window.reset_view()
    assert dock.controller.layers.z == 1
    dock.controller.layers.activate()
    hand.key(Qt.Key.Key_G)
    hand.click(IN_GAP)
    wall = {(1, y, WALL) for y in range(GAP.start, GAP.stop)}
    assert on_pixels(dock.controller.marks.points("preview")) == wall
    hand.key(Qt.Key.Key_Return)
    assert dock.session.contour[1, GAP, WALL].all()
    dock.controller.camera.slice(3)
    assert window.dims.current_step[0] == 3


def test_undo_takes_back_the_stroke_that_napari_has_not_told_of(dock, hand):
    press(dock.tool_buttons["draw"])
    hand.drag((GAP.start - 2, WALL), (GAP.stop + 2, WALL))
    drawn = dock.session.contour.copy()
    dock.controller.layers.contour.data[1, 5, 5] = 1
    hand.key(Qt.Key.Key_U)
    assert (dock.session.history.position, len(dock.session.history)) == (1, 2)
    np.testing.assert_array_equal(dock.session.contour, drawn)
    # What is left when the session is closed is saved, and nothing is looked for any more.
    dock.controller.layers.contour.data[1, 6, 6] = 1
    controller, folder = dock.controller, dock.session.folder
    dock.close_session()
    with Session.open(folder, read_only=True) as session:
        assert session.history.position == 2 and session.contour[1, 6, 6]
    assert not controller.neighbours._timer.isActive() and not controller.queue._timer.isActive()


def test_a_stroke_is_one_edit_in_a_slice_or_a_range_and_undo_is_ours(window, dock, hand):
    press(dock.tool_buttons["draw"])
    hand.drag((GAP.start - 2, WALL), (GAP.stop + 2, WALL))
    assert len(dock.session.history) == 1
    assert cells(dock)[LEFT_ROOM] != cells(dock)[RIGHT_ROOM]
    np.testing.assert_array_equal(dock.controller.layers.contour.data, dock.session.contour)
    drawn = dock.session.contour.copy()
    hand.key(Qt.Key.Key_Z, CONTROL)
    np.testing.assert_array_equal(dock.session.contour, rooms())
    np.testing.assert_array_equal(dock.controller.layers.contour.data, rooms())
    hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    np.testing.assert_array_equal(dock.session.contour, drawn)
    dock.controller.layers.contour.undo()  # as napari's own button would
    np.testing.assert_array_equal(dock.controller.layers.contour.data, rooms())
    assert dock.session.history.position == 0

    window.dims.set_current_step(0, 0)
    hand.key(Qt.Key.Key_E)
    hand.drag((10, WALL), (20, WALL))
    assert not dock.session.contour[0, 12:18, WALL].any()
    assert cells(dock, 0)[LEFT_ROOM] == cells(dock, 0)[RIGHT_ROOM]
    assert dock.session.history[0].tool == "erase"
    undone(dock, hand)

    window.dims.set_current_step(0, 3)
    press(dock.ranged)
    dock.first.setValue(3)
    dock.last.setValue(4)
    hand.drag((10, WALL), (20, WALL))
    assert not dock.session.contour[2:, 12:18, WALL].any()
    assert dock.session.contour[0, 12:18, WALL].all()
    assert len(dock.session.history) == 1
    undone(dock, hand)
    window.dims.set_current_step(0, 0)
    hand.drag((10, WALL), (20, WALL))
    assert "not in the chosen range" in dock.message.text
    np.testing.assert_array_equal(dock.controller.layers.contour.data, rooms())


@pytest.mark.parametrize("view", ["in 3 dimensions", "XZ"])
def test_a_stroke_through_slices_is_one_edit_of_all_of_them(window, dock, hand, view):
    layer = dock.controller.layers.contour
    hand.key(Qt.Key.Key_D)
    # A slice is as thick as five pixels: the brush reaches into both neighbours.
    layer.brush_size = 13
    if view == "XZ":
        window.dims.order = (1, 0, 2)
        window.dims.set_current_step(1, 10)
        window.reset_view()
        at = hand.across((1, 12))
    else:
        layer.n_edit_dimensions = 3
        at = hand.at((20, 12))
    QTest.mouseMove(hand.canvas, at)
    QTest.mouseClick(hand.canvas, LEFT, PLAIN, at)
    painted = np.asarray(layer.data)
    assert len(np.flatnonzero((painted != rooms()).any(axis=(1, 2)))) == 3
    np.testing.assert_array_equal(dock.session.contour, painted)
    assert len(dock.session.history) == 1
    window.dims.order = (0, 1, 2)
    undone(dock, hand)


def test_tools_leave_nothing_on_the_canvas_but_what_they_did(window, dock, hand):
    def picture():
        QTest.qWait(300)
        return window.screenshot(flash=False, canvas_only=True)[..., :3].astype(int)

    window.dims.set_current_step(0, 3)
    other = picture()
    window.dims.set_current_step(0, 1)
    before = picture()
    hand.key(Qt.Key.Key_G)
    hand.click(IN_GAP)
    assert (picture() != before).any()  # the path that is proposed
    window.dims.set_current_step(0, 3)
    np.testing.assert_array_equal(picture(), other)
    window.dims.set_current_step(0, 1)
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_E)
    hand.drag((10, 10), (15, 10))
    hand.key(Qt.Key.Key_D)
    hand.drag((20, 10), (30, 10))
    # In the ring of the brush there is but the colour of the stroke.
    at = hand.at((30, 10))
    inside = picture()[at.y() - 5 : at.y() + 6, at.x() - 5 : at.x() + 6].reshape(-1, 3)
    assert np.ptp(inside, axis=0).max() < 10
    hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_Escape)
    np.testing.assert_array_equal(picture(), before)


def test_a_cell_is_split_by_a_line(window, dock, hand):
    hand.key(Qt.Key.Key_S)
    top, bottom = (3, 16), (36, 16)
    centre = camera_of(window).center
    for by in ("drag", "clicks"):
        if by == "drag":
            hand.drag(top, bottom)
        else:
            hand.click(top)
            assert len(dock.controller.marks.points("clicks")) == 1
            hand.click(bottom)
        assert camera_of(window).center == centre  # it was not dragged along
        assert cells(dock)[10, 8] != cells(dock)[10, 50]
        assert dock.session.contour[1, 1:39, 16].all()
        undone(dock, hand)


def test_two_clicks_part_a_cell_at_its_weakest_place(window, dock, hand):
    press(dock.tool_buttons["part"])
    hand.click(LEFT_ROOM)
    marks = dock.controller.marks
    assert len(marks.points("clicks")) == 1 and not len(marks.points("preview"))
    hand.click(RIGHT_ROOM)
    # Shown, not made: the gap in the wall between the rooms.
    wall = {(1, y, WALL) for y in range(GAP.start, GAP.stop)}
    assert on_pixels(marks.points("preview")) == wall
    assert len(dock.session.history) == 0
    hand.key(Qt.Key.Key_Escape)
    assert not len(marks.points("preview")) and not len(marks.points("clicks"))
    hand.key(Qt.Key.Key_A)
    for place in (LEFT_ROOM, RIGHT_ROOM):
        hand.click(place)
    hand.key(Qt.Key.Key_Return)
    assert dock.session.contour[1, GAP, WALL].all() and len(dock.session.history) == 1
    assert cells(dock)[LEFT_ROOM] != cells(dock)[RIGHT_ROOM]
    # Two cells can't be parted.
    for place in (LEFT_ROOM, RIGHT_ROOM):
        hand.click(place)
    assert "two clicks are in different cells" in dock.message.text
    undone(dock, hand)


def test_clicks_merge_delete_fill_mark_and_link_cells(window, dock, hand):
    window.dims.set_current_step(0, 0)
    press(dock.tool_buttons["merge"])
    hand.click(LEFT_ROOM)
    hand.click(RIGHT_ROOM)
    assert cells(dock, 0)[LEFT_ROOM] == cells(dock, 0)[RIGHT_ROOM]
    undone(dock, hand)
    # What can't be done is a sentence in the dock.
    hand.click(LEFT_ROOM)
    hand.click((30, 12))
    assert dock.message.text == "Both clicks are in the same cell.\nClick two cells."
    hand.click((0, WALL))
    hand.click(LEFT_ROOM)
    assert dock.message.text.startswith("There is no cell where you clicked.")
    assert dock.session.history.position == 0

    hand.key(Qt.Key.Key_X)
    hand.click(LEFT_ROOM)
    assert dock.session.contour[0, :, :WALL].all() and cells(dock, 0)[LEFT_ROOM] == 0
    assert cells(dock, 0)[RIGHT_ROOM] > 0
    undone(dock, hand)

    hand.key(Qt.Key.Key_D)
    hand.click((20, 12))
    assert dock.session.contour[0, 20, 12]
    hand.key(Qt.Key.Key_F)
    hand.click(LEFT_ROOM)
    assert not dock.session.contour[0, 18:23, 10:15].any()
    hand.key(Qt.Key.Key_U)
    undone(dock, hand)

    press(dock.tool_buttons["vessel"])
    hand.click(LEFT_ROOM)
    assert cells(dock, 0)[LEFT_ROOM] == 0 and cells(dock, 0)[RIGHT_ROOM] > 0
    # Hatched: lines, and paler between them.
    hatched = np.asarray(dock.controller.layers.marks.data[0])[2:30, 2:28]
    assert set(np.unique(hatched)) == {1, 4} and dock.controller.layers.marks.visible
    hand.click(LEFT_ROOM)
    assert not dock.session.marks.any() and cells(dock, 0)[LEFT_ROOM] > 0
    hand.key(Qt.Key.Key_U)
    assert dock.session.marks.any()
    undone(dock, hand)
    # What is on the screen, not only in the layer: slices with marks are drawn anew.
    shown = window.screenshot(flash=False)
    hand.click(LEFT_ROOM)
    assert (window.screenshot(flash=False) != shown).any(axis=-1).mean() > 0.1
    undone(dock, hand)
    assert (window.screenshot(flash=False) != shown).any(axis=-1).mean() < 0.01

    # The right rooms of slices 0 and 2 are two cells: slice 1 between them has but one.
    before = cells(dock, 0)[RIGHT_ROOM], cells(dock, 2)[RIGHT_ROOM]
    assert before[0] != before[1]
    hand.key(Qt.Key.Key_L)
    hand.click(RIGHT_ROOM)
    window.dims.set_current_step(0, 2)
    hand.click(RIGHT_ROOM)
    assert cells(dock, 0)[RIGHT_ROOM] == cells(dock, 2)[RIGHT_ROOM]
    hand.key(Qt.Key.Key_K)
    hand.click(RIGHT_ROOM)
    window.dims.set_current_step(0, 0)
    hand.click(RIGHT_ROOM)
    assert (cells(dock, 0)[RIGHT_ROOM], cells(dock, 2)[RIGHT_ROOM]) == before
    hand.key(Qt.Key.Key_U)
    undone(dock, hand)


def test_the_first_of_two_clicks_is_tinted_and_what_fails_is_said_at_the_cursor(
    window, dock, hand, monkeypatch
):
    said = []
    monkeypatch.setattr(QToolTip, "showText", lambda at, text, *_: said.append((at, text)))
    window.dims.set_current_step(0, 0)
    areas = dock.controller.layers.marks
    press(dock.tool_buttons["merge"])
    hand.click(LEFT_ROOM)
    shown = np.asarray(areas.data[0])
    assert areas.visible and shown[LEFT_ROOM] and not shown[RIGHT_ROOM]
    places = [button.mapToGlobal(button.rect().topLeft()) for button in dock.tool_buttons.values()]
    below = dock.next_button.mapToGlobal(dock.next_button.rect().topLeft())
    at = hand.canvas.mapToGlobal(hand.at((30, 12)))
    monkeypatch.setattr(QCursor, "pos", lambda *_: at)
    hand.click((30, 12))
    assert not np.asarray(areas.data[0]).any()
    assert dock.message.text.startswith("Both clicks are in the same cell.")
    assert len(said) == 1 and said[0][1].startswith("Both clicks are in the same cell.")
    assert (said[0][0] - at).manhattanLength() < 60
    QTest.qWait(50)
    assert places == [b.mapToGlobal(b.rect().topLeft()) for b in dock.tool_buttons.values()]
    assert below == dock.next_button.mapToGlobal(dock.next_button.rect().topLeft())


def test_a_box_is_frozen_at_an_earlier_iteration(make_napari_viewer, tmp_path, qtbot):
    earlier = rooms() * np.float32(0.9)
    earlier[0, :, WALL] = 0.1
    iterations = np.stack([earlier, rooms() * np.float32(0.9)])
    record = {"settings": {"closing": {"unite": False}}}
    begun = start(iterations=iterations, record=record)
    window = make_napari_viewer(show=True)
    _, dock = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(dock.opened, timeout=20000):
        dock.open(finish(session_files.make(tmp_path / "rooms", begun)))
    window.dims.set_current_step(0, 0)
    window.reset_view()
    hand = Hand(window, dock.controller.layers.contour, dock)
    assert dock.iteration.maximum() == 1 and dock.iteration.value() == 0
    hand.key(Qt.Key.Key_I)
    hand.drag((5, 20), (15, 45))
    wall = dock.session.contour[0, :, WALL]
    assert not wall[6:15].any() and wall[:4].all() and wall[17:].all()
    assert cells(dock, 0)[LEFT_ROOM] == cells(dock, 0)[RIGHT_ROOM]
    undone(dock, hand)
    hand.drag((20, 5), (25, 15))
    assert dock.message.text.startswith("The contour is already that of this iteration.")
    dock.shut_down()


def test_keys_and_layers_are_given_back(window, dock, folder, qtbot):
    mine = window.add_labels(np.zeros((4, 40, 64), np.uint8), name="mine")
    own = []
    press(dock.tool_buttons["merge"])
    dock.close_session()
    assert not window.keymap and not mine.keymap and not len(window.layers) - 1
    window.bind_key("n", own.append)
    mine.bind_key("u", own.append)
    with qtbot.waitSignal(dock.opened, timeout=20000):
        dock.open(folder)
    assert not mine.visible  # it would lie over the session
    assert not dock.tool_buttons["merge"].isChecked()
    window.layers.selection.active = mine
    hand = Hand(window, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    hand.key(Qt.Key.Key_U)
    assert own == []
    qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)
    dock.close_session()
    assert mine.visible
    hand.key(Qt.Key.Key_N)
    hand.key(Qt.Key.Key_U)
    assert own == [window, mine]
