"""`copnet grid-search` with trainings of a few steps."""

import json

import numpy as np
import pytest

from napari_copnet.io.write import write_image
from napari_copnet.networks.package import load_package


@pytest.fixture
def files(tmp_path):
    """Cells of 16 px in 14 slices, and a Step 1 map of them with faded places."""
    z, y, x = np.indices((14, 64, 64))
    labels = (1 + (y + z // 4) // 16 + 6 * (x // 16)).astype(np.uint16)
    wall = (x % 16 == 15) | (x % 16 == 0) | ((y + z // 4) % 16 == 15)
    u = np.where(wall, 0.8, 0.05).astype(np.float32)
    u[:, 20:30, 20:40] *= 0.3
    return (
        write_image(tmp_path / "in" / "truth.tif", labels, kind="cells"),
        write_image(tmp_path / "in" / "u.tif", u, kind="contours"),
    )


@pytest.mark.slow
def test_real_trainings_on_a_small_grid(answer, files, tmp_path):
    arguments = (
        "grid-search", "--truth", files[0], "--contours", files[1], "--validation", "11-13",
        "--out", tmp_path / "out", "--grid", "N2=0,3", "--size", "small", "--epochs", 1,
        "--iterations-per-epoch", 3, "--patch", 32, "--input-size", 64,
        "--radius-min", 3, "--radius-max", 6, "--device", "cpu", "--threads", 1,
    )  # fmt: skip
    result = answer(*arguments)
    assert [row["absorption_disks"] for row in result["points"]] == [0, 3]
    for row in result["points"]:
        assert row["labelled"] + row["merged"] + row["split"] == pytest.approx(1)
        assert row["steps"] == 3 and row["iterations"] >= 1
        package = load_package(row["model"])
        assert package.card["degradation"]["absorption_disks"] == row["absorption_disks"]
    assert result["files"].keys() == {"results", "figure", "scores"}
    assert answer(*arguments)["points"] == result["points"]


def test_what_cannot_be_searched_is_said_before_work(copnet, files, tmp_path):
    for arguments, part in (
        (("--grid", "N3=1"), "N3"),
        (("--slices", "0-9"), "too close"),
        (("--validation", "40"), "do not exist in a stack"),
    ):
        done = copnet(
            "grid-search", "--truth", files[0], "--contours", files[1], "--validation", "11-13",
            "--out", tmp_path / "out", "--json", *arguments,
        )  # fmt: skip
        assert done.exit_code == 1
        assert part in json.loads(done.stdout)["error"]
        assert not (tmp_path / "out").exists()
