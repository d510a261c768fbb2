"""A cell in 3D, by key and click, and back to the slice."""

import numpy as np
import pytest
from drawn_session import SHAPE, WALL, rooms, start
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt

from napari_copnet.gui.proofreading.cell_in_3d import volume_of
from napari_copnet.progress import finish
from napari_copnet.proofreading import edit_tools, session_files
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.still import StillView

LEFT_ROOM = (10, 12)


def parted():
    """The drawn session with the wall of slice 3 at another place, and no gap in slice 1."""
    contour = rooms()
    contour[1, :, WALL] = 1
    contour[3, 1:-1, WALL] = 0
    contour[3, :, WALL - 8] = 1
    begun = start()
    return type(begun)(contour, contour * np.float32(0.9), begun.stack, cells=begun.cells)


def test_a_cell_is_cut_out_of_all_its_slices(tmp_path):
    with Session.create(tmp_path / "s", parted()) as session:
        session.apply(edit_tools.draw(session, [0], [(20, 1), (20, WALL)]))
        name = session.id_at(1, *LEFT_ROOM)
        cell = session.links.cell(name)
        names = sorted(session.links.together(name))
        still = StillView(session, {session.slice_of(one) for one in names})
        # The session goes on meanwhile; what was taken along stays.
        before = session.all_cells()
        session.apply(edit_tools.draw(session, [1], [(20, 1), (20, WALL)]))
        volume, origin, step = finish(volume_of(still, names))
        whole = np.zeros(SHAPE, bool)
        box = tuple(slice(o, o + n) for o, n in zip(origin, volume.shape, strict=True))
        whole[box] = volume > 0
        np.testing.assert_array_equal(whole, before == cell)
        assert step == 1 and whole[3, 10, 12] and not whole[3, 10, WALL - 4]


@pytest.fixture
def dock(make_napari_viewer, tmp_path, qtbot):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net proofreading")
    with qtbot.waitSignal(panel.opened, timeout=20000):
        panel.open(finish(session_files.make(tmp_path / "rooms", parted())))
    qtbot.waitUntil(lambda: panel.tasks.job is None, timeout=20000)
    window.dims.set_current_step(0, 1)
    window.reset_view()
    yield panel
    panel.shut_down()


def test_a_click_shows_it_and_escape_or_the_next_item_leads_back(dock, qtbot):
    window, layers = dock.viewer, dock.controller.layers
    hand = Hand(window, layers.contour, dock)
    hand.key(Qt.Key.Key_C)
    hand.click((0, WALL))
    assert "no cell where you clicked" in dock.message.text and window.dims.ndisplay == 2
    seen = [layer.name for layer in window.layers if layer.visible]
    hand.click(LEFT_ROOM)
    qtbot.waitUntil(lambda: window.dims.ndisplay == 3, timeout=20000)
    cell_in_3d = dock.controller.cell_in_3d.layer
    assert [layer for layer in window.layers if layer.visible] == [cell_in_3d]
    z, y, x = (int(v) for v in layers.contour.world_to_data(cell_in_3d.data_to_world((1, 9, 11))))
    assert cell_in_3d.data[1, 9, 11] and dock.session.id_at(z, y, x) in dock.session.links.together(
        dock.session.id_at(1, *LEFT_ROOM)
    )

    def is_drawn():  # lit
        return len(np.unique(window.screenshot(flash=False).reshape(-1, 4), axis=0)) > 2

    qtbot.waitUntil(is_drawn)
    hand.key(Qt.Key.Key_Escape)
    assert window.dims.ndisplay == 2 and window.dims.current_step[0] == 1
    assert [layer.name for layer in window.layers if layer.visible] == seen
    assert not dock.tool_buttons["solid"].isChecked()
    # Tools work as before.
    hand.key(Qt.Key.Key_X)
    hand.click(LEFT_ROOM)
    assert dock.session.contour[1][LEFT_ROOM] and len(dock.session.history) == 1
    hand.key(Qt.Key.Key_U)
    press(dock.tool_buttons["solid"])
    hand.click((10, 50))
    qtbot.waitUntil(lambda: window.dims.ndisplay == 3, timeout=20000)
    press(dock.next_button)
    assert window.dims.ndisplay == 2
    dock.close_session()
    assert not len(window.layers)
