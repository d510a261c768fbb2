"""`copnet rerun`: the same results from the record alone, or what stands in the way."""

import json
import shutil

import numpy as np
import pytest
from test_commands import SIZE, run_arguments

from napari_copnet.io.read import read_image
from napari_copnet.io.write import write_image


@pytest.fixture
def run(answer, tmp_path, tiny_models):
    """Return the folder of a run of the second of two channels' worth of settings."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (3, 40, 48)).astype(np.uint8)
    stack = write_image(tmp_path / "in" / "stack.tif", image)
    size = ",".join(map(str, SIZE))
    out = tmp_path / "out"
    options = ("--voxel-size", size, "--format", "nifti", "--outputs", "closed,cells")
    answer(*run_arguments(stack, out, tiny_models), *options)
    return out


def test_a_run_is_repeated_to_the_pixel(run, answer, tmp_path):
    report = answer("rerun", run / "run.json")
    assert report["same"] is True and report["results"] == {"closed": 0, "cells": 0}
    assert report["differences"] == []
    again = tmp_path / "out-rerun"
    assert sorted(path.name for path in again.glob("*.nii.gz")) == ["cells.nii.gz", "closed.nii.gz"]
    assert read_image(again / "cells.nii.gz").voxel_size == pytest.approx(SIZE)
    first, second = (json.loads((f / "run.json").read_text()) for f in (run, again))
    assert first["settings"]["closing"]["max_iterations"] == 2
    assert first["changed"] == second["changed"] and first["read"] == second["read"]
    # Without the old results there is nothing to compare with.
    for path in run.glob("*.nii.gz"):
        path.unlink()
    report = answer("rerun", run, "--out", tmp_path / "third")
    assert report["same"] is None and report["results"] == {"closed": None, "cells": None}


def test_other_results_are_found(run, answer):
    cells = read_image(run / "cells.nii.gz")
    changed = np.array(cells.data)
    changed[0, 0, :3] += 1
    write_image(run / "cells.nii.gz", changed, like=cells, kind="cells")
    report = answer("rerun", run)
    assert report["same"] is False
    assert report["results"] == {"closed": 0, "cells": pytest.approx(3 / changed.size)}


def test_another_stack_stops_it_unless_asked(run, copnet, answer, tmp_path):
    stack = tmp_path / "in" / "stack.tif"
    image = np.array(read_image(stack).data)
    image[1] = image[1][::-1]
    write_image(stack, image)
    done = copnet("rerun", run, "--json")
    assert done.exit_code == 1 and "Input" in json.loads(done.stdout)["error"]
    assert not (tmp_path / "out-rerun").exists()
    report = answer("rerun", run, "--anyway")
    assert [one["what"] for one in report["differences"]] == ["input"]


def test_other_versions_are_told(run, answer):
    path = run / "run.json"
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "1.0"
    path.write_text(json.dumps(record))
    report = answer("rerun", path)
    (one,) = report["differences"]
    assert (one["what"], one["then"], one["now"]) == ("numpy", "1.0", np.__version__)


def test_a_stack_that_was_moved_and_models_by_their_hash(run, copnet, answer, tmp_path):
    shutil.move(tmp_path / "in", tmp_path / "moved")
    done = copnet("rerun", run, "--json")
    assert done.exit_code == 1 and "--stack" in json.loads(done.stdout)["hint"]
    path = run / "run.json"
    record = json.loads(path.read_text())
    record["models"]["closing"]["sha256"] = "0" * 64
    path.write_text(json.dumps(record))
    moved = tmp_path / "moved" / "stack.tif"
    done = copnet("rerun", run, "--stack", moved, "--json")
    assert done.exit_code == 1 and "Closing model" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("text", ["", "[]", '{"command": "close"}', '{"command": "run"}'])
def test_what_is_no_record_is_told(text, copnet, tmp_path):
    (tmp_path / "run.json").write_text(text)
    done = copnet("rerun", tmp_path, "--json")
    assert done.exit_code == 1 and json.loads(done.stdout)["hint"]
