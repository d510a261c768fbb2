"""The part of a slice that was reviewed, dragged as a box over the real window."""

import numpy as np
import pytest
from drawn_session import rooms, start
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.teaching.project import IN_WORK
from napari_copnet.training.truth import IGNORE

Z = 0


@pytest.fixture
def dock(make_napari_viewer, qtbot, tmp_path):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net training")
    proofread = panel.link.open_dock()
    proofread.open(finish(session_files.make(tmp_path / "rooms", start())))
    qtbot.waitUntil(lambda: panel.link.project is not None, timeout=90000)
    qtbot.waitUntil(lambda: proofread.tasks.job is None, timeout=90000)
    window.dims.set_current_step(0, Z)
    window.reset_view()
    panel.review.renew()
    yield panel
    panel.shut_down()


def veiled(dock):
    """Whether each pixel of the slice in view is darkened."""
    areas = dock.link.controller.layers.marks
    shown = areas.colormap.map(np.asarray(areas.data[Z]))
    return areas.visible & (shown[..., 3] > 0) & (shown[..., :3].sum(axis=-1) == 0)


def is_a_box(part, first, last):
    """Whether it is the box from one pixel to another, give or take the hand's one."""
    at = np.argwhere(part)
    low, high = at.min(axis=0), at.max(axis=0)
    near = max(abs(low - first).max(), abs(high - last).max()) <= 1
    return near and len(at) == np.prod(high - low + 1)


def test_only_what_lies_in_boxes_is_learnt_and_the_rest_is_darkened(dock, qtbot):
    project = dock.link.project
    hand = Hand(dock.viewer, dock.link.controller.layers.contour, dock.link.dock)
    centre = camera_of(dock.viewer).center
    press(dock.review.box_button)
    hand.drag((5, 4), (20, 30))
    assert camera_of(dock.viewer).center == centre  # it was not dragged along
    box = project.reviewed(Z)
    assert box[6:20, 5:30].all() and is_a_box(box, (5, 4), (20, 30))
    assert (project.truth(Z)[~box] == IGNORE).all() and (project.truth(Z)[box] != IGNORE).all()
    np.testing.assert_array_equal(veiled(dock), ~box)
    # Asked for once: the next drag moves the camera.
    hand.drag((20, 20), (25, 20))
    assert camera_of(dock.viewer).center != centre
    dock.viewer.reset_view()
    # Another box instead of it; then one more beside it.
    press(dock.review.box_button)
    hand.drag((25, 40), (35, 60))
    second = project.reviewed(Z)
    assert is_a_box(second, (25, 40), (35, 60))
    press(dock.review.box_button)
    hand.drag((20, 4), (5, 30), modifiers=Qt.KeyboardModifier.ShiftModifier)
    both = project.reviewed(Z)
    assert both[second].all()
    assert is_a_box(both & ~second, (5, 4), (20, 30)), np.argwhere(both & ~second)[[0, -1]]
    # A tool that is taken in hand instead is the one that the drag means.
    press(dock.review.box_button)
    dock.review.pick("outline")
    hand.drag((10, 10), (10, 20))
    assert dock.link.controller.tool_controller.line.is_begun
    np.testing.assert_array_equal(project.reviewed(Z), both)
    press(dock.review.whole_button)
    assert not project.slice(Z).part and not veiled(dock).any()
    np.testing.assert_array_equal(project.session.contour, rooms())


def test_a_slice_is_cleared_by_one_press_and_that_can_be_undone(dock):
    project = dock.link.project
    before = np.array(project.session.contour)
    assert before[Z].any()
    press(dock.review.clear_button)
    assert not project.session.contour[Z].any()
    np.testing.assert_array_equal(project.session.contour[Z + 1 :], before[Z + 1 :])
    assert project.state(Z) == IN_WORK
    # once more changes nothing
    edits = project.session.history.position
    press(dock.review.clear_button)
    assert project.session.history.position == edits
    project.session.undo()
    np.testing.assert_array_equal(project.session.contour, before)
