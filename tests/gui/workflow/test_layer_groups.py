"""The layers of a stack as a group: their names, what the list shows, and what was deleted."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractItemView, QPushButton

from napari_copnet.gui.viewer.layer_source import slice_in_view


def names(viewer):
    return [layer.name for layer in viewer.layers]


def listed(viewer, panel):
    """The names in napari's list of layers, from the bottom."""
    views = panel.window().findChildren(QAbstractItemView)
    view = next(view for view in views if type(view).__name__ == "QtLayerList")
    rows = [row for row in range(view.model().rowCount()) if not view.isRowHidden(row)]
    found = [view.model().index(row, 0).data(Qt.ItemDataRole.UserRole).name for row in rows]
    return found[::-1]


def run(panel, click, ended):
    click(panel.run_controls.run_button)
    ended(panel)


def test_the_list_shows_image_contour_and_cells_by_the_name_of_the_stack(
    make_panel, click, ended, qtbot
):
    viewer, panel = make_panel(show=True)
    run(panel, click, ended)
    stack = "cells in a cross"
    wanted = [stack, f"{stack}: cells", f"{stack}: contour"]
    qtbot.waitUntil(lambda: listed(viewer, panel) == wanted)
    # Steps on the way are in the list while they are in view.
    panel.sections["closing"].show_iterations.click()
    qtbot.waitUntil(lambda: "Contour probability by iteration" in listed(viewer, panel))
    panel.sections["closing"].show_iterations.click()
    qtbot.waitUntil(lambda: listed(viewer, panel) == wanted)
    # Whatever comes between does not bring them back.
    viewer.add_points(np.zeros((1, 3)), name="marks")
    viewer.layers.move(len(viewer.layers) - 1, 0)
    qtbot.waitUntil(lambda: listed(viewer, panel) == ["marks", *wanted])


def test_results_follow_the_name_of_their_stack(make_panel, click, ended):
    _viewer, panel = make_panel()
    run(panel, click, ended)
    layers = panel.source.layers
    layers.layer("cells").name = "mine"
    panel.source.layer.name = "tumour"
    run(panel, click, ended)
    assert layers.layer("closed").name == "tumour: contour"


def test_another_stack_hides_the_group_and_the_first_brings_it_back(make_panel, click, ended):
    viewer, panel = make_panel()
    run(panel, click, ended)
    first = panel.source
    first.layers.layer("cells").visible = False
    seen = {layer.name for layer in viewer.layers if layer.visible}
    assert len(seen) == 2
    reference = viewer.add_points(np.zeros((1, 3)), name="marks")
    other = viewer.add_image(first.layer.data.copy(), name="other")
    panel.stack.choose(other)
    assert {layer.name for layer in viewer.layers if layer.visible} == {"marks", "other"}
    panel.stack.choose(first.layer)
    assert {layer.name for layer in viewer.layers if layer.visible} == seen | {"marks"}
    assert reference.visible


def test_a_run_that_ends_while_another_stack_is_chosen_stays_out_of_view(
    make_panel, click, ended, models
):
    viewer, panel = make_panel()
    for network in models.networks.values():
        network.pause = 0.02
    other = viewer.add_image(panel.stack.layer.data.copy(), name="other")
    first = panel.stack.layer
    click(panel.run_controls.run_button)
    panel.stack.choose(other)
    ended(panel)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["other"]
    panel.stack.choose(first)
    stack = "cells in a cross"
    in_view = {layer.name for layer in viewer.layers if layer.visible}
    assert in_view == {stack, f"{stack}: cells", f"{stack}: contour"}


def test_a_run_out_of_view_that_fails_leaves_what_was_in_view(make_panel, click, ended, models):
    viewer, panel = make_panel()
    run(panel, click, ended)
    first, seen = panel.stack.layer, {layer.name for layer in viewer.layers if layer.visible}
    other = viewer.add_image(first.data.copy(), name="other")

    def broken(image):
        raise ValueError("broken")

    models.networks["contours"].transform = broken
    panel.sections["contours"].form.rows["overlap"].value = 0.25
    run(panel, lambda button: (click(button), panel.stack.choose(other)), ended)
    assert panel.run_controls.message.text
    panel.stack.choose(first)
    assert {layer.name for layer in viewer.layers if layer.visible} == seen


def test_deleted_layers_come_back_with_a_button(make_panel, click, ended, qtbot):
    viewer, panel = make_panel(show=True)
    button = panel.findChild(QPushButton, "bring_back")
    run(panel, click, ended)
    assert not button.isVisible()
    before = names(viewer)
    cells = panel.source.layers.layer("cells")
    viewer.layers.remove(cells)
    assert button.isVisible() and button.text() == "Bring back cells in a cross: cells"
    viewer.layers.remove(panel.source.layers.layer("closed"))
    assert button.text() == "Bring back 2 layers"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert names(viewer) == before
    assert panel.source.layers.layer("cells") is cells
    assert not button.isVisible()
    # The contour is still in step with its cells.
    contour, z = panel.source.layers.layer("closed"), slice_in_view(viewer, cells)
    count = len(np.unique(cells.data[z]))
    line = np.arange(cells.data.shape[2])
    contour.data_setitem((np.full_like(line, z), np.full_like(line, 12), line), 1)
    qtbot.waitUntil(lambda: len(np.unique(cells.data[z])) == count + 2)


def test_what_a_run_takes_away_itself_is_not_offered(make_panel, click, ended):
    _viewer, panel = make_panel(show=True)
    run(panel, click, ended)
    panel.sections["cells"].form.rows["min_size"].value = 8
    run(panel, click, ended)
    assert not panel.findChild(QPushButton, "bring_back").isVisible()


def test_of_another_stack_a_slice_is_in_view_however_few_it_has(make_panel):
    viewer, panel = make_panel()
    first = panel.stack.layer
    viewer.dims.set_point(0, len(first.data) - 1)
    one = viewer.add_image(np.ones((1, 8, 8), np.float32), name="one slice")
    panel.stack.choose(one)
    assert round(viewer.dims.point[0]) == 0
    far = viewer.add_image(np.ones((5, 8, 8), np.float32), name="far", translate=(100, 0, 0))
    panel.stack.choose(far)
    assert round(viewer.dims.point[0]) == 102
    # Where one is in view already it stays.
    viewer.dims.set_point(0, 104)
    panel.stack.choose(one)
    panel.stack.choose(far)
    assert round(viewer.dims.point[0]) == 102
    viewer.dims.set_point(0, 1)
    panel.stack.choose(first)
    assert round(viewer.dims.point[0]) == 1
