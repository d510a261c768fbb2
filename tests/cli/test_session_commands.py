"""`copnet session` from a run's folder to exported files."""

import json

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
