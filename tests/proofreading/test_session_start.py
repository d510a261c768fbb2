"""A session begun from a run in memory and from its folder shows the same."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    PreprocessParams,
    Settings,
)
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_files import make
from napari_copnet.proofreading.session_start import from_result, from_run_folder, scaled_params
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
