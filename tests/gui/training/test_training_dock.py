"""The training dock by its real buttons: slices, checks, a real training, models compared."""

import dataclasses
import os
import shutil
import time

import numpy as np
import psutil
import pytest
import torch
from hand import Hand, press
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QInputDialog, QLabel
from scipy import ndimage

from napari_copnet.evaluation.scores import evaluate
from napari_copnet.gui.background.jobs import threads_alive
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.networks.nnunet import build_network
from napari_copnet.networks.package import find_model, load_package, save_package
from napari_copnet.params import CellParams, DegradeParams, TrainParams
from napari_copnet.progress import Progress, finish
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching.model_comparison import Comparison
from napari_copnet.types import Stack, VoxelSize

PLUGIN = "napari-copnet"
SIDE, STEP, DEPTH = 49, 16, 21
OPEN = (slice(29, 31), 16)


def grid():
    """Closed squares in each slice; in slice 10 one wall is open."""
    contour = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    contour[:, ::STEP] = contour[:, :, ::STEP] = 1
    contour[(10, *OPEN)] = 0
    return contour


@pytest.fixture
def folder(tmp_path):
    contour = grid()
    noise = np.random.default_rng(0).normal(0, 8, contour.shape)
    image = (150 - 90.0 * contour + noise).clip(0, 255).astype(np.uint8)
    start = Start(
        contour,
        contour * np.float32(0.9),
        Stack(image, VoxelSize(0.05, 0.01, 0.01), name="drawn"),
        cells=CellParams(min_size=0),
        record={"settings": {"preprocess": {"size": 0}}},
    )
    return finish(session_files.make(tmp_path / "drawn", start))


@pytest.fixture
def models(tmp_path, monkeypatch, tiny_models):
    """The user's models: two tiny ones."""
    home = tmp_path / "models"
    monkeypatch.setenv("NAPARI_COPNET_MODELS", str(home))
    shutil.copytree(tiny_models["closing"], home / "tiny-closing")
    # Of three stages: with one output nnU-Net's deep supervision weighs nothing by nothing.
    plan = dataclasses.replace(
        load_package(tiny_models["contours"]).plan,
        features_per_stage=(4, 8, 8),
        kernel_sizes=((3, 3),) * 3,
        strides=((1, 1), (2, 2), (2, 2)),
        n_conv_per_stage=(1, 1, 1),
        n_conv_per_stage_decoder=(1, 1),
    )
    torch.manual_seed(0)
    network = build_network(plan)
    save_package(
        home / "tiny-contours",
        name="tiny-contours",
        kind="contours",
        plan=plan,
        weights={name: value.detach().numpy() for name, value in network.named_parameters()},
        card={},
    )
    return home


@pytest.fixture
def window(make_napari_viewer):
    return make_napari_viewer(show=True)


def opened(window, folder, qtbot):
    """Both docks of a window, the drawn session open."""
    _, panel = dock_panel(window, "COp-Net training")
    proofread = panel.link.open_dock()
    proofread.open(folder)
    qtbot.waitUntil(lambda: panel.link.project is not None, timeout=20000)
    qtbot.waitUntil(lambda: proofread.tasks.job is None, timeout=20000)
    settle(qtbot, panel)
    return panel


def settle(qtbot, panel):
    qtbot.waitUntil(lambda: not panel._timer.isActive(), timeout=5000)


@pytest.fixture
def dock(window, folder, models, qtbot):
    panel = opened(window, folder, qtbot)
    yield panel
    panel.shut_down()


def click_row(table, row, column=0):
    place = table.visualRect(table.model().index(row, column)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def texts(table):
    rows = table.model()
    return [
        [rows.data(rows.index(row, column)) for column in range(rows.columnCount())]
        for row in range(rows.rowCount())
    ]


def done(dock, qtbot, button=None):
    """Press Done, and wait for the checks."""
    press(button or dock.review.done_button)
    qtbot.waitUntil(lambda: dock.tasks.job is None, timeout=20000)


def finish_slices(dock, qtbot, *slices):
    for z in slices:
        dock.link.fly(z)
        settle(qtbot, dock)
        done(dock, qtbot)
        if dock.review.findings:
            done(dock, qtbot, dock.review.despite_button)
    settle(qtbot, dock)
    assert dock.link.project.done == sorted(slices)


def test_slices_are_proposed_corrected_checked_and_done(dock, window, qtbot):
    press(dock.slices.choose_button)
    qtbot.waitUntil(lambda: dock.slices.table.model().rowCount() == 3, timeout=10000)
    assert [row[:2] for row in texts(dock.slices.table)] == [
        [str(number), "○ untouched"] for number in (1, 11, 21)
    ]
    click_row(dock.slices.table, 1)
    assert dock.link.z == 10 and window.dims.current_step[-3] == 10
    settle(qtbot, dock)
    done(dock, qtbot)
    # The ends of the open wall are told, and the slice is not done.
    assert {finding.kind for finding in dock.review.findings} == {"open contour"}
    assert dock.link.project.state(10) == "in work"
    settle(qtbot, dock)
    click_row(dock.review.table, 0)
    finding = dock.review.findings[0]
    hand = Hand(window, dock.link.controller.layers.contour, dock)
    middle = hand.canvas.rect().center()
    assert (hand.at((finding.y, finding.x)) - middle).manhattanLength() < 5

    # A real stroke closes it: it counts as an edit, and the slice as done.
    press(dock.review.tools["draw"])
    hand.drag((28, 16), (31, 16))
    assert dock.link.project.session.contour[(10, *OPEN)].all()
    settle(qtbot, dock)
    done(dock, qtbot)
    assert dock.review.findings == [] and dock.link.project.done == [10]
    settle(qtbot, dock)
    assert texts(dock.slices.table)[1][1] == "● done"
    assert "1 of 3 slices done" in dock.slices.text
    press(dock.review.reopen_button)
    assert dock.link.project.done == []


def test_tiny_islands_are_removed_by_one_press_and_the_slice_is_done(dock, qtbot):
    project = dock.link.project
    dock.link.fly(11)
    settle(qtbot, dock)
    before = np.array(project.session.contour[11])
    speck = before.copy()
    inside = np.argwhere(ndimage.distance_transform_edt(before == 0) >= 4)[0]
    speck[tuple(inside)] = 1
    project.draw(11, speck)
    done(dock, qtbot)
    assert [finding.kind for finding in dock.review.findings] == ["tiny island"]
    assert dock.review.islands_button.isVisible()
    done(dock, qtbot, dock.review.islands_button)
    np.testing.assert_array_equal(project.session.contour[11], before)
    assert project.done == [11] and not dock.review.islands_button.isVisible()
    project.session.undo()
    np.testing.assert_array_equal(project.session.contour[11], speck)


def test_only_the_part_in_view_is_reviewed(dock, window, qtbot):
    dock.link.fly(5, (12.0, 12.0), 3.0)
    camera = camera_of(window)
    camera.zoom = 2000 / 0.24 / 10
    settle(qtbot, dock)
    press(dock.review.part_button)
    entry = dock.link.project.slice(5)
    assert entry.part and "a part of it" in dock.review.state.text()
    reviewed = dock.link.project.reviewed(5)
    rows, columns = (np.flatnonzero(reviewed.any(axis=axis)) for axis in (1, 0))
    # As wide and high as the canvas shows, around pixel 12.
    canvas = Hand(window, dock.link.controller.layers.contour, dock).canvas
    for found, size in ((rows, canvas.height()), (columns, canvas.width())):
        half = size / 2 / camera.zoom / 0.01
        assert found[0] == max(0, np.ceil(12 - half))
        assert found[-1] == min(SIDE - 1, np.floor(12 + half))
    done(dock, qtbot)
    assert (dock.link.project.truth(5) == 2).sum() == SIDE * SIDE - reviewed.sum()
    press(dock.review.whole_button)
    assert not dock.link.project.slice(5).part


def test_what_was_annotated_is_there_in_the_next_window(dock, window, folder, qtbot):
    dock.link.fly(3)
    settle(qtbot, dock)
    press(dock.slices.add_button)
    done(dock, qtbot)
    proofread = dock.link.dock
    press(proofread.close_button)
    assert dock.link.project is None and dock.slices.begin_button.isVisible()
    proofread.open(folder)
    qtbot.waitUntil(lambda: dock.link.project is not None, timeout=20000)
    assert dock.link.project.done == [3]
    assert texts(dock.slices.table)[0] == ["4", "● done", "by hand"]


def test_without_a_run_the_button_says_what_is_missing(make_napari_viewer, models):
    window = make_napari_viewer()
    _, panel = dock_panel(window, "COp-Net training")
    panel.slices.begin_button.click()
    assert "no finished run" in panel.message.text
    assert not panel.train.train_button.isEnabled()
    window.window.remove_dock_widget(panel)


@pytest.fixture
def twelve_epochs(monkeypatch):
    """Trainings as long as that, however slow the machine."""
    params = TrainParams(size="small", epochs=12, iterations_per_epoch=2, batch=2)
    monkeypatch.setattr("napari_copnet.teaching.fine_tuning.train_params", lambda *_: params)


@pytest.fixture
def many_epochs(monkeypatch):
    """A training that can't end while the window closes, however slow the machine."""
    params = TrainParams(size="small", epochs=5000, iterations_per_epoch=2, batch=2)
    monkeypatch.setattr("napari_copnet.teaching.fine_tuning.train_params", lambda *_: params)


def ready_to_train(dock, qtbot):
    """Three slices done, the tiny model chosen."""
    finish_slices(dock, qtbot, 0, 10, 20)
    dock.train.parents["contours"].set("tiny-contours")
    dock.train.form.rows["minutes"].value = "0.15"
    dock.train.renew()


def epochs(dock, qtbot, count):
    """Wait until so many epochs are shown; what went wrong fails at once."""

    def enough():
        return dock.message.text or len(dock.train.loss_plot.series[0].values) >= count

    qtbot.waitUntil(enough, timeout=600000)
    assert dock.message.text == ""


def training_processes():
    found = []
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if "napari_copnet.training.child" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_a_training_is_paused_goes_on_and_ends_with_a_model(
    dock, qtbot, twelve_epochs, monkeypatch
):
    offered = []
    monkeypatch.setattr(dock.compare, "start", lambda: offered.append(1))
    section = dock.train
    ready_to_train(dock, qtbot)
    plan = section.plan.text()
    assert "2 slices for training, slice 21 is held out" in plan and "tiny-contours" in plan
    assert "In all about 9 s on the" in plan
    assert section.pause_button.isHidden()
    press(section.train_button)
    assert section.train_button.isHidden() and not section.form.widget.isEnabled()
    epochs(dock, qtbot, 2)
    assert len(training_processes()) == 1
    press(section.pause_button)
    qtbot.waitUntil(lambda: not section.run.is_running, timeout=30000)
    assert training_processes() == []
    assert "Paused" in section.text and "stopped after" in section.progress_text.text()
    told = dict(section.loss_plot.series[0].values)

    # Another window finds it: the dock is made anew.
    window = dock.viewer
    window.window.remove_dock_widget(dock)
    _, again = dock_panel(window, "COp-Net training")
    section = again.train
    qtbot.waitUntil(section.continue_button.isVisible, timeout=20000)
    assert section.progress_text.text().startswith("drawn-contours-")
    monkeypatch.setattr(again.compare, "start", lambda: offered.append(2))
    press(section.continue_button)
    with qtbot.waitSignal(section.trained, timeout=600000) as signal:
        pass
    old, new = signal.args
    assert old.name == "tiny-contours" and new.card["parent"]["name"] == "tiny-contours"
    shown = dict(section.loss_plot.series[0].values)
    assert {epoch: shown[epoch] for epoch in told} == told and len(shown) == 12
    # The next plan knows how fast this machine is, and the new model is offered for comparison.
    assert again.compare.new.currentText() == new.name
    assert again.compare.old.currentText() == "tiny-contours"
    assert offered == [2]
    assert "as fast as last time" in section.plan.text()
    again.shut_down()
    assert training_processes() == []


@pytest.mark.slow
def test_the_window_closed_during_a_training_leaves_no_process(
    make_napari_viewer, folder, models, qtbot, many_epochs
):
    window = make_napari_viewer(show=True)
    dock = opened(window, folder, qtbot)
    ready_to_train(dock, qtbot)
    press(dock.train.train_button)
    epochs(dock, qtbot, 1)
    (process,) = training_processes()
    window.close()
    # Far sooner than the training would end; what it had learnt is saved first.
    end = time.monotonic() + 60
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the training process outlived its window"
        time.sleep(0.05)
    while threads_alive():
        assert time.monotonic() < end, "the thread outlived the process it watches"
        time.sleep(0.05)
    # What it had learnt is there to go on with.
    assert list(models.glob("drawn-*.training/checkpoint*"))


def test_a_cancelled_training_is_thrown_away_on_the_second_press(dock, qtbot, monkeypatch, models):
    def endless(project, kind, parent, params, **more):
        while True:
            yield Progress("training", 1, 10, "epochs")
            time.sleep(0.01)

    monkeypatch.setattr("napari_copnet.gui.training.train_section.fine_tune", endless)
    finish_slices(dock, qtbot, 0, 10, 20)
    seen = []
    dock.train.run.stopped.connect(seen.append)
    press(dock.train.train_button)
    press(dock.train.cancel_button)
    assert dock.train.cancel_button.text() == "Discard?" and dock.train.run.is_running
    press(dock.train.cancel_button)
    qtbot.waitUntil(lambda: seen == [None], timeout=5000)
    assert "Cancelled" in dock.train.text and dock.train.train_button.isVisible()


def test_closing_learns_from_the_gaps_that_were_chosen(dock, qtbot, monkeypatch, window, models):
    given = {}

    def take(project, kind, parent, params, **more):
        given.update(more, kind=kind, parent=parent.name)
        yield Progress("training", 1, 1, "epochs")
        return load_package(models / "tiny-closing")

    monkeypatch.setattr("napari_copnet.gui.training.train_section.fine_tune", take)
    monkeypatch.setattr(
        "napari_copnet.gui.training.comparison_section.comparable_slices", lambda *_: []
    )
    finish_slices(dock, qtbot, 0, 10, 20)
    _, gaps = dock_panel(window, "COp-Net gap simulation")
    gaps.chosen = DegradeParams(absorption_disks=33)
    dock.train.kind.setCurrentIndex(1)
    dock.train.parents["closing"].set("tiny-closing")
    dock.train.renew()
    assert "simulated gaps you chose" in dock.train.plan.text()
    with qtbot.waitSignal(dock.train.trained, timeout=10000):
        press(dock.train.train_button)
    assert given["kind"] == "closing" and given["parent"] == "tiny-closing"
    assert given["degrade"].absorption_disks == 33
    gaps.shut_down()


def test_gaps_fixed_in_the_session_are_the_real_ones(dock, window, qtbot):
    _, gaps = dock_panel(window, "COp-Net gap simulation")
    assert gaps.truth is dock.link.controller.layers.contour
    assert gaps.reals.currentText() == "gaps fixed in the session"
    qtbot.waitUntil(lambda: gaps.real is not None, timeout=20000)
    assert len(gaps.real.lengths) == 0
    # A wall of 15 px is drawn where there was none: without its ends it counts.
    layers = dock.link.controller.layers
    dock.link.fly(4)
    layers.contour.data[4, 17:32, 24] = 1
    layers.take_strokes()
    qtbot.waitUntil(lambda: gaps.real is not None and len(gaps.real.lengths) > 0, timeout=20000)
    assert 8 <= gaps.real.lengths.max() <= 15
    gaps.shut_down()


@pytest.fixture
def better(models):
    """A model that says it was made from the tiny one."""
    tiny = load_package(models / "tiny-contours")
    return save_package(
        models / "better",
        name="better",
        kind="contours",
        plan=tiny.plan,
        weights=tiny.weights(),
        card={
            "parent": {"name": tiny.name, "sha256": tiny.sha256},
            "scores": {"validation_dice": 0.875, "epoch": 12},
            "data": ["drawn/truth.tif slices all (xy)"],
            "created": "2099-01-02T03:04:05+00:00",
            "tissues": [
                {"data": name, "knows": knows, "size": 512, "before": 0.5, "after": 0.625}
                for name, knows in (("cortex", "never saw it"), ("fly", "saw other slices of it"))
            ],
        },
    )


def compared(monkeypatch):
    """Compare made-up contours: the new ones are true, the old ones lack a wall."""
    true = grid()[[20]]
    gappy = true.copy()
    gappy[:, 17:32, 16] = 0

    def fake(project, old, new, **_):
        yield Progress("contours", 1, 2, "slices")
        scores = [finish(evaluate(mask, true)) for mask in (gappy, true)]
        return Comparison((20,), *scores, gappy, true, true)

    monkeypatch.setattr("napari_copnet.gui.training.comparison_section.compare", fake)
    return gappy[0], true[0]


def test_adopting_a_model_that_was_not_compared_takes_a_second_press(
    window, folder, models, better, qtbot
):
    dock = opened(window, folder, qtbot)
    section = dock.compare
    section.offer(None, better)
    assert section.comparison is None
    before = find_model("default", "contours").name
    press(section.adopt_button)
    assert section.adopt_button.text() == "Adopt without comparison?"
    assert find_model("default", "contours").name == before != "better"
    press(section.adopt_button)
    assert find_model("default", "contours").name == "better"
    assert section.adopt_button.text() == "Adopt the new model"


def test_two_models_are_scored_shown_side_by_side_and_one_adopted(
    window, folder, models, better, qtbot, monkeypatch
):
    gappy, true = compared(monkeypatch)
    _, workflow = dock_panel(window, "COp-Net workflow")
    dock = opened(window, folder, qtbot)
    section = dock.compare
    section.offer(load_package(models / "tiny-contours"), better)
    assert (section.old.currentText(), section.new.currentText()) == ("tiny-contours", "better")
    press(section.compare_button)
    qtbot.waitUntil(lambda: section.comparison is not None, timeout=20000)
    rows = {row[0]: row[1:] for row in texts(section.table)}
    assert rows["cells correct"][1] == "100.0 %" and rows["cells correct"][2].endswith("▲")
    assert rows["cells merged"][2].startswith("-") and rows["cells merged"][2].endswith("▲")
    assert "More cells are correct" in section.text

    seen = [layer for layer in window.layers if layer.visible]
    press(section.side_button)
    layer, second_canvas = (
        section.compared_models.layer,
        section.compared_models._beside.second_canvas,
    )
    assert window.dims.current_step[-3] == 20
    np.testing.assert_array_equal(np.asarray(layer.data[20]), gappy)
    np.testing.assert_array_equal(np.asarray(second_canvas._contour.data[20]), true)
    assert not np.asarray(layer.data[3]).any()
    press(section.side_button)
    assert section.compared_models.layer is None and layer not in window.layers
    assert [layer for layer in window.layers if layer.visible] == seen

    press(section.adopt_button)
    assert find_model("default", "contours").name == "better"
    picker = workflow.sections["contours"].model
    assert picker.value == "default"
    said = [label.text() for label in picker.findChildren(QLabel)]
    assert "better, which you adopted." in said
    at = [row[0] for row in texts(dock.models.table)].index("better")
    assert texts(dock.models.table)[at][3] == "✓"
    press(section.discard_button)
    assert find_model("default", "contours").name != "better"
    assert "better" not in [row[0] for row in texts(dock.models.table)]
    press(dock.models.restore_button)
    assert "better" in [row[0] for row in texts(dock.models.table)]
    dock.shut_down()
    workflow.shut_down()


def test_models_show_their_cards_and_are_exported(
    dock, better, qtbot, monkeypatch, tmp_path, models
):
    section = dock.models
    section.renew()
    at = [row[0] for row in texts(section.table)].index("better")
    section.table.scrollTo(section.table.model().index(at, 0))
    click_row(section.table, at)
    card = section.card.text()
    assert "from tiny-contours" in card and "2099-01-02" in card
    assert "87.5 %" in card and "12 epochs" in card and "drawn/truth.tif" in card
    said = "Labelled: 50 % of the cells of cortex (never saw it), 62 % after closing, at 512 px."
    assert said in card
    assert "fly (" not in card
    answers = iter([tmp_path / "out", tmp_path / "out.zip", tmp_path / "zoo.zip"])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(next(answers)), ""))
    press(section.folder_button)
    assert load_package(tmp_path / "out").sha256 == better.sha256
    press(section.zip_button)
    assert "exported to out.zip" in dock.message.text
    written = []

    def zoo(model, out, *, authors, replace):
        assert replace  # the dialog has asked
        written.append((model.name, authors))
        return out

    monkeypatch.setattr("napari_copnet.gui.training.models_section.export_model_zoo", zoo)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("Ada, Grace", True))
    press(section.zoo_button)
    qtbot.waitUntil(lambda: "exported to zoo.zip" in dock.message.text, timeout=10000)
    assert written == [("better", ["Ada", " Grace"])]
    # Exported, discarded, and imported again.
    press(section.discard_button)
    assert not (models / "better").exists()
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_, **__: (str(tmp_path / "out.zip"), "")
    )
    press(section.import_button)
    assert load_package(models / "better").sha256 == better.sha256
    assert dataclasses.asdict(load_package(models / "better"))["name"] == "better"
