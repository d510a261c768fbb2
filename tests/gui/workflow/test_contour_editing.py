"""Drawing on the closed contour: cells follow, colours stay, undo brings all back."""

import numpy as np
import pytest

from napari_copnet.gui.viewer.layer_source import slice_in_view
from napari_copnet.gui.workflow.contour_editing import ContourEditing
from napari_copnet.params import CellParams


@pytest.fixture
def drawn(make_napari_viewer_proxy):
    """Three slices of 7×9 px with a wall down the middle; slice 1 has a gap in it."""
    viewer = make_napari_viewer_proxy()
    mask = np.zeros((3, 7, 9), np.uint8)
    mask[:, :, 4] = 1
    mask[1, 3, 4] = 0
    cells = np.zeros(mask.shape, np.uint16)
    cells[:, :, :4], cells[:, :, 5:] = 5, 8
    cells[1][mask[1] == 0] = 5
    cell_layer = viewer.add_labels(cells, name="Cells")
    contour = viewer.add_labels(mask, name="Closed contour")
    editing = ContourEditing(
        contour,
        cell_layer,
        CellParams(min_size=0),
        lambda z: None,
        lambda: slice_in_view(viewer, contour),
        8,
    )
    viewer.dims.set_current_step(0, 1)
    contour.brush_size = 1
    return viewer, contour, cell_layer, editing


def test_closing_a_gap_splits_the_cell_of_that_slice(drawn):
    _, contour, cells, editing = drawn
    before = cells.data.copy()
    told = []
    editing.changed.connect(lambda z, count: told.append((z, count)))
    contour.paint((1, 3, 4), 1)
    assert told == [(1, 2)] and editing.edited == {1}
    assert set(np.unique(cells.data[1])) == {0, 5, 9}
    assert len(np.unique(cells.data[1, :, :4])) == len(np.unique(cells.data[1, :, 5:])) == 1
    assert cells.data[1, 3, 4] == 0
    np.testing.assert_array_equal(cells.data[[0, 2]], before[[0, 2]])


def test_undo_and_redo_bring_back_the_very_cells(drawn):
    viewer, contour, cells, _ = drawn
    before = cells.data.copy()
    contour.paint((1, 3, 4), 1)
    after = cells.data.copy()
    contour.undo()
    np.testing.assert_array_equal(cells.data, before)
    contour.redo()
    np.testing.assert_array_equal(cells.data, after)
    # Undo of a stroke in another slice than the one in view.
    viewer.dims.set_current_step(0, 0)
    contour.undo()
    np.testing.assert_array_equal(cells.data, before)


def test_erasing_merges(drawn):
    viewer, contour, cells, _ = drawn
    viewer.dims.set_current_step(0, 2)
    contour.paint((2, 0, 4), 0)
    # 28 pixels each: one of the two labels stays, for the whole and the erased pixel.
    left, right = cells.data[2, 3, 0], cells.data[2, 3, 8]
    assert left == right == cells.data[2, 0, 4] and left in (5, 8)


def test_fill_is_seen_too(drawn, qtbot):
    viewer, contour, cells, _ = drawn
    viewer.dims.set_current_step(0, 0)
    contour.fill((0, 0, 0), 1)
    qtbot.waitUntil(lambda: set(np.unique(cells.data[0])) == {0, 8})
    contour.undo()
    assert set(np.unique(cells.data[0])) == {0, 5, 8}


def test_looking_through_slices_changes_nothing(drawn):
    viewer, _, cells, editing = drawn
    before = cells.data.copy()
    for z in (0, 1, 2, 1):
        viewer.dims.set_current_step(0, z)
    assert not editing.edited
    np.testing.assert_array_equal(cells.data, before)


def test_nothing_follows_once_stopped(drawn):
    _, contour, cells, editing = drawn
    before = cells.data.copy()
    editing.stop()
    contour.paint((1, 3, 4), 1)
    np.testing.assert_array_equal(cells.data, before)


def test_strokes_of_the_mouse_and_the_undo_button(make_panel, click, ended):
    viewer, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    contour = panel.sources[0].layers.layer("closed")
    cells = panel.sources[0].layers.layer("cells")
    before = cells.data.copy()
    buttons = panel.sections["cells"].edit_buttons
    click(buttons["draw"])
    assert contour.mode == "paint" and viewer.layers.selection.active == contour
    viewer.dims.set_current_step(viewer.dims.ndim - 3, 2)
    contour.brush_size = 1
    with contour.block_history():
        for x in range(23):
            contour.paint((2, 10, x), 1)
    assert len(np.unique(cells.data[2])) == len(np.unique(before[2])) + 1
    assert panel.sections["cells"].text.startswith("Slice 3 was edited and has 5 cells now.")
    click(buttons["undo"])
    np.testing.assert_array_equal(cells.data, before)
    click(buttons["done"])
    assert contour.mode == "pan_zoom"


def test_an_edited_contour_outlives_the_next_run(make_panel, click, ended):
    viewer, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    contour = panel.sources[0].layers.layer("closed")
    contour.paint((0, 10, 10), 1)
    panel.sections["closing"].form.rows["max_iterations"].value = 1
    click(panel.run_controls.run_button)
    ended(panel)
    assert contour in viewer.layers and contour.data[0, 10, 10] == 1
    assert panel.sources[0].layers.layer("closed") != contour
    assert "kept" in panel.run_controls.message.text
