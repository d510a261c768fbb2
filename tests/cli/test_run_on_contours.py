"""`copnet run --contours`: Step 1 from elsewhere, recorded so that the run can be repeated."""

import json

import h5py
import numpy as np
import pytest
from test_commands import SIZE, run_arguments

from napari_copnet.io.read import read_image
from napari_copnet.io.write import write_image

SHAPE = (3, 40, 48)


def probability(shape=SHAPE):
    """Two walls in the middle of every slice, as soft as networks draw them."""
    y, x = np.indices(shape[1:])
    soft = np.exp(-((y - shape[1] // 2) ** 2) / 4), np.exp(-((x - shape[2] // 2) ** 2) / 4)
    return np.stack([np.maximum(*soft)] * shape[0]).astype(np.float32)


@pytest.fixture
def stack(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    return write_image(tmp_path / "in" / "stack.tif", image, voxel_size=SIZE)


@pytest.fixture
def ilastik(tmp_path):
    """Return a file as ilastik exports probabilities: a channel for each class."""
    contour = probability()
    path = tmp_path / "given" / "Probabilities.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        data = file.create_dataset("exported_data", data=np.stack([1 - contour, contour], -1))
        data.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "zyxc"]})
    return path


def test_it_takes_the_place_of_step_1(answer, stack, ilastik, tmp_path, tiny_models):
    out = tmp_path / "out"
    command = [*run_arguments(stack, out, tiny_models), "--no-align", "--contours", ilastik]
    command[command.index("--size") + 1] = 0
    record = answer(*command, "--contours-channel", 1)
    written = read_image(record["files"]["contours"])
    np.testing.assert_allclose(written.data, probability(), atol=1e-5)
    assert written.voxel_size == pytest.approx(SIZE)
    assert set(record["models"]) == {"closing"}
    assert record["inputs"]["contours"]["sha256"]
    assert any("Probabilities" in note for note in record["notes"])
    # Nothing is left to do, until the contours are others.
    again = answer(*command, "--contours-channel", 1)
    assert again["date"] == record["date"] and again["seconds"] == record["seconds"]
    other = answer(*command, "--contours-channel", 0)
    assert other["key"] != record["key"] and "contours" in other["seconds"]


def test_such_a_run_is_repeated_and_proofread(
    answer, copnet, stack, ilastik, tmp_path, tiny_models
):
    out = tmp_path / "out"
    options = ("--contours", ilastik, "--contours-channel", 1)
    answer(*run_arguments(stack, out, tiny_models), *options)
    report = answer("rerun", out)
    assert report["same"] is True and report["differences"] == []
    assert set(report["results"]) == {"contours", "closed", "cells"}
    assert answer("session", "create", out, "--out", tmp_path / "session")
    moved = tmp_path / "moved.h5"
    ilastik.rename(moved)
    done = copnet("rerun", out, "--json", "--out", tmp_path / "second")
    assert done.exit_code == 1 and "--contours" in json.loads(done.stdout)["hint"]
    report = answer("rerun", out, "--contours", moved, "--out", tmp_path / "second")
    assert report["same"] is True
    with h5py.File(moved, "r+") as file:
        file["exported_data"][0, :9] = 0.25
    done = copnet("rerun", out, "--contours", moved, "--json", "--out", tmp_path / "third")
    assert done.exit_code == 1 and "Contours" in json.loads(done.stdout)["error"]


def test_a_run_without_contours_is_told_none(answer, copnet, stack, ilastik, tmp_path, tiny_models):
    answer(*run_arguments(stack, tmp_path / "out", tiny_models))
    done = copnet("rerun", tmp_path / "out", "--contours", ilastik, "--json")
    assert done.exit_code == 1 and "its own contours" in json.loads(done.stdout)["error"]


def test_the_size_is_chosen_for_closing(answer, tmp_path, tiny_models):
    shape = (2, 130, 150)
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    stack = write_image(tmp_path / "in" / "stack.tif", image, voxel_size=SIZE)
    given = write_image(tmp_path / "given.tif", probability(shape), kind="contours")
    command = list(run_arguments(stack, tmp_path / "out", tiny_models))
    at = command.index("--size")
    record = answer(*command[:at], *command[at + 2 :], "--contours", given)
    assert len(record["size"]["tried"]) >= 2
    assert read_image(record["files"]["contours"]).shape == shape


@pytest.mark.parametrize("kind", ["mask", "labels", "shape"])
def test_what_is_no_probability_is_refused(kind, copnet, stack, tmp_path, tiny_models):
    wrong = {
        "mask": (probability() > 0.5).astype(np.uint8),
        "labels": np.repeat(np.arange(8, dtype=np.uint16), 720).reshape(SHAPE),
        "shape": probability((3, 40, 40)),
    }[kind]
    given = write_image(
        tmp_path / "given.tif", wrong, kind="cells" if kind == "labels" else "image"
    )
    out = tmp_path / "out"
    done = copnet(*run_arguments(stack, out, tiny_models), "--contours", given, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and kind in told["error"] and told["hint"]
    assert not (out / "run.json").exists()
