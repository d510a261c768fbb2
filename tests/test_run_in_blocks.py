"""A run in blocks of any size, stopped or not, gives what it gives in one piece."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    Settings,
)
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, finish
from napari_copnet.restored import restore, restored_lazily
from napari_copnet.runs.finished_run import finished_run
from napari_copnet.runs.run_record import OUTPUTS, save_run
from napari_copnet.store.folder import FolderStore
from napari_copnet.types import SliceResult, Stack, VoxelSize

DEPTH, SIDE = 7, 72


class Growing:
    """Step 1 takes dark pixels for contour, less surely where noise is; Step 2 closes a little."""

    plan = SimpleNamespace(dimensions=2)

    def __init__(self, package, device):
        self.kind = package.kind

    def predict(self, images, **options):
        result = np.empty((len(images), *images.shape[2:]), np.float32)
        for index, image in enumerate(images[:, 0]):
            if self.kind == "contours":
                result[index] = 1 / (1 + np.exp(6 * (image + 1.1)))
            else:
                closed = ndimage.grey_closing(image, size=(3, 3))
                result[index] = np.clip(0.4 * image + 0.6 * closed, 0, 1)
            yield Progress(
                "predict",
                index + 1,
                len(images),
                "slices",
                partial=SliceResult(index, result[index]),
            )
        return result


def tissue(padded=True):
    """Cells that drift, walls with gaps, a blank slice, and padding in some."""
    rng = np.random.default_rng(1)
    stack = np.full((DEPTH, SIDE, SIDE), 180.0)
    for z, image in enumerate(stack):
        for line in range(4, SIDE, 17):
            at = line + 2 * (z > 3)
            image[at : at + 2] = image[:, at : at + 2] = 60
        for _ in range(6):
            y, x = rng.integers(0, SIDE - 4, 2)
            image[y : y + 4, x : x + 4] = 180
    stack = np.clip(stack + rng.normal(0, 9, stack.shape), 1, 255).round()
    stack[2] = 90
    if padded:
        stack[4:, :, :9] = 0
    return Stack(stack.astype(np.uint8), VoxelSize(0.05, 0.01, 0.01))


@pytest.fixture
def settings(tiny_models):
    return Settings(
        preprocess=PreprocessParams(size=96, invert="no"),
        device=DeviceParams(device="cpu"),
        contours=ContourParams(contour_model=str(tiny_models["contours"])),
        closing=ClosingParams(
            closing_model=str(tiny_models["closing"]),
            keep_iterations=True,
            least_gain=-9.0,
            least_chance=0.0,
        ),
        cells=CellParams(min_size=3),
    )


def same(one, other):
    """Assert that two runs made the same."""
    for first, second in (
        (one.preprocessed.data, other.preprocessed.data),
        (one.preprocessed.margin, other.preprocessed.margin),
        (one.contours, other.contours),
        (one.closing.mask, other.closing.mask),
        (one.closing.probability, other.closing.probability),
        (one.closing.iterations, other.closing.iterations),
        (one.cells.labels, other.cells.labels),
    ):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))
    np.testing.assert_array_equal(one.preprocessed.frame.shifts, other.preprocessed.frame.shifts)
    np.testing.assert_array_equal(one.closing.changed_by_slice, other.closing.changed_by_slice)
    np.testing.assert_array_equal(one.cells.counts, other.cells.counts)
    np.testing.assert_array_equal(one.cells.links, other.cells.links)
    assert one.cells.largest == other.cells.largest == int(np.asarray(one.cells.labels).max())
    assert one.closing.certainty == other.closing.certainty
    assert one.notes == other.notes
    assert one.closing.settled == other.closing.settled


@pytest.mark.parametrize(
    ("mode", "rule"), [("slice", "plain"), ("linked", "scoring"), ("3d", "plain")]
)
def test_blocks_of_any_size_give_the_same(settings, tmp_path, mode, rule):
    border = mode != "slice"
    cells = dataclasses.replace(
        settings.cells, mode=mode, rule=rule, remove_border=border, dilation=1, grow=3
    )
    settings = dataclasses.replace(settings, cells=cells)
    whole = finish(run(tissue(), settings, load=Growing, block=DEPTH))
    # There is something to be the same.
    assert whole.cells.largest > 2
    assert whole.closing.likely_gaps and len(whole.closing.changed) > 2
    assert whole.preprocessed.frame.shifts.any() and whole.preprocessed.padding is not None
    for block in (1, 3):
        store = FolderStore(tmp_path / str(block))
        same(whole, finish(run(tissue(), settings, load=Growing, store=store, block=block)))
    same(whole, finish(run(tissue(), settings, load=Growing, block=2)))


def test_results_of_the_original_size_are_made_slice_by_slice(settings):
    result = finish(run(tissue(), settings, load=Growing))
    lazy, whole = restored_lazily(result), finish(restore(result))
    for name in OUTPUTS:
        made = getattr(lazy, name)
        assert made.dtype == getattr(whole, name).dtype
        np.testing.assert_array_equal(np.asarray(made), getattr(whole, name))


@pytest.mark.parametrize("stop", [3, 10, 25, 40, 60, 80, 100])
def test_a_run_that_is_stopped_anywhere_goes_on_where_it_was(settings, tmp_path, stop):
    whole = finish(run(tissue(), settings, load=Growing))
    store = FolderStore(tmp_path / "work")
    work = run(tissue(), settings, load=Growing, store=store, block=2)
    for _ in range(stop):
        next(work)
    work.close()
    # What a process finds that comes after one that was killed.
    again = FolderStore(tmp_path / "work")
    same(whole, finish(run(tissue(), settings, load=Growing, store=again, block=2)))


def test_a_finished_run_does_nothing_and_a_changed_setting_only_what_follows(settings, tmp_path):
    loaded = []

    def load(package, device):
        loaded.append(package.kind)
        return Growing(package, device)

    store = FolderStore(tmp_path / "work")
    first = finish(run(tissue(), settings, load=load, store=store))
    assert loaded == ["contours", "closing"]
    second = finish(run(tissue(), settings, load=load, store=FolderStore(tmp_path / "work")))
    assert second.seconds == {} and len(loaded) == 2
    same(first, second)
    changed = dataclasses.replace(settings, cells=CellParams(mode="3d"))
    third = finish(run(tissue(), changed, load=load, store=FolderStore(tmp_path / "work")))
    assert set(third.seconds) == {"cells", "verdict"} and len(loaded) == 2
    alone = finish(run(tissue(), changed, load=Growing))
    np.testing.assert_array_equal(np.asarray(third.cells.labels), alone.cells.labels)


def test_a_folder_that_holds_the_same_run_is_known(settings, tmp_path):
    result = finish(run(tissue(), settings, load=Growing))
    record = save_run(result, restored_lazily(result), settings, tmp_path)
    known = finished_run(tmp_path, result.key, "original", "tiff", OUTPUTS)
    assert known == record
    assert finished_run(tmp_path, "another key", "original", "tiff", OUTPUTS) is None
    assert finished_run(tmp_path, result.key, "processed", "tiff", OUTPUTS) is None
    assert finished_run(tmp_path, result.key, "original", "ome-zarr", OUTPUTS) is None
    (tmp_path / "cells.tif").unlink()
    assert finished_run(tmp_path, result.key, "original", "tiff", OUTPUTS) is None
    assert finished_run(tmp_path, result.key, "original", "tiff", ["closed"]) == record


def test_only_the_results_that_are_asked_for_are_written(settings, tmp_path):
    result = finish(run(tissue(), settings, load=Growing))
    record = save_run(result, restored_lazily(result), settings, tmp_path, outputs=["cells"])
    assert set(record["files"]) == {"cells", "padding", "run.json"}
    assert not (tmp_path / "closed.tif").exists()


def test_a_finished_run_of_light_membranes_does_nothing_either(settings, tmp_path):
    light = tissue(padded=False)
    light = dataclasses.replace(light, data=255 - light.data)
    settings = dataclasses.replace(settings, preprocess=PreprocessParams(align=False))
    first = finish(run(light, settings, load=Growing, store=FolderStore(tmp_path / "store")))
    assert first.preprocessed.inverted and len(first.size.tried) > 1
    again = finish(run(light, settings, load=None, store=FolderStore(tmp_path / "store")))
    assert again.seconds == {}
    same(first, again)


def test_what_another_version_made_is_made_again(settings, tmp_path, monkeypatch):
    first = finish(run(tissue(), settings, load=Growing, store=FolderStore(tmp_path / "store")))
    monkeypatch.setattr("napari_copnet.pipeline.__version__", "another")
    again = finish(run(tissue(), settings, load=Growing, store=FolderStore(tmp_path / "store")))
    assert set(again.seconds) == set(first.seconds) and again.key != first.key
    same(first, again)
