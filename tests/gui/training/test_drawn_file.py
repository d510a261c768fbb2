"""A slice annotated in another program is taken into the session by the button of the dock."""

import numpy as np
import pytest
import tifffile
from drawn_session import SHAPE, rooms, start
from hand import press
from panels import dock_panel
from qtpy.QtWidgets import QFileDialog

from napari_copnet.progress import finish
from napari_copnet.proofreading import session_files
from napari_copnet.training.truth import IGNORE


@pytest.fixture
def dock(make_napari_viewer, qtbot, tmp_path):
    window = make_napari_viewer(show=True)
    _, panel = dock_panel(window, "COp-Net training")
    proofread = panel.link.open_dock()
    proofread.open(finish(session_files.make(tmp_path / "rooms", start())))
    qtbot.waitUntil(lambda: panel.link.project is not None, timeout=60000)
    qtbot.waitUntil(lambda: proofread.tasks.job is None, timeout=60000)
    window.dims.set_current_step(0, 2)
    panel.review.renew()
    yield panel
    panel.shut_down()


def test_labels_of_one_slice_or_a_stack_are_drawn(dock, qtbot, tmp_path, monkeypatch):
    project = dock.link.project
    cells = np.zeros(SHAPE[1:], np.uint16)
    cells[4:20, 4:20], cells[4:20, 20:36] = 7, 9
    tifffile.imwrite(tmp_path / "one.tif", cells)
    stack = np.zeros(SHAPE, np.uint16)
    stack[0] = stack[3] = cells
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")

    def drawn(name):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / name), ""))
        press(dock.review.file_button)
        qtbot.waitUntil(lambda: name in dock.message.text, timeout=60000)

    drawn("one.tif")
    assert "slice 3" in dock.message.text and project.chosen == [2]
    contour = project.session.contour[2] > 0
    assert contour[4:20, 19:21].all() and not contour[6:18, 6:18].any()
    assert project.session.marks[2][30:, 50:].all()
    # Each slice is one edit, and the whole slice was reviewed.
    project.session.undo()
    np.testing.assert_array_equal(project.session.contour, rooms())
    dock.review.labelled_only.setChecked(True)
    drawn("stack.tif")
    assert project.chosen == [0, 2, 3] and not project.session.marks.any()
    assert (project.truth(3)[30:, 50:] == IGNORE).all()
    assert (project.truth(3)[6:18, 6:34] != IGNORE).all()
