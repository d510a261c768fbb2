"""Full folders that `--out` points to: whatever they hold, a user's files stay."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import trust_inputs
from trust_inputs import Counts, DarkNetwork, counted, leftovers, write_run

from napari_copnet.networks import package
from napari_copnet.networks.model_zip import export_zip
from napari_copnet.runs.rerun import rerun

# Names under which commands write, as files of the user's.
TAKEN = (
    "closed.tif", "contours.tif", "cells.tif", "iterations.tif", "image.tif", "excluded.tif",
    "padding.tif", "degraded.tif", "truth_contours.tif", "truth_cells.tif", "run.json",
    "edits.json", "session.json", "journal.sqlite", "start.npz", "snapshot.npz", "model.json",
    "weights.safetensors", "scores.json", "slices.csv", "cells.csv", "index.html", "overview.png",
    "measures.json", "cells.parquet", "walls.csv", "export.json", "rois.zip", "cells16.tif",
    "rerun.json", "store",
)  # fmt: skip
RECORDS = ("run.json", "measures.json", "export.json")


def full_folders(folder: Path, count: int, seed: int) -> Counts:
    """Point `--out` of commands at folders that hold a user's files; all of them must stay."""
    from typer.testing import CliRunner

    from napari_copnet.cli import app, modules

    if not app.registered_commands:
        for module in modules():
            module.add_to(app)
    chance = random.Random(seed)
    os.environ[package.MODELS_VARIABLE] = str(folder / "models")
    commands = _commands(folder)
    # Runs are repeated without networks, which the folders are not about.
    rerun.__kwdefaults__["load"] = DarkNetwork

    def one(number: int) -> str:
        out = folder / "out"
        _fill(out, chance)
        before = seen(out)
        command = commands[number % len(commands)]
        target = out / "model.json" if "FILE" in command else out
        arguments = [str(target if a in ("OUT", "FILE") else a) for a in command]
        done = CliRunner().invoke(app, arguments)
        after = seen(out)
        gone = [name for name, content in before.items() if after.get(name) != content]
        # 2: there is no such command or option.
        told = done.exit_code in (0, 1) and "unexpected problem" not in done.output
        problem = "" if told and not leftovers(out) else done.output[-200:] or "left something"
        shutil.rmtree(out)
        return f"{' '.join(map(str, command[:2]))}: {gone or problem}" if gone or problem else ""

    return counted(count, one)


def _commands(folder: Path) -> list[tuple[Any, ...]]:
    run, session = folder / "run", folder / "session"
    write_run(run, 0, ("contours", "closed", "cells"))
    trust_inputs.write_session(session, run, 3)
    stack = trust_inputs.write_stack(folder / "stack.tif")
    repeated = folder / "repeated"
    trust_inputs.write_whole_run(repeated, stack)
    model = trust_inputs.write_model(folder / "model")
    export_zip(model, folder / "model.zip")
    closed, contours = run / "closed.tif", run / "contours.tif"
    return [
        ("preprocess", contours, "--out", "OUT", "--size", 0),
        ("cells", closed, "--out", "OUT"),
        ("simulate", closed, "--out", "OUT", "--per-slice", 1),
        ("evaluate", "--pred", closed, "--truth", closed, "--out", "OUT"),
        ("baselines", contours, "--truth", closed, "--out", "OUT"),
        ("session", "create", run, "--out", "OUT"),
        ("session", "export", session, "--out", "OUT"),
        ("session", "export", session, "--out", "OUT", "--format", "ome-zarr"),
        ("model", "export", folder / "model", "--out", "OUT", "--format", "folder"),
        ("model", "export", folder / "model", "--out", "FILE"),
        ("model", "export", folder / "model", "--out", "FILE", "--replace"),
        ("model", "import", folder / "model.zip", "--out", "OUT"),
        ("model", "import", folder / "model.zip", "--out", "OUT", "--replace"),
        ("annotate", "create", "--image", contours, "--out", "OUT"),
        ("measure", session, "--out", "OUT"),
        ("measure", run, "--out", "OUT", "--format", "csv"),
        ("export", session, "--out", "OUT", "--to", "rois,labels16"),
        ("export", run, "--out", "OUT", "--to", "ome-zarr,stl,obj,ply"),
        ("rerun", repeated, "--out", "OUT", "--anyway"),
        ("session", "create", stack, "--contours", closed, "--out", "OUT"),
    ]


def _fill(out: Path, chance: random.Random) -> None:
    """Fill a folder as a user would who keeps all in one place."""
    out.mkdir()
    for name in chance.sample(TAKEN, chance.randint(1, 6)):
        (out / name).write_bytes(chance.randbytes(chance.choice([1, 300])))
    for name in ("notes.txt", "Größe ✓.doc", ".hidden", "deep/er/file", "closed.ome.zarr/mine"):
        if chance.random() < 0.4:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(chance.randbytes(50))
    if chance.random() < 0.3:
        (out / "a link").symlink_to("/etc/hostname")
    if chance.random() < 0.3 and not (out / "run.json").exists():
        # A record that claims files which no run wrote.
        files = {n: n for n in ("notes.txt", "deep", "closed.tif.bak")}
        (out / "run.json").write_text(json.dumps({"command": "mine", "files": files}))
        (out / "closed.tif.bak").write_text("mine")


def seen(out: Path) -> dict[str, bytes]:
    """Return what lies in a folder, records of ours left out."""
    found = {}
    for path in out.rglob("*"):
        name = str(path.relative_to(out))
        if name in RECORDS and b'"hashes"' in path.read_bytes():
            continue
        if path.is_symlink():
            found[name] = os.readlink(path).encode()
        elif path.is_file():
            found[name] = path.read_bytes()
    # The record of a run is no file of the user's: it may be replaced.
    if (record := found.get("run.json")) is not None and b'"command": "mine"' in record:
        del found["run.json"]
    return found
