"""`copnet sizes`: one slice at several sizes is what a run of it at each would make."""

import matplotlib.image
import numpy as np
import pytest

from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image


@pytest.fixture
def stack(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (5, 60, 80)).astype(np.uint8)
    return write_image(tmp_path / "in" / "stack.tif", image)


@pytest.fixture
def options(tiny_models):
    return (
        "--device", "cpu", "--max-iterations", 2,
        "--contour-model", tiny_models["contours"], "--closing-model", tiny_models["closing"],
    )  # fmt: skip


def test_each_size_gives_what_a_run_of_the_slice_gives(answer, stack, options, tmp_path):
    arguments = ("--slice", 3, "--sizes", "64,96", "--out", tmp_path / "sizes.png", *options)
    found = answer("sizes", stack, *arguments)
    assert found["slice"] == 3
    assert [one["size"] for one in found["sizes"]] == [64, 96]
    alone = write_image(tmp_path / "one" / "slice.tif", np.asarray(read_stack(stack).data[3:4]))
    for one in found["sizes"]:
        out = tmp_path / str(one["size"])
        answer("run", alone, "--size", one["size"], "--out", out, *options)
        cells = np.asarray(read_stack(out / "cells.tif").data)
        areas = np.unique(cells[cells > 0], return_counts=True)[1]
        assert one["cells"] == areas.size > 0
        assert one["diameter"] == pytest.approx(np.median(2 * np.sqrt(areas / np.pi)))
    picture = matplotlib.image.imread(tmp_path / "sizes.png")
    # The slice and two sizes beside it.
    assert picture.shape[1] == pytest.approx(3 * 4.2 * 110, rel=0.05)


def test_the_middle_slice_is_taken_when_none_is_named(answer, stack, options, tmp_path):
    found = answer("sizes", stack, "--sizes", "64", "--out", tmp_path / "s.png", *options)
    assert found["slice"] == 2


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (("--slice", 5), "There is no slice 5: the stack has slices 0 to 4."),
        (("--slice", -1), "There is no slice -1"),
        (("--sizes", "64,big"), "--sizes takes whole numbers, not '64,big'."),
        (("--sizes", "64,8"), "A size of 8 px is too small."),
        (("--sizes", ""), "A size of 0 px is too small."),
    ],
)
def test_what_can_not_be_tried_is_said(copnet, stack, options, tmp_path, wrong, text):
    done = copnet("sizes", stack, "--out", tmp_path / "s.png", *options, *wrong)
    assert done.exit_code == 1
    assert text in " ".join(done.stderr.split())
    assert not (tmp_path / "s.png").exists()


def test_the_picture_never_replaces_the_stack(copnet, stack, options):
    before = stack.read_bytes()
    done = copnet("sizes", stack, "--out", stack, *options)
    assert done.exit_code == 1
    assert "is the stack itself" in " ".join(done.stderr.split())
    assert stack.read_bytes() == before
