"""The review queue and the history in the dock, on a drawn session."""

import csv
import json
import threading
from dataclasses import replace

import drawn_session
import numpy as np
import pytest
from drawn_session import GAP, WALL, rooms
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.proofreading.queue_controller import _KIND
from napari_copnet.gui.proofreading.queue_state import QueueState, find_items
from napari_copnet.progress import Progress, finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.queue import Item, renewed

ONE_SLICE = _KIND["split"]


def start():
    """The drawn session under an image that shows nothing: what it shows is hardly in doubt."""
    begun = drawn_session.start()
    return replace(begun, stack=replace(begun.stack, data=np.full_like(begun.stack.data, 120)))


@pytest.fixture
def dock(make_napari_viewer, tmp_path, qtbot):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(finish(session_files.make(tmp_path / "rooms", start())))
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=20000)
    panel.controller.queue.pause = 0
    yield panel
    panel.shut_down()


@pytest.fixture
def chain_dock(make_napari_viewer, tmp_path, qtbot):
    """The gap is open in slices 1 and 2; the wall drifts by two pixels between them."""
    begun = start()
    contour, step1 = begun.contour.copy(), begun.step1.copy()
    for z, x in ((1, WALL), (2, WALL + 2)):
        contour[z, 1:-1, WALL], step1[z, 1:-1, WALL] = 0, 0
        contour[z, 1:-1, x], step1[z, 1:-1, x] = 1, 0.9
        contour[z, GAP, x], step1[z, GAP, x] = 0, 0.3
    folder = finish(
        session_files.make(tmp_path / "rooms", replace(begun, contour=contour, step1=step1))
    )
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(folder)
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=20000)
    panel.controller.queue.pause = 0
    yield panel
    panel.shut_down()


def states(dock):
    rows = dock.queue_view.model()
    return [
        tuple(rows.data(rows.index(row, column)) for column in (0, 1, 3))
        for row in range(rows.rowCount())
    ]


def row_click(view, row):
    column = 2 if view.model().columnCount() > 2 else 0
    place = view.visualRect(view.model().index(row, column)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_walking_flies_there_and_decides(dock, qtbot):
    """The gap of slice 1 comes first, what the network has closed in slice 2 last.

    Between them stands the wall of slice 0: its only neighbour shows one cell there. The wall of
    slice 3, beside a weak one, may be in doubt as well: that is for the fitted weights to say.
    """
    window, session = dock.viewer, dock.session
    hand = Hand(window, dock.controller.layers.contour, dock)
    first = states(dock)
    assert first[:3] == [
        ("gap", "2", "open"),
        (ONE_SLICE, "1", "open"),
        ("closed", "3", "open"),
    ]
    more = len(first) - 3
    assert first[3:] in ([], [(ONE_SLICE, "4", "open")])
    window.dims.set_current_step(0, 3)
    zoom = camera_of(window).zoom
    hand.key(Qt.Key.Key_N)
    assert window.dims.current_step[0] == 1 and camera_of(window).zoom != zoom
    y, x = (c / 0.01 for c in camera_of(window).center[-2:])
    assert GAP.start - 1 <= y <= GAP.stop and abs(x - WALL) <= 1.5
    assert "There may be a gap here" in dock.question.text()
    assert (dock.accept_button.text(), dock.reject_button.text()) == ("Two cells ⏎", "One cell ⌫")
    line = dock.controller.marks.points("item")
    assert set(line[:, 0]) == {1} and np.abs(line[:, 1:] - (y, x)).max() < 12
    hand.key(Qt.Key.Key_Return)
    assert session.contour[1, GAP, WALL - 1 : WALL + 1].any(axis=1).all()
    assert states(dock)[0] == ("gap", "2", "accepted")
    # On to the next by itself.
    assert window.dims.current_step[0] == 0 and "may cut a cell in two" in dock.question.text()
    hand.key(Qt.Key.Key_Return)
    assert states(dock)[1] == (ONE_SLICE, "1", "accepted")
    assert window.dims.current_step[0] == 2 and "closed this gap" in dock.question.text()
    hand.key(Qt.Key.Key_Backspace)
    assert not session.contour[2, GAP, WALL].any()
    assert states(dock)[2] == ("closed", "3", "rejected")
    for _ in range(more):
        hand.key(Qt.Key.Key_Return)
    assert dock.pace.text().startswith(f"{3 + more} of {3 + more} decided")
    assert dock.message.text.startswith("Every item shown is decided. The slices you changed")
    qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)
    assert dock.message.text.endswith("searched once more. No more items were found.")
    # U takes it back and goes to it.
    for _ in range(more):
        hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_P)
    hand.key(Qt.Key.Key_U)
    assert states(dock)[2] == ("closed", "3", "open") and window.dims.current_step[0] == 2
    assert session.contour[2, GAP, WALL].all()
    hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_U)
    np.testing.assert_array_equal(session.contour, rooms())
    assert [state for *_, state in states(dock)] == ["open"] * (3 + more)


def pink(window):
    """Pixels of the canvas in the colour of the wall in question."""
    picture = window.screenshot(flash=False, canvas_only=True)[..., :3].astype(int)
    return int((np.abs(picture - (255, 45, 149)).max(axis=-1) < 25).sum())


def test_a_wall_through_slices_is_outlined_in_each_of_them(chain_dock, qtbot):
    dock, window = chain_dock, chain_dock.viewer
    hand = Hand(window, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    item = dock.controller.queue.state.current
    assert [patch.z for patch in item.patches] == [1, 2]
    assert "Slices 2 to 3, one decision for all" in dock.question.text()
    points = dock.controller.marks.points("item")
    # Along the wall of its own slice, not along that of the slice where the item is listed.
    for patch, (z, x) in zip(item.patches, ((1, WALL), (2, WALL + 2)), strict=True):
        rows, columns = points[points[:, 0] == z][:, 1:].T
        assert np.abs(columns - x).max() <= 1
        assert rows.min() >= patch.top and rows.max() < patch.top + patch.height
    # As wide on the screen at any zoom.
    for zoom in (1500, 400):
        camera_of(window).zoom = zoom
        qtbot.waitUntil(
            lambda zoom=zoom: np.allclose(
                dock.controller.marks.sizes("item") * 0.01 * zoom, 3, rtol=1e-3
            )
        )
    for z, outlined in enumerate((False, True, True, False)):
        window.dims.set_current_step(0, z)
        qtbot.waitUntil(lambda outlined=outlined: (pink(window) > 20) is outlined)
    # A click beside the wall finds it in each slice, too.
    hand.key(Qt.Key.Key_Escape)
    for z, x in ((1, WALL), (2, WALL + 2)):
        assert dock.controller.queue.state.at_place(z, GAP.start, x) is item
    window.dims.set_current_step(0, 2)
    hand.key(Qt.Key.Key_Return)
    assert dock.session.contour[1, GAP, WALL].any() and dock.session.contour[2, GAP].any()
    hand.key(Qt.Key.Key_U)
    assert len(dock.session.history) == 1 and dock.session.history.position == 0


def test_a_wall_through_slices_stays_one_item_and_u_leads_to_it(chain_dock, qtbot):
    dock, window = chain_dock, chain_dock.viewer
    hand = Hand(window, dock.controller.layers.contour, dock)
    count = len(dock.controller.queue.state.items)
    hand.key(Qt.Key.Key_N)
    item = dock.controller.queue.state.current

    def edited(z):
        """Draw a dot in a corner and wait until its slice was looked at again."""
        window.dims.set_current_step(0, z)
        window.reset_view()
        hand.key(Qt.Key.Key_D)
        hand.click((5, 5))
        hand.key(Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: not dock.controller.queue.is_stale, timeout=20000)
        qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)

    edited(2)
    assert len(dock.controller.queue.state.items) == count
    # A fix by hand puts the question aside.
    assert dock.controller.queue.state.current is None
    assert [p.z for p in dock.controller.queue.state.items[0].patches] == [1, 2]
    row_click(dock.queue_view, 0)
    hand.key(Qt.Key.Key_Return)
    assert dock.pace.text().startswith(f"1 of {count} decided")
    edited(1)
    assert dock.pace.text().startswith(f"1 of {count} decided")
    # The answer that an item has already goes on to the next one.
    row_click(dock.queue_view, 0)
    assert dock.controller.queue.state.current.key == item.key
    made = len(dock.session.history)
    hand.key(Qt.Key.Key_Return)
    assert dock.controller.queue.state.current.key != item.key
    assert len(dock.session.history) == made and not dock.message.text
    # U takes the dot back, and then the decision: there the camera goes, and the question.
    hand.key(Qt.Key.Key_U)
    hand.key(Qt.Key.Key_U)
    assert dock.controller.queue.state.current.key == item.key
    assert window.dims.current_step[0] == item.z
    assert "Slices 2 to 3" in dock.question.text()


def test_only_the_two_cells_in_question_are_tinted(dock, qtbot):
    areas = dock.controller.layers.marks
    assert not areas.visible
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)  # the gap of slice 1: the halves that a wall would make
    shown = np.asarray(areas.data[1])
    assert areas.visible and set(np.unique(shown)) == {0, 7, 8}
    assert shown[10, 10] != shown[10, 50] and 0 not in (shown[10, 10], shown[10, 50])
    assert not np.asarray(areas.data[3]).any()
    hand.key(Qt.Key.Key_U)
    dock.controller.queue.state.leave()
    dock.controller.queue._ask()
    assert not np.asarray(areas.data[1]).any()
    # The layer costs nothing once no question has come for a while.
    qtbot.waitUntil(lambda: not areas.visible, timeout=20000)


def test_what_an_answer_did_is_shown_before_the_view_moves_on(dock, qtbot):
    queue = dock.controller.queue
    queue.pause = 0.3
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    hand.key(Qt.Key.Key_Return)
    assert dock.session.contour[1, GAP, WALL].any() and len(dock.session.history) == 1
    assert queue.is_showing and dock.viewer.dims.current_step[0] == 1
    assert not len(dock.controller.marks.points("item"))
    qtbot.waitUntil(lambda: dock.viewer.dims.current_step[0] == 0, timeout=3000)
    # A key within that time goes on, and answers nothing that was not seen.
    queue.pause = 30
    hand.key(Qt.Key.Key_Backspace)
    assert len(dock.session.history) == 2 and queue.is_showing
    hand.key(Qt.Key.Key_Backspace)
    assert len(dock.session.history) == 2 and dock.viewer.dims.current_step[0] == 2
    queue.pause = 0
    hand.key(Qt.Key.Key_Return)
    assert not queue.is_showing and len(dock.session.history) == 3


def test_space_shows_the_bare_image_for_as_long_as_it_is_held(dock):
    layers, window = dock.controller.layers, dock.viewer
    hand = Hand(window, layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    before = {layer.name: layer.opacity for layer in layers.all}
    for target in (hand.canvas, dock):
        QTest.keyPress(target, Qt.Key.Key_Space)
        assert [layer.name for layer in layers.all if layer.opacity] == ["rooms"]
        picture = window.screenshot(flash=False, canvas_only=True)[..., :3].astype(int)
        assert np.ptp(picture, axis=-1).max() <= 3  # grey
        QTest.keyRelease(target, Qt.Key.Key_Space)
        assert {layer.name: layer.opacity for layer in layers.all} == before


def test_enter_and_backspace_answer_nothing_that_is_out_of_sight(dock):
    window, session = dock.viewer, dock.session
    hand = Hand(window, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    asked = dock.controller.queue.state.current
    for away in ("slice", "camera"):
        if away == "slice":
            window.dims.set_current_step(0, 3)
        else:
            camera_of(window).center = (0, 0.19, 6.0)
        hand.key(Qt.Key.Key_Backspace)
        assert len(session.history) == 0 and "Answer it now" in dock.message.text
        assert window.dims.current_step[0] == asked.z
        assert dock.controller.camera.shows(asked)
    hand.key(Qt.Key.Key_Backspace)
    assert len(session.history) == 1 and states(dock)[0][2] == "rejected"


def test_keys_after_a_fix_by_hand_answer_no_item(dock):
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    while dock.controller.queue.state.open:
        hand.key(Qt.Key.Key_Return)
    # At the end nothing is in question: P goes back to the last.
    assert dock.controller.queue.state.current is None and not dock.question.text()
    hand.key(Qt.Key.Key_P)
    assert dock.controller.queue.state.verdict(dock.controller.queue.state.current)
    before = dock.session.verdicts
    dock.viewer.reset_view()
    hand.key(Qt.Key.Key_D)
    hand.click((5, 5))
    made = len(dock.session.history)
    for key in (Qt.Key.Key_Backspace, Qt.Key.Key_Return):
        hand.key(key)
        assert dock.session.verdicts == before and len(dock.session.history) == made
        assert "No item is selected" in dock.message.text


def test_buttons_filter_and_list(dock):
    row_click(dock.queue_view, 2)
    assert "closed this gap" in dock.question.text()
    press(dock.accept_button)
    assert states(dock)[2][2] == "accepted"
    dock.kinds.setCurrentIndex(dock.kinds.findData("closure"))
    assert states(dock) == [("closed", "3", "accepted")]
    press(dock.next_button)
    assert dock.message.text == "Every item shown is decided."
    dock.kinds.setCurrentIndex(dock.kinds.findData("gap"))
    press(dock.next_button)
    press(dock.reject_button)
    assert states(dock) == [("gap", "2", "rejected")]
    assert len(dock.session.history) == 2


def test_what_is_wrong_is_said_until_the_next_key_that_works(dock):
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_Return)
    assert dock.message.text.startswith("No item is selected.")
    hand.key(Qt.Key.Key_N)
    assert dock.question.text() and not dock.message.text


def test_n_while_the_queue_is_looked_for_says_so(make_napari_viewer, tmp_path, qtbot, monkeypatch):
    go = threading.Event()

    def later(session, slices, listed):
        yield Progress("queue", 0, 4, "slices")
        go.wait(20)
        return (yield from find_items(session, slices, listed))

    monkeypatch.setattr("napari_copnet.gui.proofreading.queue_controller.find_items", later)
    window = make_napari_viewer(show=True)
    _, dock = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(dock.opened, timeout=20000):
        dock.open(finish(session_files.make(tmp_path / "rooms", start())))
    hand = Hand(window, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    assert "slices are still being searched" in dock.message.text
    assert dock.pace.text() == "Searching for likely errors …"
    go.set()
    qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)
    hand.key(Qt.Key.Key_N)
    assert dock.question.text() and not dock.message.text
    dock.shut_down()


def test_an_edit_has_its_slice_looked_at_again(dock, qtbot):
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    dock.viewer.dims.set_current_step(0, 1)
    hand.key(Qt.Key.Key_G)
    hand.click((19.5, WALL))
    hand.key(Qt.Key.Key_Return)
    # A gap closed by hand is no gap any more.
    qtbot.waitUntil(lambda: ("gap", "2", "open") not in states(dock), timeout=20000)
    # The wall there is drawn by hand and no question; where it runs on, nobody drew it.
    slices = [[patch.z for patch in item.patches] for item in dock.controller.queue.state.items]
    assert [2, 3] in slices and not any(1 in there for there in slices if 2 in there)


def test_what_a_decision_brought_up_is_asked_at_the_end(dock, qtbot, monkeypatch):
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_N)
    found, asked = list(dock.controller.queue.state.items), []

    def again(session, slices, listed):
        asked.append(slices)
        yield Progress("queue", 0, 1)
        return [*found, replace(found[0], key="gap 1 9 9")]

    monkeypatch.setattr("napari_copnet.gui.proofreading.queue_controller.find_items", again)
    for _ in found:
        hand.key(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)
    # The gap was closed in slice 1: what lies in the slices around may be seen otherwise now.
    assert len(asked) == 1 and {0, 1, 2} <= set(asked[0])
    assert dock.message.text.endswith("searched once more. 1 more found: press N.")
    hand.key(Qt.Key.Key_N)
    assert dock.controller.queue.state.current.key == "gap 1 9 9"


def test_history_is_listed_jumped_in_and_exported(dock, tmp_path, monkeypatch, qtbot):
    dock.tabs.setCurrentIndex(1)
    dock.viewer.dims.set_current_step(0, 0)
    hand = Hand(dock.viewer, dock.controller.layers.contour, dock)
    hand.key(Qt.Key.Key_X)
    hand.click((10, 12))
    hand.click((10, 50))
    rows = dock.history_view.model()
    texts = [rows.data(rows.index(row, 1)) for row in range(rows.rowCount())]
    assert texts[0] == "As the networks left it" and len(texts) == 3
    assert all(text.startswith("delete cell, slice 1") for text in texts[1:])
    row_click(dock.history_view, 0)
    np.testing.assert_array_equal(dock.session.contour, rooms())
    row_click(dock.history_view, 2)
    assert dock.session.contour[0].all()
    press(dock.undo_button)
    assert dock.session.history.position == 1 and not dock.session.contour[0].all()
    for name in ("edits.csv", "edits.json"):
        path = tmp_path / name
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, path=path: (str(path), ""))
        press(dock.export_button)
    with open(tmp_path / "edits.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["tool"] for row in listed] == ["delete cell"] * 2
    assert [row["applied"] for row in listed] == ["True", "False"]
    stored = json.loads((tmp_path / "edits.json").read_text())
    assert [row["text"] for row in stored] == texts[1:]
    qtbot.waitUntil(lambda: "saved" in dock.saved.text(), timeout=5000)


def made_item(key, z=0, score=0.5, kind="gap"):
    return Item(key, kind, Patch(z, 0, 0, 1, 1, b"\x80"), score, score, 10)


def test_the_pace_tells_rate_and_time_left():
    state = QueueState()
    state.replace([made_item(str(n)) for n in range(11)])
    assert state.text == "0 of 11 decided"
    for now in (0, 6, 12, 500, 506):
        state.decided(now)  # the long pause does not count
    assert state.text == "0 of 11 decided, 10 per minute, about 66 s left"


def test_new_items_of_a_slice_replace_its_old_ones_and_the_question_stays():
    state = QueueState()
    state.replace([made_item("a", 0, 0.9), made_item("b", 1, 0.5), made_item("c", 2, 0.1)])
    state.find("b")

    def found(items, slices):
        listed = state.listed
        state.replace(renewed(listed.items, items, slices, listed.is_decided))

    found([made_item("d", 0, 0.3), made_item("e", 0, 0.7)], slices=[0])
    assert [item.key for item in state.shown] == ["e", "b", "d", "c"]
    assert state.current.key == "b"
    found([], slices=[1])
    assert [item.key for item in state.shown] == ["e", "d", "c"]
    assert state.next().key == "d"  # on from where the question was


def test_items_are_listed_in_portions_that_have_an_end():
    state = QueueState()
    state.replace([made_item(str(n), score=1 / (n + 1)) for n in range(100)])
    assert [item.key for item in state.shown] == [str(n) for n in range(40)]
    assert (state.folded, state.more) == (60, 40)
    assert state.headline == "The 40 that matter most: about 1 minute"
    assert state.text == "0 of 40 decided"
    # Walking stays among them.
    assert all(state.next() is not None for _ in range(60)) and state.at < 40
    state.unfold()
    assert len(state.shown) == 80 and (state.folded, state.more) == (20, 20)
    state.unfold()
    assert len(state.shown) == 100 and (state.folded, state.more) == (0, 0)
    assert state.headline == "The 100 left: about 2 minutes"
    few = QueueState()
    few.replace([made_item(str(n)) for n in range(12)])
    assert len(few.shown) == 12 and few.headline == "The 12 left: about 1 minute"


def test_what_is_clicked_in_the_image_is_asked_though_it_is_not_listed():
    state = QueueState()
    state.replace([made_item(str(n), z=n) for n in range(60)])
    patch = state.items[55].patches[0]
    item = state.at_place(patch.z, patch.top, patch.left)
    assert item is not None and item.key == "55" and state.current is item
    assert len(state.shown) == 60


def test_items_are_listed_with_a_picture_and_what_they_would_change(dock):
    rows = dock.queue_view.model()
    cells = np.asarray(dock.controller.layers.cells.data[1])
    assert rows.data(rows.index(0, 2)) == f"would split cell {cells[10, 10]} in slice 2"
    assert rows.data(rows.index(1, 2)).startswith("separates cells ")
    picture = rows.data(rows.index(0, 2), Qt.ItemDataRole.DecorationRole)
    there = [picture.toImage().pixelColor(x, 19).getRgb()[:3] for x in (WALL - 1, WALL)]
    assert (255, 45, 149) in there
    assert dock.headline.text().startswith(f"The {len(states(dock))} left: about 1 minute")
    assert not dock.fold_button.isVisible()
