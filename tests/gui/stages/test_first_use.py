"""A newcomer: the welcome, the sample, the tour, the keys, the ruler."""

import time

import numpy as np
from hand import Hand, press
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_copnet.gui.commands import open_stage
from napari_copnet.gui.samples.tissue import sample, truth
from napari_copnet.gui.stages.first_tour import BALLOONS


def test_the_sample_is_there_with_its_cells_by_one_click(make_napari_viewer, qtbot):
    dock = open_stage("", make_napari_viewer(show=True))
    button = dock.stages["open"].findChild(type(dock.next_button), "welcome_sample")
    gaps, last = [0.0], [time.monotonic()]

    def there():
        now = time.monotonic()
        gaps.append(now - last[0])
        last[0] = now
        return dock.panels.finished is not None

    press(button)
    qtbot.waitUntil(there, timeout=60000)
    dock.look()
    source = dock.panels.finished
    assert source.result.cells.largest == 346 and source.result.closing.settled
    assert dock.stages["segment"].line.text.text() == "345 cells · converged in 4"
    # The cells are enclosed by the contour that is kept, in the frame of the stack.
    # One of the 346 lies where the edge of a slice was mirrored, not in the stack.
    cells, closed = source.layers.layer("cells").data, source.layers.layer("closed").data
    assert cells.shape == sample().shape and not cells[closed > 0].any()
    assert len(np.unique(cells[cells > 0])) == 345
    true = truth()[1]
    overlap = np.unique(true[cells > 0][::50])
    assert len(overlap) > 100
    assert dock.next_button.text() == "Correct the cells"
    # Another setting makes it a run like any other.
    dock.panels.workflow.sections["cells"].form.rows["min_size"].value = 77
    qtbot.waitUntil(lambda: dock.next_button.text() == "Run again", timeout=10000)
    dock.shut_down()


def test_with_another_model_in_use_the_sample_comes_without_a_result(
    make_napari_viewer, qtbot, monkeypatch
):
    monkeypatch.setattr("napari_copnet.gui.stages.sample._is_of", lambda _: False)
    dock = open_stage("", make_napari_viewer(show=True))
    press(dock.stages["open"].findChild(type(dock.next_button), "welcome_sample"))
    qtbot.waitUntil(lambda: dock.next_button.text() == "Run", timeout=30000)
    dock.shut_down()


def test_the_tour_has_five_balloons_and_comes_once(make_napari_viewer, qtbot, account):
    (account / "tour-seen").unlink()
    dock = open_stage("", make_napari_viewer(show=True))
    qtbot.waitUntil(lambda: dock.tour is not None, timeout=20000)
    window, tour, said = dock.window(), dock.tour, []
    for _ in BALLOONS:
        said.append(tour.text.text())
        assert window.rect().contains(tour.geometry())
        # Its words are whole.
        assert tour.text.height() >= tour.text.heightForWidth(tour.text.width())
        press(tour.next_button)
    assert len(set(said)) == 5 and dock.tour is None and (account / "tour-seen").exists()
    press(dock.tour_button)
    assert dock.tour is not None
    press(dock.tour.skip_button)
    assert dock.tour is None
    dock.shut_down()


def test_a_question_mark_shows_the_keys(dock, qtbot):
    def cards():
        return [w for w in QApplication.topLevelWidgets() if w.objectName() == "key_card"]

    window = dock.window()
    window.activateWindow()
    qtbot.wait(300)
    QTest.keyClick(window, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: len(cards()) == 1 and cards()[0].isVisible(), timeout=10000)
    QTest.keyClick(cards()[0], Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not cards(), timeout=10000)
    press(dock.keys_button)
    qtbot.waitUntil(lambda: len(cards()) == 1, timeout=10000)
    cards()[0].close()


def test_each_stage_links_to_its_page(dock, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "napari_copnet.gui.stages.stage.QDesktopServices.openUrl", lambda url: seen.append(url)
    )
    for stage in dock.stages.values():
        press(stage.line.help)
    pages = [url.toString().rsplit("/", 1)[1] for url in seen]
    assert pages == [
        "napari.md",
        "napari.md",
        "proofreading.md",
        "measures.md",
        "napari.md",
        "training.md",
    ]


def test_a_line_across_a_membrane_gives_its_width(dock, stack, qtbot):
    workflow = dock.panels.workflow
    workflow.open(stack)
    qtbot.waitUntil(lambda: workflow.stack.layer is not None and workflow.job is None)
    section, layer = workflow.sections["preprocess"], workflow.stack.layer
    form = section.form
    assert next(iter(form.rows)) == "membrane_width"
    # The pixels of the networks are not asked for first.
    assert not form.rows["size"].native.isVisible()
    qtbot.wait(300)
    press(section.ruler_button)
    hand = Hand(dock.viewer, layer, dock)
    before = len(dock.viewer.layers)
    hand.drag((10.0, 20.0), (10.0, 28.0))
    # 8 px of 10 nm.
    assert abs(float(form.rows["membrane_width"].value) - 80) < 4
    assert not section.ruler_button.isChecked() and len(dock.viewer.layers) == before
    assert layer.mouse_pan


def test_without_a_voxel_size_the_ruler_asks_for_it(dock):
    workflow = dock.panels.workflow
    dock.viewer.add_image(np.zeros((3, 20, 20)), name="plain")
    dock.unfold("segment")
    press(workflow.sections["preprocess"].ruler_button)
    assert "voxel size" in workflow.run_controls.message.text
    assert not workflow.sections["preprocess"].ruler_button.isChecked()
