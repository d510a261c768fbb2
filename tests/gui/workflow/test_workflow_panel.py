"""The dock, by its real buttons: runs, errors, cancelling, layers deleted, windows closed."""

import threading

import numpy as np
import pytest
from fake_networks import made_image
from panels import dock_panel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_copnet.gui.background.jobs import threads_alive
from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.widgets.dock_section import Mark


def names(viewer):
    return {layer.name for layer in viewer.layers}


def layer(panel, role):
    return panel.sources[0].layers.layer(role)


def slow(models, pause=0.05):
    for network in models.networks.values():
        network.pause = pause


def test_run_all_gives_layers_over_the_image(make_panel, click, ended):
    viewer, panel = make_panel(
        scale=(0.1, 0.02, 0.03), translate=(1, 2, 3), units=("um",) * 3, axis_labels=tuple("zyx")
    )
    click(panel.run_controls.run_button)
    ended(panel)
    image = viewer.layers[0]
    for role in ("contours", "closed", "cells"):
        made = layer(panel, role)
        assert made.data.shape == image.data.shape
        for word in ("scale", "translate"):
            np.testing.assert_allclose(getattr(made, word), getattr(image, word))
        assert tuple(made.units) == tuple(image.units)
        assert tuple(made.axis_labels) == ("z", "y", "x")
    iterations = layer(panel, "iterations")
    np.testing.assert_allclose(iterations.scale[1:], image.scale)
    assert tuple(iterations.axis_labels) == ("iteration", "z", "y", "x")
    # The gap in the cross is closed, so there are four cells, one in each corner.
    assert np.asarray(layer(panel, "contours").data)[0, 24, 10] == 0
    assert layer(panel, "closed").data[0, 24, 10] == 1
    cells = layer(panel, "cells").data
    corners = cells[0, [5, 5, 40, 40], [5, 40, 5, 40]]
    assert len(set(corners.tolist())) == 4 and 0 not in corners
    assert panel.sections["cells"].text.startswith("4 cells in 4 slices")
    assert {section.mark for section in panel.sections.values()} == {Mark.DONE}
    assert panel.run_controls.message.text == ""


def test_only_the_stages_behind_a_changed_setting_run_again(make_panel, click, ended, models):
    _, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    before = models.passes
    panel.sections["cells"].form.rows["mode"].value = "slice"
    panel._refresh()
    marks = [section.mark for section in panel.sections.values()]
    assert marks == [Mark.DONE, Mark.DONE, Mark.DONE, Mark.CHANGED]
    click(panel.run_controls.run_button)
    ended(panel)
    assert models.passes == before
    assert panel.sections["cells"].text.startswith("16 cell profiles")
    panel.sections["closing"].form.rows["max_iterations"].value = 1
    click(panel.run_controls.run_button)
    ended(panel)
    assert models.passes == {"contours": before["contours"], "closing": before["closing"] + 1}
    # One iteration axis after a second closing, not two.
    assert layer(panel, "iterations").data.shape[0] == 2


def test_run_to_here_stops_there(make_panel, click, ended, models):
    viewer, panel = make_panel(
        scale=(2.0, 0.5, 0.5), units=("um",) * 3, axis_labels=("z", "y", "x")
    )
    click(panel.sections["contours"].run_button)
    ended(panel)
    assert names(viewer) == {"cells in a cross", "Contour probability"}
    # No iterations came, so no axis of them is left.
    assert viewer.dims.ndim == layer(panel, "contours").ndim == 3
    image = viewer.layers["cells in a cross"]
    for word in ("scale", "units", "axis_labels"):
        assert tuple(getattr(layer(panel, "contours"), word)) == tuple(getattr(image, word))
    assert models.passes == {"contours": 1, "closing": 0}
    assert panel.sections["contours"].mark is Mark.DONE
    assert panel.sections["closing"].mark is Mark.READY


def test_the_slider_of_iterations_is_made_while_contours_come(make_panel, click, ended, models):
    """Slider and layer together hold the event loop for a fifth of a second."""
    viewer, panel = make_panel()
    seen = []
    viewer.layers.events.inserted.connect(lambda e: seen.append((e.value.name, viewer.dims.ndim)))
    viewer.dims.events.ndim.connect(lambda e: seen.append(("slider", viewer.dims.ndim)))
    click(panel.run_controls.run_button)
    ended(panel)
    told = [name for name, _ in seen]
    assert told.index("slider") == 1 + told.index("Contour probability")
    assert told.index("slider") < told.index("Contour probability by iteration")
    assert [ndim for name, ndim in seen if name == "slider"] == [4]


def test_the_slice_in_view_comes_first(make_panel, click, ended, models):
    viewer, panel = make_panel()
    image = viewer.layers[0].data
    image[:, 0, 0] = [180, 185, 190, 195]
    viewer.dims.set_current_step(0, 2)
    click(panel.run_controls.run_button)
    ended(panel)
    corners = models.networks["contours"].corners
    # As bright as slices 2, 3, 1 and 0.
    assert np.argsort(np.argsort(corners)).tolist() == [2, 3, 1, 0]


def test_the_window_keeps_a_core(make_panel, click, ended, models):
    import os

    _, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    assert models.params.threads == max(1, os.cpu_count() - 1)


def test_an_error_is_told_once_and_the_dock_is_ready(make_panel, click, ended, models):
    _, panel = make_panel()

    def broken(image):
        raise RuntimeError("CUDA error: device-side assert triggered")

    works = models.networks["closing"].transform
    models.networks["closing"].transform = broken
    click(panel.run_controls.run_button)
    ended(panel)
    assert panel.run_controls.message.text.count("device-side assert triggered") == 1
    assert panel.sections["closing"].mark is not Mark.RUNNING
    assert (
        panel.run_controls.run_button.isEnabled()
        and not panel.run_controls.cancel_button.isEnabled()
    )
    models.networks["closing"].transform = works
    click(panel.run_controls.run_button)
    ended(panel)
    assert panel.run_controls.message.text == ""
    assert panel.sections["cells"].mark is Mark.DONE


def test_a_value_that_cannot_be_stops_before_work(make_panel, click, models):
    _, panel = make_panel()
    panel.sections["closing"].form.rows["tolerance"].value = "2"
    click(panel.run_controls.run_button)
    assert panel.job is None
    assert panel.run_controls.message.text.startswith("Stop below can't be 2.0.")
    assert models.passes["contours"] == 0


def test_without_an_image_the_dock_says_what_it_needs(make_panel, click):
    viewer, panel = make_panel()
    viewer.layers.clear()
    assert panel.stack.layer is None
    click(panel.run_controls.run_button)
    assert panel.run_controls.message.text.startswith("There is no image to segment.")


def test_cancel_keeps_the_last_complete_iteration(make_panel, click, ended, models, qtbot):
    _, panel = make_panel()
    flips = iter(range(10000))

    def restless(image):
        # Every pass changes a pixel row in each slice, so that it never converges.
        image = image.copy()
        image[next(flips) // 4 % 20] = 1
        return image

    models.networks["closing"].transform = restless
    slow(models)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(
        lambda: bool(panel.sources) and len(panel.sources[0].changed) >= 2, timeout=20000
    )
    click(panel.run_controls.cancel_button)
    ended(panel)
    number, probability, _ = panel.sources[0].layers.last_iteration
    assert number >= 2
    expected = (probability > 0.5) | (np.asarray(layer(panel, "contours").data) > 0.5)
    np.testing.assert_array_equal(layer(panel, "closed").data, expected)
    assert f"teration {number} is kept" in panel.run_controls.message.text
    assert layer(panel, "cells") is not None
    assert panel.sections["closing"].mark is Mark.CHANGED
    assert panel.run_controls.run_button.isEnabled()
    assert not threads_alive()


def test_iterations_of_the_run_before_are_not_those_of_a_cancelled_one(
    make_panel, click, ended, models, qtbot
):
    _, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    closed, passes = layer(panel, "closed"), models.passes["closing"]
    assert panel.source.layers.last_iteration[0] >= 1
    slow(models, pause=0.5)
    panel.sections["closing"].form.rows["tolerance"].value = 0.02
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: models.passes["closing"] > passes, timeout=20000)
    click(panel.run_controls.cancel_button)
    ended(panel)
    assert panel.source.layers.last_iteration is None
    assert panel.run_controls.message.text == "Cancelled. Finished steps are kept."
    assert layer(panel, "closed") is closed


def test_another_size_that_is_cancelled_leaves_the_run_before_whole(
    make_panel, click, ended, models, qtbot, tmp_path, monkeypatch
):
    """Its iterations have other pixels than what the cancelled run began with."""
    viewer, panel = make_panel()
    click(panel.run_controls.run_button)
    ended(panel)
    before = np.array(layer(panel, "cells").data)
    source = panel.source
    assert source.layers.last_iteration[0] >= 1
    slow(models, pause=0.5)
    panel.sections["preprocess"].form.rows["size"].value = 10
    click(panel.run_controls.run_button)
    ready = source.result.preprocessed
    qtbot.waitUntil(lambda: source.layers.preprocessed is not ready, timeout=20000)
    click(panel.run_controls.cancel_button)
    ended(panel)
    assert "shape" not in panel.run_controls.message.text
    assert source.layers.last_iteration is None
    np.testing.assert_array_equal(layer(panel, "cells").data, before)
    # What is in view can be proofread.
    _, dock = dock_panel(viewer, "COp-Net proofreading")
    given = lambda *_, **__: (str(tmp_path / "session"), "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", given)
    with qtbot.waitSignal(dock.opened, timeout=60000):
        click(dock.begin_button)
    assert not dock.message.text and dock.session.shape == before.shape
    dock.shut_down()


def test_typing_the_voxel_size_leaves_the_view_where_it_is(make_panel, qtbot):
    viewer, panel = make_panel(show=True)
    image = viewer.layers[0]
    viewer.dims.set_current_step(0, 1)
    camera = camera_of(viewer)
    camera.center, camera.zoom = (0, 12, 7), 20
    for axis, size in (("z", "0.05"), ("y", "0.015"), ("x", "0.015")):
        field = panel.stack.voxels[axis]
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, size)
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert viewer.dims.current_step[0] == 1
        at = image.world_to_data((viewer.dims.point[0], *camera.center[-2:]))
        np.testing.assert_allclose(at, (1, 12, 7))
    assert camera.zoom * image.scale[-1] == pytest.approx(20)
    picture = viewer.screenshot(flash=False, canvas_only=True)
    assert (picture[..., 0] == 200).mean() > 0.1  # the image is there


def test_an_image_deleted_during_a_run(make_panel, click, ended, models, qtbot):
    viewer, panel = make_panel()
    slow(models)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: "Contour probability" in names(viewer))
    viewer.layers.remove("cells in a cross")
    ended(panel)
    assert "cells in a cross: cells" in names(viewer)
    assert "was deleted in the meantime" in panel.run_controls.message.text


def test_a_result_deleted_during_a_run_stays_away_until_the_next(
    make_panel, click, ended, models, qtbot
):
    viewer, panel = make_panel()
    slow(models, pause=0.4)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: "Contour probability" in names(viewer))
    viewer.layers.remove("Contour probability")
    slow(models, pause=0)
    ended(panel)
    assert "Contour probability" not in names(viewer)
    assert "cells in a cross: cells" in names(viewer)
    assert "was deleted" in panel.run_controls.message.text
    click(panel.run_controls.run_button)
    ended(panel)
    assert "Contour probability" in names(viewer)


def test_results_stay_with_their_layer(make_panel, click, ended, models, qtbot):
    viewer, panel = make_panel()
    first = viewer.layers[0]
    other = viewer.add_image(np.zeros((3, 20, 20), np.uint8), name="other")
    panel.stack.choose(first)
    slow(models)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: "Contour probability" in names(viewer))
    panel.stack.choose(other)
    first.name = "renamed"
    ended(panel)
    assert layer(panel, "cells").data.shape == first.data.shape
    assert panel.stack.layers.itemText(0) == "renamed"
    # The other image was not run: its sections do not speak of the first one's results.
    assert panel.sections["cells"].mark is Mark.READY
    panel.stack.choose(first)
    panel._refresh()
    assert panel.sections["cells"].mark is Mark.DONE


def test_closing_the_window_during_a_run_leaves_no_thread(make_panel, click, models, qtbot):
    viewer, panel = make_panel(show=True)
    slow(models, pause=0.5)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: "Contour probability" in names(viewer))
    assert threads_alive()
    viewer.close()
    qtbot.waitUntil(lambda: not threads_alive())
    assert not [t for t in threading.enumerate() if t.name.startswith("copnet")]


def test_closing_the_dock_during_a_run_leaves_no_thread(make_panel, click, models, qtbot):
    viewer, panel = make_panel()
    slow(models)
    click(panel.run_controls.run_button)
    qtbot.waitUntil(lambda: "Contour probability" in names(viewer))
    viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: not threads_alive())
    assert panel.job is None


def test_voxel_size_is_asked_for_and_given_to_image_and_results(make_panel, click, ended, qtbot):
    viewer, panel = make_panel(axis_labels=tuple("zyx"))
    click(panel.run_controls.run_button)
    ended(panel)
    assert [field.text() for field in panel.stack.voxels.values()] == ["", "", ""]
    assert not panel.stack._voxel_note.isHidden()
    for axis, text in zip("zyx", ("0.05", "0.015", "0.015"), strict=True):
        field = panel.stack.voxels[axis]
        field.setFocus()
        qtbot.keyClicks(field, text)
        field.editingFinished.emit()
    assert panel.stack._voxel_note.isHidden()
    for made in (viewer.layers[0], layer(panel, "cells"), layer(panel, "contours")):
        np.testing.assert_allclose(made.scale, (0.05, 0.015, 0.015))
        assert [str(unit) for unit in made.units] == ["micrometer"] * 3
    np.testing.assert_allclose(layer(panel, "iterations").scale, (1, 0.05, 0.015, 0.015))


def test_a_voxel_size_that_cannot_be_is_told(make_panel):
    viewer, panel = make_panel()
    panel.stack.voxels["x"].setText("-3")
    panel.stack.voxels["x"].editingFinished.emit()
    assert "'-3' is not a size" in panel.stack._voxel_note.text()
    assert viewer.layers[0].scale[2] == 1


@pytest.mark.parametrize("shape", [(48, 48), (4, 48, 48)])
def test_images_and_time_stacks_run_too(make_panel, click, ended, shape):
    data = made_image().reshape(-1, 48, 48)[: shape[0] if len(shape) == 3 else 1]
    labels = ("t", "y", "x")[-len(shape) :]
    _, panel = make_panel(data=data.reshape(shape), axis_labels=labels)
    assert panel.stack.is_time == (len(shape) == 3)
    click(panel.run_controls.run_button)
    ended(panel)
    assert layer(panel, "cells").data.shape == shape
    assert tuple(layer(panel, "cells").axis_labels) == labels
    assert panel.sources[0].result.stack.axes == ("tyx" if len(shape) == 3 else "zyx")


def test_a_file_is_opened_as_a_layer(make_panel, ended, tmp_path):
    import tifffile

    _, panel = make_panel()
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8))
    panel.open(path)
    ended(panel)
    assert panel.stack.layer.data.shape == (2, 8, 8)
    panel.open(tmp_path / "missing.tif")
    ended(panel)
    assert "missing.tif does not exist." in panel.run_controls.message.text


def test_results_are_seen(make_panel, click, ended, qtbot):
    grain = np.random.default_rng(0).integers(0, 20, (4, 48, 48)).astype(np.uint8)
    viewer, panel = make_panel(show=True, data=made_image() + grain)
    click(panel.run_controls.run_button)
    ended(panel)

    def has_colours():
        picture = viewer.screenshot(flash=False)
        return len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 20

    qtbot.waitUntil(has_colours)
    viewer.dims.ndisplay = 3
    qtbot.waitUntil(has_colours)
