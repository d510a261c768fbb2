"""`copnet session` from a run's folder to exported files."""

import json

import h5py
import numpy as np
import typer
from typer.testing import CliRunner

from napari_copnet.cli import session_commands
from napari_copnet.io.read import read_image
from napari_copnet.io.write import write_image
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.session import Session

app = typer.Typer()
session_commands.add_to(app)


def called(*arguments):
    done = CliRunner().invoke(app, ["session", *map(str, arguments), "--json"])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


def test_from_a_run_to_exported_cells(tmp_path):
    closed = np.zeros((2, 12, 20), np.uint8)
    closed[:, :, 10] = 1
    closed[1, 5, 10] = 0
    write_image(tmp_path / "run" / "closed.tif", closed)
    code, made = called("create", tmp_path / "run", "--out", tmp_path / "s")
    assert code == 0 and made["files"]["session"] == str(tmp_path / "s")
    with Session.open(tmp_path / "s") as opened:
        opened.apply(edit_tools.close_gap(opened, [1], [(5, 10)]))
    code, info = called("info", tmp_path / "s")
    assert code == 0 and info["cells_by_slice"] == [2, 2] and info["edits"] == 1
    assert info["list"][0]["text"] == "close gap, slice 2, 1 px"
    code, done = called("recover", tmp_path / "s")
    assert code == 0 and done == {"edits": 1, "lost": 0, "notes": []}
    code, record = called("export", tmp_path / "s", "--out", tmp_path / "out")
    assert code == 0 and record["cells"] == 2
    assert np.unique(read_image(record["files"]["cells"]).data).tolist() == [0, 1, 2]


def test_what_is_no_session_is_told(tmp_path):
    code, told = called("info", tmp_path)
    assert code == 1 and "not a session" in told["error"] and told["hint"]


def test_a_session_of_cells_from_elsewhere(tmp_path):
    labels = np.zeros((2, 40, 60), np.uint16)
    # Two cells that touch, on a wide background.
    labels[:, 10:20, 10:20], labels[:, 10:20, 20:30] = 1, 2
    write_image(tmp_path / "stack.tif", np.zeros(labels.shape, np.uint8))
    np.save(tmp_path / "stack_seg.npy", {"masks": labels, "outlines": labels})
    code, _ = called(
        "create", tmp_path / "stack.tif", "--contours", tmp_path / "stack_seg.npy",
        "--out", tmp_path / "s",
    )  # fmt: skip
    assert code == 0
    with Session.open(tmp_path / "s", read_only=True) as opened:
        cells = opened.all_cells()
    # One pixel of each side is contour; linked through the stack; nothing on the background.
    assert sorted(np.unique(cells)) == [0, 1, 2]
    for number, first in ((1, 10), (2, 20)):
        inside = np.zeros(labels.shape, bool)
        inside[:, 11:19, first + 1 : first + 9] = True
        assert np.array_equal(cells == number, inside)


def test_a_session_of_probabilities_from_elsewhere(tmp_path):
    data = np.zeros((2, 12, 20, 2), np.float32)
    data[..., 10, 1] = 0.8
    data[..., 0] = 1 - data[..., 1]
    write_image(tmp_path / "stack.tif", np.zeros(data.shape[:3], np.uint8))
    with h5py.File(tmp_path / "p.h5", "w") as file:
        made = file.create_dataset("exported_data", data=data)
        made.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "zyxc"]})
    code, _ = called(
        "create", tmp_path / "stack.tif", "--contours", tmp_path / "p.h5", "--channel", "1",
        "--out", tmp_path / "s",
    )  # fmt: skip
    assert code == 0
    with Session.open(tmp_path / "s", read_only=True) as opened:
        assert [opened.cell_count(z) for z in (0, 1)] == [2, 2]
        assert opened.step1[0, 3, 10] == np.float32(0.8)
