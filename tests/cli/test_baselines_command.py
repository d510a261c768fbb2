"""`copnet baselines` on small files."""

import csv
import json

import numpy as np
import pytest
import tifffile

from napari_copnet.io.write import write_image
from napari_copnet.types import VoxelSize

SIZE = VoxelSize(0.05, 0.01, 0.01)


@pytest.fixture
def files(tmp_path):
    """Four rooms in 12 slices, with a door that Step 1 left open."""
    truth = np.zeros((12, 60, 60), np.uint8)
    truth[:, 28:32] = truth[:, :, 28:32] = 1
    u = 0.9 * truth.astype(np.float32)
    u[:, 10:18, 28:32] = 0.2
    return {
        name: write_image(tmp_path / "in" / f"{name}.tif", array, voxel_size=SIZE, kind=kind)
        for name, array, kind in (("truth", truth, "closed"), ("contours", u, "contours"))
    }


def test_rivals_are_tuned_on_some_slices_and_scored_on_others(answer, files, tmp_path):
    out = tmp_path / "out"
    record = answer(
        "baselines", files["contours"], "--truth", files["truth"], "--out", out,
        "--methods", "threshold,closing", "--train-slices", "0-2",
        "--closed", f"perfect={files['truth']}",
    )  # fmt: skip
    assert record["slices"] == [7, 8, 9, 10, 11]
    methods = record["methods"]
    assert list(methods) == ["step1", "threshold", "closing", "perfect", "truth"]
    assert methods["step1"]["merged"] == 0.5
    assert methods["threshold"]["labelled"] == methods["perfect"]["labelled"] == 1
    assert methods["threshold"]["settings"]["threshold"] == 0.15
    assert methods["threshold"]["gain"]["labelled"] == 0.5
    mask = tifffile.imread(record["files"]["threshold"])
    assert mask.shape == (12, 60, 60)
    assert not mask[:7].any() and np.array_equal(mask[7:], tifffile.imread(files["truth"])[7:])
    assert record["files"].keys() == {"threshold", "closing", "table", "scores"}
    with open(record["files"]["table"]) as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert float(rows["step1"]["labelled"]) == 0.5 and float(rows["closing"]["labelled"]) == 1
    assert json.loads((out / "baselines.json").read_text())["methods"] == methods
    again = answer(
        "evaluate", "--pred", record["files"]["threshold"], "--truth", files["truth"],
        "--slices", "7-11",
    )  # fmt: skip
    assert again["labelled"] == methods["threshold"]["labelled"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--methods", "magic"), "no baseline 'magic'"),
        (("--train-slices", "0-5", "--slices", "6-11"), "too near"),
        (("--methods", "chen", "--chen-radius-min", "9", "--chen-radius-max", "2"), "above"),
        (("--methods", "chen", "--chen-model", "nonesuch"), "nonesuch"),
        (("--methods", "closing", "--closed", "in/truth.tif"), "'truth' is the name"),
        (("--methods", "closing", "--closed", "closing=in/truth.tif"), "'closing' is the name"),
        (("--methods", "cellpose"), "Cellpose"),
    ],
)
def test_what_cannot_be_compared_is_said_before_work(
    copnet, files, tmp_path, monkeypatch, arguments, part
):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    done = copnet(
        "baselines", files["contours"], "--truth", files["truth"], "--out", out, "--json",
        *arguments,
    )  # fmt: skip
    assert done.exit_code == 1
    assert part in json.loads(done.stdout)["error"]
    assert not out.exists()
