"""Commands on large stacks: files are read slice by slice, and no stack is held whole."""

import json

import numpy as np
import pytest
import tifffile

from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import VoxelSize

SIZE = VoxelSize(0.05, 0.01, 0.01)


@pytest.fixture
def files(tmp_path):
    """Four rooms in 12 slices, with a door that Step 1 left open, and what belongs to them."""
    truth = np.zeros((12, 60, 60), np.uint8)
    truth[:, 28:32] = truth[:, :, 28:32] = 1
    u = 0.9 * truth.astype(np.float32)
    u[:, 10:18, 28:32] = 0.2
    padding = np.zeros(truth.shape, np.uint8)
    padding[:, :, 56:] = 1
    image = np.random.default_rng(0).normal(120, 9, truth.shape).astype(np.uint8)
    image[padding > 0] = 0
    made = {
        "truth": (truth, "closed"),
        "contours": (u, "contours"),
        "iterations": (np.stack([u, 0.9 * truth]).astype(np.float32), "iterations"),
        "padding": (padding, "closed"),
        "image": (image, "image"),
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "run.json").write_text("{}")
    return {
        name: write_image(tmp_path / "in" / f"{name}.tif", array, voxel_size=SIZE, kind=kind)
        for name, (array, kind) in made.items()
    }


@pytest.fixture
def no_stack(monkeypatch):
    """Let whoever reads a whole stack, or several slices of one, fail."""

    def whole(self, *_args, **_kwargs):
        raise AssertionError(f"a stack of shape {self.shape} was read whole")

    def part(self, key):
        found = whole_item(self, key)
        assert found.ndim == 2, f"slices of shape {found.shape} were read at once"
        return found

    whole_item = LazyArray.__getitem__
    monkeypatch.setattr(LazyArray, "__array__", whole)
    monkeypatch.setattr(LazyArray, "__getitem__", part)


def test_evaluate_holds_no_stack(answer, files, no_stack, tmp_path):
    scores = answer(
        "evaluate", "--pred", files["truth"], "--truth", files["truth"],
        "--baseline", files["contours"], "--exclude-pixels", files["padding"],
        "--exclude-cell", files["padding"], "--image", files["image"],
        "--iterations", files["iterations"], "--slices", "3-11", "--out", tmp_path / "out",
        "--report", tmp_path / "page.html",
    )  # fmt: skip
    assert scores["labelled"] == 1 and scores["baseline"]["merged"] > 0
    assert scores["padding"] == pytest.approx(4 / 60)
    assert len(scores["iterations"]["labelled"]) == 2
    rows = (tmp_path / "out" / "cells.csv").read_text().splitlines()
    assert len(rows) == 1 + scores["cells"]


def test_evaluate_keeps_single_cells_only_for_tables(answer, files, monkeypatch):
    from napari_copnet.evaluation import scores as module

    kept = []
    original = module.evaluate_all

    def watched(*args, **kwargs):
        kept.append(kwargs["by_cell"])
        found = yield from original(*args, **kwargs)
        kept.append(found["prediction"].slices[0].by_cell is not None)
        return found

    monkeypatch.setattr(module, "evaluate_all", watched)
    answer("evaluate", "--pred", files["contours"], "--truth", files["truth"])
    assert kept == [False, False]


def test_baselines_hold_no_stack(answer, files, no_stack, tmp_path):
    out = tmp_path / "out"
    record = answer(
        "baselines", files["contours"], "--truth", files["truth"], "--out", out,
        "--closed", f"perfect={files['truth']}", "--exclude-pixels", files["padding"],
        "--methods", "threshold,closing,watershed-distance,watershed",
    )  # fmt: skip
    assert record["methods"]["threshold"]["labelled"] == record["methods"]["perfect"]["labelled"]
    written = {path.name for path in out.iterdir()}
    masks = {f"{name}.tif" for name in ("threshold", "closing", "watershed-distance", "watershed")}
    assert written == {*masks, "baselines.csv", "baselines.json"}


def test_masks_on_disk_are_removed_when_a_comparison_fails(copnet, files, tmp_path, monkeypatch):
    from napari_copnet.errors import CopnetError
    from napari_copnet.evaluation.baselines import comparison

    def fail(*_args, **_kwargs):
        raise CopnetError("It fails.", "Really.")

    monkeypatch.setattr(comparison, "evaluate_all", fail)
    done = copnet(
        "baselines", files["contours"], "--truth", files["truth"], "--out", tmp_path / "out",
        "--methods", "threshold", "--json",
    )  # fmt: skip
    assert done.exit_code == 1 and json.loads(done.stdout)["error"] == "It fails."
    assert not any((tmp_path / "out").iterdir())


def test_annotate_reads_only_the_slices_that_it_draws(answer, files, no_stack, tmp_path):
    from napari_copnet.teaching.project import Project

    project = tmp_path / "project"
    answer("annotate", "create", "--image", files["image"], "--out", project)
    answer("annotate", "draw", project, "2,7", "--contours", files["truth"])
    answer("annotate", "done", project, "2", "--reviewed", files["padding"], "--despite")
    with Project.open(project, read_only=True) as opened:
        assert opened.done == [2] and opened.chosen == [2, 7]
        drawn = tifffile.imread(files["truth"])[7] > 0
        assert np.array_equal(np.asarray(opened.session.contour[7]) > 0, drawn)
        assert opened.reviewed(2).sum() == 4 * 60
