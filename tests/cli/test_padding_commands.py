"""Padding goes from command to command, and is not scored."""

import numpy as np
import pytest
import tifffile

from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image

EDGE = 16


@pytest.fixture
def padded(tmp_path):
    image = np.random.default_rng(0).integers(20, 250, (2, 64, 64)).astype(np.uint8)
    image[:, :EDGE] = 0
    return write_image(tmp_path / "in" / "stack.tif", image)


def values(record, name):
    return np.asarray(read_stack(record["files"][name]).data)


def test_a_run_keeps_its_padding_and_nothing_is_found_there(answer, padded, tmp_path, tiny_models):
    record = answer(
        *("run", padded, "--out", tmp_path / "out", "--size", 32, "--device", "cpu"),
        *("--contour-model", tiny_models["contours"], "--closing-model", tiny_models["closing"]),
        *("--max-iterations", 1),
    )
    padding = values(record, "padding") > 0
    assert padding[:, :EDGE].all() and not padding[:, EDGE:].any()
    for name in ("contours", "closed", "cells"):
        assert not values(record, name)[padding].any()
    assert record["padding_by_slice"] == [0.25, 0.25]
    assert record["inverted"] in (True, False)


def test_steps_hand_padding_on(answer, padded, tmp_path, tiny_models):
    ready = answer("preprocess", padded, "--out", tmp_path / "1", "--size", 0, "--no-align")
    assert values(ready, "padding")[:, :EDGE].all()
    assert any("invert" in note for note in ready["notes"])
    model = ("--contour-model", tiny_models["contours"])
    found = answer(
        *("contours", ready["files"]["image"], "--out", tmp_path / "2", "--device", "cpu"), *model
    )
    assert not values(found, "contours")[:, :EDGE].any()
    model = ("--closing-model", tiny_models["closing"], "--max-iterations", 1)
    closed = answer(
        *("close", found["files"]["contours"], "--out", tmp_path / "3", "--device", "cpu"), *model
    )
    assert not values(closed, "closed")[:, :EDGE].any()
    cells = answer("cells", closed["files"]["closed"], "--out", tmp_path / "4", "--min-size", 0)
    assert not values(cells, "cells")[:, :EDGE].any()
    assert values(cells, "padding")[:, :EDGE].all()


def test_a_mask_that_the_user_names_is_left_out(answer, tmp_path):
    mask = np.zeros((1, 40, 40), np.uint8)
    mask[:, 20] = 1
    closed = write_image(tmp_path / "in" / "closed.tif", mask, kind="closed")
    out = np.zeros((1, 40, 40), np.uint8)
    out[:, :, :10] = 1
    exclude = write_image(tmp_path / "in" / "out.tif", out, kind="closed")
    record = answer("cells", closed, "--out", tmp_path / "out", "--exclude", exclude)
    labels = values(record, "cells")
    assert not labels[:, :, :10].any() and record["cells"] == 2


def test_a_mask_of_another_size_is_refused(copnet, tmp_path):
    closed = write_image(tmp_path / "in" / "closed.tif", np.eye(40, dtype=np.uint8)[None])
    wrong = write_image(tmp_path / "in" / "out.tif", np.eye(30, dtype=np.uint8)[None])
    done = copnet("cells", closed, "--out", tmp_path / "out", "--exclude", wrong)
    assert done.exit_code and "30" in done.output


def test_cells_at_padding_are_scored_each_on_its_own(answer, padded, tmp_path):
    """Two cells that a wall parts are one through the padding, unless it ends them."""
    wall = np.zeros((2, 64, 64), np.uint8)
    wall[:, :, 31:33] = 1
    truth = tmp_path / "in" / "truth.tif"
    tifffile.imwrite(truth, wall, photometric="minisblack")
    found = wall.copy()
    found[:, :EDGE] = 0
    pred = tmp_path / "in" / "pred.tif"
    tifffile.imwrite(pred, found, photometric="minisblack")
    scored = ("evaluate", "--pred", pred, "--truth", truth, "--truth-kind", "mask")
    without = answer(*scored)
    assert without["labelled"] == 0 and "padding" not in without
    with_image = answer(*scored, "--image", padded)
    assert with_image["labelled"] == 1
    assert with_image["nsd"] == pytest.approx(1)
    assert with_image["padding"] == 0.25
