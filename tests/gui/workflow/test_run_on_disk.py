"""A stack that is too large for memory runs on disk, by the real buttons of the dock."""

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from fake_networks import made_image
from qtpy.QtWidgets import QFileDialog

from napari_copnet.gui.widgets.dock_section import Mark
from napari_copnet.gui.workflow.disk_layers import DiskLayers
from napari_copnet.io.read import read_image, read_stack
from napari_copnet.lazy_array import LazyArray
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.restored import CellsPlane, restore

# Three blocks.
DEPTH = 20


@pytest.fixture
def memory(monkeypatch):
    """Free memory as the dock sees it: none; more can be set."""
    free = SimpleNamespace(available=0)
    fake = SimpleNamespace(virtual_memory=lambda: free)
    monkeypatch.setattr("napari_copnet.gui.workflow.memory_estimate.psutil", fake)
    return free


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tissue.tif"
    tifffile.imwrite(path, made_image(DEPTH))
    return path


@pytest.fixture
def panel(make_panel, memory, path, ended):
    """The dock with a stack from a file, and no memory for it."""
    viewer, panel = make_panel()
    viewer.layers.clear()
    panel.open(path)
    ended(panel)
    panel._refresh()
    return panel


def layer(panel, role):
    return panel.source.layers.layer(role)


def edges(layer):
    """Return the outer edges of the first and the last pixel."""
    half = np.asarray(layer.scale) / 2
    return layer.extent.world + np.array([-half, half])


def in_memory(path, panel, models):
    """Return what a run in memory makes."""
    return finish(restore(finish(run(read_stack(path), panel.settings(), load=models))))


def test_it_runs_in_a_folder_beside_the_stack_and_layers_are_read_slice_by_slice(
    panel, path, click, ended, models, monkeypatch
):
    folder = path.parent / "tissue-copnet"
    assert "Too large for memory" in panel.place.text.text()
    assert panel.place.path.text() == str(folder) and not panel.place.path.isHidden()
    expected = in_memory(path, panel, models)

    def whole(*_):
        raise AssertionError("a whole array was asked for")

    read = set()
    made = CellsPlane.__call__

    def watched(self, z):
        if threading.current_thread() is threading.main_thread():
            read.add(z)
        return made(self, z)

    monkeypatch.setattr(LazyArray, "__array__", whole)
    monkeypatch.setattr(CellsPlane, "__call__", watched)
    panel.viewer.dims.set_current_step(0, 12)
    click(panel.run_controls.run_button)
    ended(panel)
    assert panel.run_controls.message.text == f"The results are in {folder}."
    assert {section.mark for section in panel.sections.values()} == {Mark.DONE}
    assert "go on to Correct" in panel.sections["cells"].text

    # Files as of `copnet run`.
    record = json.loads((folder / "run.json").read_text())
    assert record["inputs"]["stack"]["path"] == str(path)
    assert set(record["files"]) == {"contours", "closed", "cells", "run.json"}
    for role in ("closed", "cells"):
        np.testing.assert_array_equal(
            read_image(record["files"][role]).data, getattr(expected, role)
        )
    # Layers over them, of which no more was read than a new layer shows, the first slice and the
    # one in view; none can be painted on.
    assert isinstance(panel.source.layers, DiskLayers)
    for role in ("contours", "closed", "cells"):
        shown = layer(panel, role)
        assert isinstance(shown.data, LazyArray)
        np.testing.assert_allclose(shown.data[12], getattr(expected, role)[12], atol=1e-6)
    assert 12 in read and read <= {0, 12}
    assert not layer(panel, "cells").editable and not layer(panel, "closed").editable
    assert layer(panel, "cells").visible and not layer(panel, "contours").visible
    assert not panel.sections["cells"].edit_buttons["draw"].isEnabled()
    assert not panel.sections["closing"].show_iterations.isEnabled()


def test_a_cancelled_run_goes_on_and_a_finished_one_shows_at_once(
    panel, path, click, ended, models, qtbot
):
    network = models.networks["contours"]
    network.pause = 0.03
    panel.viewer.dims.set_current_step(0, 12)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: len(network.corners) > 10, timeout=20000)
    # The slices that are done are seen, those to come are empty.
    shown = layer(panel, "contours").data
    assert shown[12].any() and not shown[0].any()
    click(panel.run_controls.cancel_button)
    ended(panel)
    assert "the next Run continues" in panel.run_controls.message.text
    assert panel.sections["contours"].mark is not Mark.DONE
    assert "continues with what is there" in panel.place.text.text()
    qtbot.waitUntil(lambda: not panel._last.is_alive())
    network.pause = 0
    network.corners.clear()
    click(panel.run_controls.run_button)
    ended(panel)
    # The first of the blocks was done before.
    assert len(network.corners) == DEPTH - 8
    expected = in_memory(path, panel, models)
    np.testing.assert_array_equal(
        read_image(panel.source.folder / "cells.tif").data, expected.cells
    )
    passes, written = models.passes, (panel.source.folder / "run.json").stat().st_mtime_ns
    click(panel.run_controls.run_button)
    ended(panel)
    assert models.passes == passes
    assert (panel.source.folder / "run.json").stat().st_mtime_ns == written
    assert layer(panel, "cells").data[0].any()


def test_a_run_begun_on_disk_goes_on_there_though_memory_is_free_now(
    panel, memory, click, ended, models
):
    click(panel.sections["contours"].run_button)
    ended(panel)
    assert not (panel.source.folder / "run.json").exists()
    memory.available = 1e12
    panel._refresh()
    assert "was begun on disk" in panel.place.text.text()
    before = models.passes["contours"]
    click(panel.run_controls.run_button)
    ended(panel)
    assert models.passes["contours"] == before and (panel.source.folder / "cells.tif").exists()


def test_a_stack_that_fits_runs_in_memory_and_leaves_no_folder(panel, memory, path, click, ended):
    memory.available = 1e12
    panel._refresh()
    assert panel.place.path.parent().isHidden() and "Needs about" in panel.place.text.text()
    click(panel.run_controls.run_button)
    ended(panel)
    assert [p.name for p in path.parent.iterdir()] == ["tissue.tif"]
    assert isinstance(layer(panel, "cells").data, np.ndarray)
    assert panel.source.layers.editing is not None
    # What it took is there for it again.
    memory.available = 0
    panel._refresh()
    assert panel.place.path.parent().isHidden()
    # Larger slices do not fit: its layers give way to those of the run on disk, but for edits.
    layer(panel, "closed").paint((3, 5, 5), 1)
    panel.sections["preprocess"].form.rows["size"].value = 64
    panel._refresh()
    click(panel.run_controls.run_button)
    ended(panel)
    assert isinstance(layer(panel, "cells").data, LazyArray)
    names = [x.name for x in panel.viewer.layers]
    cells = f"{panel.stack.layer.name}: cells"
    assert names.count(cells) == 1 and f"{cells} (edited, earlier run)" in names
    assert "Your edited contour" in panel.run_controls.message.text
    assert len(panel.sources) == 1


def test_results_of_large_slices_are_shown_as_networks_saw_them(panel, click, ended, monkeypatch):
    monkeypatch.setattr("napari_copnet.gui.viewer.lazy_arrays.LARGEST_PLANE", 100)
    panel.sections["preprocess"].form.rows["size"].value = 24
    click(panel.run_controls.run_button)
    ended(panel)
    image = panel.stack.layer
    for role in ("closed", "cells"):
        shown = layer(panel, role)
        assert shown.data.shape == (DEPTH, 24, 24)
        np.testing.assert_allclose(edges(shown), edges(image))
        file = read_image(panel.source.folder / f"{role}.tif").data
        assert file.shape == image.data.shape
        np.testing.assert_array_equal(np.kron(shown.data[3], np.ones((2, 2), int)), file[3])


def test_files_of_others_are_left_alone_and_another_folder_can_be_chosen(
    panel, path, click, ended, monkeypatch
):
    folder = path.parent / "tissue-copnet"
    folder.mkdir()
    (folder / "cells.tif").write_bytes(b"mine")
    click(panel.run_controls.run_button)
    assert "holds other files" in panel.run_controls.message.text and panel.job is None
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(elsewhere))
    click(panel.place.change_button)
    panel._refresh()
    assert panel.place.path.text() == str(elsewhere)
    click(panel.run_controls.run_button)
    ended(panel)
    assert (elsewhere / "cells.tif").exists()
    assert (folder / "cells.tif").read_bytes() == b"mine"


def test_without_a_folder_beside_the_stack_it_asks(
    make_panel, memory, click, ended, monkeypatch, tmp_path
):
    _, panel = make_panel(name="a/b")
    panel._refresh()
    assert panel.place.path.text() == "No folder chosen"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    click(panel.run_controls.run_button)
    assert panel.run_controls.message.text.startswith("There is no folder for the results.")
    (tmp_path / "letter.txt").touch()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click(panel.run_controls.run_button)
    ended(panel)
    # In a folder with files the results get one of their own.
    assert (tmp_path / "a_b-copnet" / "run.json").exists()


def test_a_stack_that_was_not_read_into_memory_runs_on_disk(
    panel, memory, path, monkeypatch, ended
):
    memory.available = 1e12
    monkeypatch.setattr("napari_copnet.io.raw.LAZY_BYTES", 1000)
    panel.open(path)
    ended(panel)
    panel._refresh()
    assert "too large for memory" in panel.place.text.text()


@pytest.mark.slow
def test_proofreading_begins_from_the_folder_of_the_run(
    panel, click, ended, models, qtbot, monkeypatch, tmp_path
):
    from napari_copnet.gui.proofreading import proofreading_panel

    click(panel.run_controls.run_button)
    ended(panel)
    dock = proofreading_panel.ProofreadPanel(panel.viewer)
    panel.viewer.window.add_dock_widget(dock)

    def from_memory(*_):
        raise AssertionError("the run is on disk")

    monkeypatch.setattr(proofreading_panel, "begin_from_result", from_memory)
    offered = []

    def choose(_parent, _title, start, **_):
        offered.append(start)
        return str(tmp_path / "session"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    with qtbot.waitSignal(dock.opened, timeout=20000):
        dock.begin_button.click()
    assert offered == [str(panel.source.folder.parent / "tissue-copnet proofreading")]
    closed = read_image(panel.source.folder / "closed.tif").data
    np.testing.assert_array_equal(np.asarray(dock.session.contour[4]) > 0, closed[4] > 0)

    # A run with other settings is taken into the session from the folder too.
    monkeypatch.setattr(proofreading_panel, "add_run", from_memory)
    models.networks["closing"].transform = np.array
    panel.sections["closing"].form.rows["likely_gaps"].value = False
    click(panel.run_controls.run_button)
    ended(panel)
    gap = read_image(panel.source.folder / "closed.tif").data
    assert not np.array_equal(gap[4], closed[4])
    with qtbot.waitSignal(dock.opened, timeout=20000):
        dock.take_run_button.click()
    np.testing.assert_array_equal(np.asarray(dock.session.contour[4]) > 0, gap[4] > 0)
    dock.shut_down()


def test_slices_are_shown_at_the_threshold_as_they_come(models, path, tmp_path):
    """Lines of 0.9 are no contour above 0.95, neither while Step 1 runs nor at its end."""
    from napari_copnet.gui.workflow.run_on_disk import SliceOnDisk, run_on_disk
    from napari_copnet.gui.workflow.run_stages import Contours
    from napari_copnet.params import ContourParams, PreprocessParams, Settings

    for threshold, there in ((0.5, True), (0.95, False)):
        settings = Settings(
            preprocess=PreprocessParams(size=0, align=False, invert="no"),
            contours=ContourParams(threshold=threshold),
        )
        folder = tmp_path / str(threshold)
        live, end = {}, None
        work = run_on_disk(read_stack(path), settings, folder, until="contours", load=models)
        for progress in work:
            partial = progress.partial
            if isinstance(partial, SliceOnDisk):
                live[partial.index] = np.asarray(partial.probability[partial.index]) > 0.5
            elif isinstance(partial, Contours):
                end = partial.probability
        assert len(live) == DEPTH and live[0].any() == there
        assert all(np.array_equal(mask, np.asarray(end[z]) > 0.5) for z, mask in live.items())
