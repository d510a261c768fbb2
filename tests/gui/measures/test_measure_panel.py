"""The panel of measures with its real table and buttons, on labels and on a session."""

import csv

import numpy as np
import pytest
from drawn_session import SIZE, start
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_copnet.errors import CopnetError
from napari_copnet.gui.measures.measure_panel import MeasurePanel
from napari_copnet.gui.measures.measured_layers import Lookup, source_of_layer
from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.measures.table import Table
from napari_copnet.progress import Progress
from napari_copnet.proofreading.session import Session

LEFT = Qt.MouseButton.LeftButton
SCALE = (0.05, 0.01, 0.01)


def labels():
    """Three cells; the smallest lies in slice 2 alone."""
    found = np.zeros((4, 60, 80), np.uint32)
    found[:, 5:25, 5:35] = 7
    found[1:, 30:55, 10:60] = 3
    found[2, 8:12, 60:70] = 12
    return found


@pytest.fixture
def window(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(window, qtbot):
    window.add_labels(labels(), name="cells", scale=SCALE, units=("um",) * 3)
    made = MeasurePanel(window)
    window.window.add_dock_widget(made, name="Measures")
    measured(made, qtbot)
    yield made
    made.shut_down()


def measured(panel, qtbot):
    with qtbot.waitSignal(panel.finished, timeout=60000):
        QTest.mouseClick(panel.measure_button, LEFT)


def text(panel, row, title):
    heads = [
        panel.rows.headerData(n, Qt.Orientation.Horizontal) for n in range(panel.rows.columnCount())
    ]
    return panel.rows.index(row, heads.index(title)).data()


def column(panel, title):
    return [text(panel, row, title) for row in range(panel.rows.rowCount())]


def click_row(panel, row):
    place = panel.view.visualRect(panel.rows.index(row, 0)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, pos=place)


def click_head(panel, title):
    head = panel.view.horizontalHeader()
    heads = [
        panel.rows.headerData(n, Qt.Orientation.Horizontal) for n in range(panel.rows.columnCount())
    ]
    section = heads.index(title)
    panel.view.scrollTo(panel.rows.index(0, section))
    place = QPoint(head.sectionViewportPosition(section) + 8, head.height() // 2)
    QTest.mouseClick(head.viewport(), LEFT, pos=place)


def choose(combo, data):
    combo.setCurrentIndex(combo.findData(data))


def test_the_table_is_sorted_by_its_headings(panel):
    assert column(panel, "Cell") == ["3", "7", "12"]
    volume = 4 * 20 * 30 * np.prod(SIZE)
    assert text(panel, 1, "Volume (µm³)") == f"{volume:.4g}"
    assert "voxel" in panel.rows.headerData(
        2, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
    )
    click_head(panel, "Volume (µm³)")
    first = column(panel, "Cell")
    click_head(panel, "Volume (µm³)")
    assert {tuple(first), tuple(column(panel, "Cell"))} == {("12", "7", "3"), ("3", "7", "12")}


def test_the_table_stays_that_of_what_was_measured_last(panel, window, qtbot, monkeypatch):
    first = window.layers["cells"]
    window.add_labels(labels()[::-1], name="others", scale=SCALE, units=("um",) * 3)
    panel.layers.setCurrentIndex(panel.layers.findText("others"))

    def fails(*_, **__):
        # The one that is shown can be worked with meanwhile.
        seen.append((panel.over.layer, panel._source.name))
        yield Progress("measure", 0, 1, "slices")
        raise CopnetError("No.", "")

    seen = []
    monkeypatch.setattr("napari_copnet.gui.measures.measure_panel.measure", fails)
    QTest.mouseClick(panel.measure_button, LEFT)
    qtbot.waitUntil(lambda: panel._job is None, timeout=20000)
    seen.append((panel.over.layer, panel._source.name))
    assert seen == [(first, "cells")] * 2
    assert panel.state.text() == "Measured: cells"


def test_a_row_shows_its_cell(panel, window):
    window.dims.set_current_step(0, 0)
    click_row(panel, 2)
    assert window.dims.current_step[0] == 2
    centre = np.array(camera_of(window).center[-2:])
    assert centre == pytest.approx(np.array([9.5, 64.5]) * 0.01, abs=0.4)
    chosen = panel.over.chosen
    assert chosen in window.layers and chosen.visible
    assert np.array_equal(np.asarray(chosen.data[2]) > 0, labels()[2] == 12)
    assert panel.count.text() == "1 selected"


def test_a_cell_shows_its_row(panel, window, qtbot):
    window.dims.set_current_step(0, 1)
    window.reset_view()
    qtbot.wait(300)
    canvas = canvas_of(window.window._qt_window)
    # The middle of the image lies in the middle of the canvas.
    zoom, middle = camera_of(window).zoom, np.array(camera_of(window).center[-2:])
    y, x = (np.array([45, 40]) * 0.01 - middle) * zoom
    place = QPoint(round(canvas.width() / 2 + x), round(canvas.height() / 2 + y))
    QTest.mouseClick(canvas, LEFT, pos=place)
    qtbot.waitUntil(lambda: panel.view.chosen.size == 1, timeout=5000)
    assert panel.table["cell"][panel.view.chosen[0]] == 3
    choose(panel.tables, "slices")
    panel.choose_cell(2, 7)
    (row,) = panel.view.chosen
    assert panel.table.row(int(row))["slice"] == 2 and panel.table["cell"][row] == 7


def test_rows_of_the_slice_in_view(panel, window):
    choose(panel.tables, "slices")
    assert panel.rows.rowCount() == 8
    panel.this_slice.click()
    window.dims.set_current_step(0, 0)
    assert column(panel, "Cell") == ["7"]
    window.dims.set_current_step(0, 2)
    assert column(panel, "Cell") == ["3", "7", "12"]


def test_a_filter_selects(panel):
    choose(panel.measures, "voxels")
    panel.limit.setValue(100)
    QTest.mouseClick(panel.select_button, LEFT)
    assert panel.table["cell"][panel.view.chosen].tolist() == [12]
    panel.side.setCurrentIndex(1)
    QTest.mouseClick(panel.select_button, LEFT)
    assert panel.table["cell"][panel.view.chosen].tolist() == [3, 7]
    # Without a session nothing can be deleted.
    assert not panel.delete_button.isEnabled()


def test_the_histogram_sets_the_limit(panel):
    choose(panel.measures, "volume_um3")
    assert panel.histogram.counts.sum() == 3
    area = panel.histogram._area()
    middle = QPoint(round(area.center().x()), round(area.center().y()))
    QTest.mouseClick(panel.histogram, LEFT, pos=middle)
    # Volumes from 40 to 3750 voxels: the axis is linear below a factor of 100.
    edges = panel.histogram.edges
    assert panel.limit.value() == pytest.approx((edges[0] + edges[-1]) / 2, rel=0.02)
    assert panel.limit.suffix() == " µm³"


def test_values_that_differ_much_have_a_logarithmic_axis(panel):
    panel.histogram.show_values(10.0 ** np.linspace(-3, 3, 100), "")
    assert panel.histogram.value_at(0.5) == pytest.approx(1, rel=0.1)
    assert panel.histogram.counts.sum() == 100 and panel.histogram.counts.max() <= 4


def test_cells_are_coloured_by_a_measure(panel, window):
    choose(panel.measures, "volume_um3")
    QTest.mouseClick(panel.colour_button, LEFT)
    shown = panel.over.colours
    assert shown in window.layers and shown.visible
    plane = np.asarray(shown.data[2])
    volumes = dict(zip(panel.table["cell"], panel.table["volume_um3"], strict=True))
    for cell, volume in volumes.items():
        assert plane[labels()[2] == cell] == pytest.approx(volume)
    assert np.isnan(plane[labels()[2] == 0]).all()
    choose(panel.tables, "slices")
    choose(panel.measures, "area_um2")
    assert np.asarray(shown.data[2])[10, 10] == pytest.approx(600 * 1e-4)
    QTest.mouseClick(panel.colour_button, LEFT)
    assert not shown.visible


def test_the_population_and_the_files(panel, tmp_path, qtbot):
    choose(panel.tables, "population")
    heads = ["Table", "Measure", "Unit", "Mean", "Sd", "N"]
    for head in heads:
        assert text(panel, 0, head) is not None
    assert not panel.select_button.isEnabled()
    with qtbot.waitSignal(panel.finished, timeout=20000):
        panel.save(tmp_path)
    with open(tmp_path / "cells.csv", newline="") as file:
        assert [row["cell"] for row in csv.DictReader(file)] == ["3", "7", "12"]
    assert (tmp_path / "population.parquet").is_file()
    (tmp_path / "cells.csv").write_text("mine")
    panel.save(tmp_path)
    qtbot.waitUntil(lambda: "did not write" in panel.message.text(), timeout=20000)


def test_pairs_are_listed(panel):
    choose(panel.tables, "pairs")
    assert panel.rows.rowCount() == 1
    panel.choose_cell(1, 7)
    assert panel.view.chosen.size == 1


@pytest.fixture
def session(tmp_path):
    with Session.create(tmp_path / "rooms", start()) as opened:
        yield opened


@pytest.fixture
def editing(window, session, qtbot):
    """A panel over the cells of a session."""
    data = np.stack([session.cells(z) for z in range(session.shape[0])])
    window.add_labels(
        data, name="Session: cells", scale=SCALE, units=("um",) * 3,
        metadata={"copnet": {"role": "session"}},
    )  # fmt: skip
    made = MeasurePanel(window, lambda: session)
    window.window.add_dock_widget(made, name="Measures")
    measured(made, qtbot)
    yield made
    made.shut_down()


def test_small_cells_are_deleted_with_one_undo(editing, session):
    choose(editing.tables, "slices")
    choose(editing.measures, "pixels")
    before = session.contour.copy()
    # In slice 1 the gap makes one cell of two rooms.
    editing.side.setCurrentIndex(1)
    editing.limit.setValue(1300)
    QTest.mouseClick(editing.select_button, LEFT)
    assert editing.view.chosen.size == 1
    QTest.mouseClick(editing.delete_button, LEFT)
    assert (session.contour[1] > 0).all() and session.history.position == 1
    assert np.array_equal(session.contour[0], before[0])
    assert "One undo" in editing.message.text()
    session.undo()
    assert np.array_equal(session.contour.copy(), before)
    assert "changed" in editing.message.text()


def test_cells_are_marked_with_one_undo(editing, session):
    choose(editing.tables, "slices")
    rows = np.flatnonzero(editing.table["slice"] == 0)
    editing.view.choose(rows)
    editing.kinds.setCurrentText("vessel")
    expected = session.ids(0) > 0
    QTest.mouseClick(editing.mark_button, LEFT)
    assert np.array_equal(session.marks[0] > 0, expected) and session.history.position == 1
    session.undo()
    assert session.marked_slices() == set()


def test_doubts_and_edits_of_a_session_are_measured(editing):
    choose(editing.tables, "slices")
    assert "edited" in editing.table and "doubtful_walls" in editing.table
    assert not editing.table["edited"].any()


def test_a_layer_in_nanometres_and_a_single_image(window):
    layer = window.add_labels(labels()[0], scale=(10, 20), units=("nm", "nm"), translate=(100, 40))
    source = source_of_layer(layer)
    assert source.voxel_size == (None, pytest.approx(0.01), pytest.approx(0.02))
    assert source.translate == pytest.approx((0, 0.1, 0.04))
    assert source.labels.shape == (1, 60, 80)


def test_values_of_slices_are_those_of_their_slice():
    table = Table("slices", {"slice": [0, 1, 1], "cell": [4, 4, 9], "pixels": [1, 2, 3]})
    lookup = Lookup(table, table.numbers("pixels"))
    image = np.array([[4, 9, 0]])
    assert lookup(1, image)[0, :2].tolist() == [2, 3] and np.isnan(lookup(1, image)[0, 2])
    assert np.isnan(lookup(0, image)[0, 1]) and np.isnan(lookup(5, image)).all()


def test_a_panel_that_goes_lets_viewer_and_session_go(editing, session, window):
    callbacks = len(window.mouse_drag_callbacks)
    assert editing._on_edited in session.on_change
    window.window.remove_dock_widget(editing)
    assert len(window.mouse_drag_callbacks) == callbacks - 1
    assert editing._on_edited not in session.on_change
    assert not editing.over.is_there
