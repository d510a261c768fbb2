"""A session begun from a run in memory and from its folder shows the same."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_copnet.errors import InputError
from napari_copnet.io.check import check_pixels
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    PreprocessParams,
    ReadParams,
    Settings,
)
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_files import make
from napari_copnet.proofreading.session_start import (
    Start,
    from_result,
    from_run_folder,
    scaled_params,
)
from napari_copnet.restored import restore
from napari_copnet.runs.run_record import save_run
from napari_copnet.types import Stack, VoxelSize


@pytest.fixture(scope="module")
def made(tiny_models, tmp_path_factory):
    """A run of three slices, one of them blank, shrunk for the networks, with its folder."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 255, (3, 48, 40)).astype(np.uint8)
    data[1] = 7
    folder = tmp_path_factory.mktemp("made")
    path = write_image(folder / "stack.tif", data)
    settings = Settings(
        preprocess=PreprocessParams(size=24),
        contours=ContourParams(contour_model=str(tiny_models["contours"])),
        closing=ClosingParams(
            closing_model=str(tiny_models["closing"]), max_iterations=2, keep_iterations=True
        ),
        cells=CellParams(min_size=4),
    )
    stack = Stack(data, VoxelSize(0.1, 0.01, 0.01), source=path)
    result = finish(run(stack, settings))
    restored = finish(restore(result))
    save_run(result, restored, settings, folder / "run")
    return result, restored, settings, folder / "run"


def test_a_run_and_its_folder_begin_the_same_session(made):
    result, restored, settings, folder = made
    first, second = from_result(result, restored, settings), from_run_folder(folder)
    assert np.array_equal(first.contour, second.contour)
    np.testing.assert_allclose(first.step1, second.step1)
    np.testing.assert_allclose(first.iterations, second.iterations)
    assert np.array_equal(first.excluded, second.excluded) and first.excluded[1].all()
    assert np.array_equal(first.converged, second.converged)
    assert first.cells == second.cells and first.cells.min_size == 16
    assert np.array_equal(first.stack.data, second.stack.data)


def test_the_image_is_read_as_the_run_read_it(made, tmp_path):
    """Of several channels, with pixels that were filled."""
    result, restored, settings, _ = made
    data = np.stack([np.zeros(result.stack.shape), result.stack.data]).astype(np.float32)
    data[1, 2, 5, 6] = np.nan
    path = tmp_path / "two.ome.tif"
    tifffile.imwrite(path, data, ome=True, metadata={"axes": "CZYX"})
    read = ReadParams(channel=1, repair=True)
    stack = check_pixels(read_stack(path, read), True)
    save_run(replace(result, stack=stack), restored, settings, tmp_path / "run", read=read)
    start = from_run_folder(tmp_path / "run")
    assert start.stack.source == path
    np.testing.assert_array_equal(start.stack.data, stack.data)
    # The same from a session that only refers to it.
    with Session.create(tmp_path / "s", start, keep_image=False) as session:
        assert not session.facts.image["kept"]
        np.testing.assert_array_equal(session.image, stack.data)


def test_a_large_run_is_read_slice_by_slice(made, tmp_path, monkeypatch):
    eager = from_run_folder(made[3])
    monkeypatch.setattr("napari_copnet.proofreading.session_start.EAGER_BYTES", 0)
    start = from_run_folder(made[3])
    for name in ("contour", "step1", "iterations", "excluded"):
        lazy, known = getattr(start, name), getattr(eager, name)
        assert isinstance(lazy, LazyArray) and isinstance(known, np.ndarray)
        assert lazy.dtype == known.dtype and np.array_equal(lazy, known)
    # Never whole: it would not fit.
    monkeypatch.setattr(LazyArray, "__array__", None)
    told = []
    folder = finish(make(tmp_path / "s", start), told.append)
    assert [p.done for p in told] == [*range(1, 1 + int(told[-1].total))]
    with Session.open(folder) as session, Session.create(tmp_path / "eager", eager) as other:
        for z in range(3):
            assert np.array_equal(session.contour[z], other.contour[z])
            assert np.array_equal(session.cells(z), other.cells(z))
            assert np.array_equal(session.probability(z), other.probability(z))
            assert np.array_equal(session.image[z], other.image[z])


def test_the_processed_frame_can_be_kept(made):
    result, _, settings, _ = made
    start = from_result(result, None, settings)
    assert start.contour.shape == start.stack.shape == (3, 24, 20)
    assert start.cells.min_size == 4


def test_what_goes_in_is_what_the_session_shows(made, tmp_path):
    start = from_run_folder(made[3])
    with Session.create(tmp_path / "s", start) as session:
        assert np.array_equal(session.contour, start.contour > 0)
        assert np.array_equal(session.image, start.stack.data)
        np.testing.assert_allclose(session.step1, start.step1)
        np.testing.assert_allclose(session.iterations, start.iterations, atol=1e-3)
        assert np.array_equal(session.run_contour(2), start.contour[2] > 0)
        assert not session.ids(1).any()
        assert session.facts.runs[0]["models"] == start.record["models"]
        assert session.facts.voxel_size == VoxelSize(0.1, 0.01, 0.01)


def test_a_folder_that_holds_no_run_is_told(tmp_path, made):
    with pytest.raises(InputError, match="not a folder"):
        from_run_folder(tmp_path / "none")
    write_image(tmp_path / "contours.tif", np.zeros((1, 4, 4), np.float32))
    with pytest.raises(InputError, match="no closed contours"):
        from_run_folder(tmp_path)
    write_image(tmp_path / "closed.tif", np.zeros((1, 4, 5), np.uint8))
    with pytest.raises(InputError, match="differ in size"):
        from_run_folder(tmp_path)


def test_cell_settings_of_another_version_do_not_hinder(tmp_path):
    write_image(tmp_path / "closed.tif", np.zeros((1, 4, 4), np.uint8))
    record = {"settings": {"cells": {"shape": "round"}}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert from_run_folder(tmp_path).cells == CellParams()


def test_sizes_follow_the_resolution():
    params = scaled_params(CellParams(min_size=30, dilation=3, grow=10), (1024, 1024), (512, 512))
    assert params == replace(CellParams(), min_size=120, dilation=6, grow=20)


def test_cells_are_linked_as_in_the_run_where_slices_were_aligned(tmp_path):
    """A cell that drifts by its width is one for the run, and for a session made of it."""
    closed = np.ones((3, 60, 60), np.uint8)
    shifts = np.array([[0.0, 0.0], [5.0, -7.0], [10.0, -14.0]])
    for z, (dy, dx) in enumerate(shifts.astype(int)):
        closed[z, 20 - dy : 28 - dy, 30 - dx : 38 - dx] = 0
    step1 = closed.astype(np.float32)
    start = Start(closed, step1, cells=CellParams(min_size=4))
    assert cells_of(start, tmp_path / "apart") == 3
    aligned = replace(start, shifts=shifts.astype(int))
    assert cells_of(aligned, tmp_path / "linked") == 1


def cells_of(start, folder):
    finish(make(folder, start))
    with Session.open(folder) as session:
        ids = np.concatenate([np.unique(session.cells(z)) for z in range(3)])
    return np.unique(ids[ids > 0]).size


def test_shifts_are_in_pixels_of_the_frame_of_the_session(made):
    result, restored, settings, folder = made
    shifts = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, -2.0]])
    frame = replace(result.preprocessed.frame, shifts=shifts)
    moved = replace(result, preprocessed=replace(result.preprocessed, frame=frame))
    start = from_result(moved, restored, settings)
    # 48 × 40 px were shrunk to 24 × 20.
    assert start.shifts.tolist() == [[0, 0], [0, 0], [2, -4]]
    assert from_result(moved, None, settings).shifts is None
    record = json.loads((folder / "run.json").read_text())
    record["frame"]["shifts"] = shifts.tolist()
    other = folder.parent / "shifted"
    shutil.copytree(folder, other)
    (other / "run.json").write_text(json.dumps(record))
    assert from_run_folder(other).shifts.tolist() == start.shifts.tolist()
