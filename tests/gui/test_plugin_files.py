"""The plugin as napari sees it: manifest, readers, writers, samples, preferences."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tifffile

from napari_copnet.io.public_sequences import DIC_HELA, read_sequence
from napari_copnet.io.write import write_image
from napari_copnet.progress import finish
from napari_copnet.types import VoxelSize

PLUGIN = "napari-copnet"


def fresh(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_manifest_is_valid_and_every_command_exists():
    from npe2 import PluginManifest
    from npe2.manifest.utils import import_python_name

    manifest = PluginManifest.from_distribution(PLUGIN)
    manifest.validate_imports()
    commands = {c.id: import_python_name(c.python_name) for c in manifest.contributions.commands}
    assert all(callable(command) for command in commands.values())
    used = [w.command for w in manifest.contributions.widgets]
    used += [item.command for items in manifest.contributions.menus.values() for item in items]
    assert set(used) <= set(commands)
    for menu in ("layers/register", "layers/segment", "layers/measure", "file/io_utilities"):
        assert manifest.contributions.menus[f"napari/{menu}"]


def test_manifest_and_readers_load_nothing_heavy():
    done = fresh(
        "import sys\n"
        "from npe2 import PluginManifest\n"
        "PluginManifest.from_distribution('napari-copnet')\n"
        "import napari_copnet.gui.readers, napari_copnet.gui.writers\n"
        "import napari_copnet.gui.sample_data, napari_copnet.gui.commands\n"
        "heavy = {'napari', 'qtpy', 'torch', 'nnunetv2', 'scipy', 'skimage', 'numpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def run_folder(tmp_path):
    """A run with one cell per slice, as `copnet run` leaves it."""
    folder = tmp_path / "run"
    folder.mkdir()
    frame = {"voxel_size": VoxelSize(0.05, 0.01, 0.02), "axes": "zyx"}
    shape = (2, 6, 8)
    contours = np.zeros(shape, np.float32)
    contours[:, 2] = 0.9
    write_image(folder / "contours", contours, kind="contours", **frame)
    write_image(folder / "iterations", np.stack([contours] * 3), kind="iterations", **frame)
    write_image(folder / "closed", (contours > 0.5).astype(np.uint8), kind="closed", **frame)
    write_image(folder / "cells", np.full(shape, 70000, np.uint32), kind="cells", **frame)
    stack = write_image(tmp_path / "stack", np.arange(96, dtype=np.uint8).reshape(shape), **frame)
    record = {
        "inputs": {"stack": {"path": str(stack)}},
        "changed": [0.01, 0.0],
        "settings": {"closing": {"unite": False}, "cells": {"min_size": 3}},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_results_too_large_for_memory_are_read_slice_by_slice(run_folder, monkeypatch):
    from napari_copnet.gui.readers import read_run_folder

    monkeypatch.setattr("napari_copnet.io.raw.LAZY_BYTES", 0)
    data = {more["name"]: data for data, more, _ in read_run_folder(str(run_folder))}
    for name in ("Contour probability", "Closed contour", "Cells"):
        assert not isinstance(data[name], np.ndarray)
    assert data["Cells"][1].max() == 70000


class TestInTheWindow:
    @pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".ome.zarr"])
    def test_a_stack_lies_where_its_file_says(self, make_napari_viewer, tmp_path, suffix):
        values = np.arange(2 * 6 * 8, dtype=np.uint8).reshape(2, 6, 8)
        path = write_image(
            tmp_path / f"stack{suffix}",
            values,
            voxel_size=VoxelSize(0.05, 0.01, 0.02),
            translate=(1.0, 2.0, 3.0),
        )
        viewer = make_napari_viewer()
        (layer,) = viewer.open(str(path), plugin=PLUGIN)
        assert np.array_equal(np.asarray(layer.data), values)
        assert np.allclose(layer.scale, (0.05, 0.01, 0.02))
        assert np.allclose(layer.translate, (1, 2, 3), atol=1e-6)
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert layer.axis_labels == ("z", "y", "x")

    def test_unknown_sizes_stay_in_pixels(self, make_napari_viewer, tmp_path):
        tifffile.imwrite(tmp_path / "plain.tif", np.zeros((5, 8, 8), np.uint8))
        viewer = make_napari_viewer()
        (layer,) = viewer.open(str(tmp_path / "plain.tif"), plugin=PLUGIN)
        assert [str(unit) for unit in layer.units] == ["pixel"] * 3

    def test_a_colour_image_is_asked_about_in_one_sentence(self, make_napari_viewer, tmp_path):
        rgb = np.zeros((3, 8, 8, 3), np.uint8)
        tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb")
        viewer = make_napari_viewer()
        with pytest.raises(Exception, match="COp-Net dock"):
            viewer.open(str(tmp_path / "rgb.tif"), plugin=PLUGIN)
        assert not viewer.layers

    def test_a_run_comes_back_whole(self, make_napari_viewer, run_folder):
        viewer = make_napari_viewer()
        layers = viewer.open(str(run_folder), plugin=PLUGIN)
        kinds = {
            (layer.metadata.get("copnet") or {}).get("role", "image"): layer for layer in layers
        }
        assert set(kinds) == {"image", "contours", "iterations", "closed", "cells"}
        assert kinds["iterations"].data.shape == (3, 2, 6, 8)
        assert kinds["iterations"].metadata["copnet"]["changed"] == {1: 0.01, 2: 0.0}
        assert type(kinds["cells"]).__name__ == "Labels" and kinds["cells"].data.max() == 70000
        for layer in layers:
            assert np.allclose(layer.scale[-3:], (0.05, 0.01, 0.02))

    def test_a_run_without_its_image_still_opens(self, make_napari_viewer, run_folder):
        (run_folder.parent / "stack.tif").unlink()
        viewer = make_napari_viewer()
        assert len(viewer.open(str(run_folder), plugin=PLUGIN)) == 4

    @pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".zarr"])
    def test_labels_come_back_as_they_were_saved(self, make_napari_viewer, tmp_path, suffix):
        viewer = make_napari_viewer()
        cells = np.zeros((2, 6, 8), np.int64)
        cells[1, 2:4] = 70000
        units = ("nanometer", "nanometer", "nanometer")
        layer = viewer.add_labels(cells, scale=(50, 10, 20), units=units)
        (written,) = layer.save(str(tmp_path / f"cells{suffix}"), plugin=PLUGIN)
        viewer.layers.clear()
        (back,) = viewer.open(written, plugin=PLUGIN)
        assert np.array_equal(back.data, cells)
        assert type(back).__name__ == "Labels"
        assert np.allclose(back.scale, (0.05, 0.01, 0.02))

    def test_a_single_image_and_unknown_sizes_can_be_saved(self, make_napari_viewer, tmp_path):
        viewer = make_napari_viewer()
        layer = viewer.add_image(np.eye(8, dtype=np.float32))
        (written,) = layer.save(str(tmp_path / "probability.tif"), plugin=PLUGIN)
        (back,) = viewer.open(written, plugin=PLUGIN)
        assert np.array_equal(np.asarray(back.data).squeeze(), np.eye(8))
        assert {str(unit) for unit in back.units} == {"pixel"}

    def test_made_tissue_opens_with_its_truth(self, make_napari_viewer):
        viewer = make_napari_viewer()
        image, contour, cells = viewer.open_sample(PLUGIN, "made_tissue")
        assert image.data.shape == contour.data.shape == cells.data.shape == (12, 512, 512)
        assert np.allclose(cells.scale, (0.1, 0.05, 0.05))
        # Dark membranes are what the true contour marks.
        assert image.data[contour.data > 0].mean() < 0.8 * image.data[contour.data == 0].mean()
        assert len(np.unique(cells.data)) > 100

    @pytest.mark.parametrize("kind", ["labels", "image"])
    def test_saving_from_the_palette_asks_where(
        self, make_napari_viewer, npe2pm, tmp_path, monkeypatch, kind
    ):
        from napari._app_model import get_app_model
        from npe2 import PluginManifest
        from qtpy.QtWidgets import QFileDialog

        npe2pm.register(PluginManifest.from_distribution(PLUGIN))
        viewer = make_napari_viewer()
        path, told = tmp_path / "saved.tif", []
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
        monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
        command = f"napari-copnet.write_{kind}"
        assert get_app_model().commands.execute_command(command).result() == []
        assert told and "layer list" in told[0]
        layer = getattr(viewer, f"add_{kind}")(np.ones((2, 6, 8), np.uint8), name="mine")
        viewer.layers.selection = {layer}
        assert get_app_model().commands.execute_command(command).result() == [str(path)]
        assert tifffile.imread(path).shape == (2, 6, 8)

    def test_opening_from_the_palette_asks_for_a_file(
        self, make_napari_viewer, npe2pm, monkeypatch, qtbot
    ):
        from napari._app_model import get_app_model
        from npe2 import PluginManifest
        from qtpy.QtWidgets import QFileDialog

        from napari_copnet.gui.commands import main_dock

        npe2pm.register(PluginManifest.from_distribution(PLUGIN))
        viewer, asked = make_napari_viewer(show=True), []
        for ask in ("getOpenFileName", "getExistingDirectory"):
            answer = ("", "") if ask == "getOpenFileName" else ""
            monkeypatch.setattr(
                QFileDialog,
                ask,
                lambda *_, ask=ask, answer=answer, **__: asked.append(ask) or answer,
            )
        for command in ("read_stack", "read_folder"):
            run = get_app_model().commands.execute_command(f"napari-copnet.{command}")
            assert run.result() is None
        assert asked == ["getOpenFileName", "getExistingDirectory"]
        main_dock(viewer).shut_down()

    def test_preferences_offer_device_and_cache_folder(self, plugin_settings, npe2pm, tmp_path):
        from napari.settings import get_plugin_settings
        from npe2 import PluginManifest

        from napari_copnet.gui import preferences
        from napari_copnet.params import DeviceParams, settings

        npe2pm.register(PluginManifest.from_distribution(PLUGIN))
        chosen = get_plugin_settings(PLUGIN).general
        assert preferences.device() == "auto"
        chosen.device = "cpu"
        chosen.cache_folder = str(tmp_path)
        assert preferences.device() == "cpu"
        assert preferences.cache_folder() == tmp_path
        manifest = PluginManifest.from_distribution(PLUGIN)
        offered = manifest.contributions.configurations["general"].properties["device"].enum
        assert tuple(offered) == settings(DeviceParams)["device"].choices


def test_preferences_fall_back_where_the_plugin_is_not_registered(plugin_settings):
    from napari_copnet.gui import preferences

    assert preferences.device() == "auto"
    assert "napari-copnet" in str(preferences.cache_folder())


def test_a_fetched_sequence_is_read_from_its_archive(tmp_path):
    archive = tmp_path / "made.zip"
    with zipfile.ZipFile(archive, "w") as files:
        for t in (1, 0):
            for place, values in (("01/t", t + 1), ("01_ST/SEG/man_seg", t + 7)):
                file = tmp_path / "frame.tif"
                tifffile.imwrite(file, np.full((4, 5), values, np.uint16))
                files.write(file, f"DIC-C2DH-HeLa/{place}00{t}.tif")
        files.writestr("../DIC-C2DH-HeLa/01/t009.tif", b"not read")
    stack, labels = finish(read_sequence(archive, DIC_HELA))
    assert stack.axes == "tyx" and stack.voxel_size == (None, 0.19, 0.19)
    assert stack.data[:, 0, 0].tolist() == [1, 2]
    assert labels[:, 0, 0].tolist() == [7, 8]
    assert not (tmp_path / "DIC-C2DH-HeLa").exists()
