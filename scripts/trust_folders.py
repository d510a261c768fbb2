"""Folders: full ones that `--out` points to, and writing that is killed or fails."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trust_inputs
from trust_inputs import DarkNetwork, contour_of, killed_after, killed_at, leftovers, write_run

from napari_copnet import CopnetError, Session
from napari_copnet.export.export import export_files
from napari_copnet.measures.files import measure_files
from napari_copnet.networks import package
from napari_copnet.networks.model_zip import export_zip, import_zip
from napari_copnet.params import ReadParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import journal as journal_module
from napari_copnet.proofreading.session_export import export
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.runs.generation import is_intact
from napari_copnet.runs.rerun import plan_of, rerun
from napari_copnet.teaching.carrying.carried import CarriedSlice, DoubtfulCell
from napari_copnet.teaching.project import Project

Counts = tuple[int, int, int]
# Names under which commands write, as files of the user's.
TAKEN = (
    "closed.tif", "contours.tif", "cells.tif", "iterations.tif", "image.tif", "excluded.tif",
    "padding.tif", "degraded.tif", "truth_contours.tif", "truth_cells.tif", "run.json",
    "edits.json", "session.json", "journal.sqlite", "start.npz", "snapshot.npz", "model.json",
    "weights.safetensors", "scores.json", "slices.csv", "cells.csv", "index.html", "overview.png",
    "measures.json", "cells.parquet", "walls.csv", "export.json", "rois.zip", "cells16.tif",
    "rerun.json", "store",
)  # fmt: skip
# What meshes need to know.
SIZED = ReadParams(voxel_size="0.05,0.01,0.01")
RECORDS = ("run.json", "measures.json", "export.json")


# Whatever a folder holds -----------------------------------------------------


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
    survived = lost = 0
    for number in range(count):
        out = folder / "out"
        _fill(out, chance)
        before = _seen(out)
        command = commands[number % len(commands)]
        target = out / "model.json" if "FILE" in command else out
        arguments = [str(target if a in ("OUT", "FILE") else a) for a in command]
        done = CliRunner().invoke(app, arguments)
        after = _seen(out)
        kept = all(after.get(name) == content for name, content in before.items())
        # 2: there is no such command or option.
        told = done.exit_code in (0, 1) and "unexpected problem" not in done.output
        if kept and told and not leftovers(out):
            survived += 1
        else:
            lost += 1
            gone = [name for name, content in before.items() if after.get(name) != content]
            print(f"    {' '.join(map(str, command[:2]))}: {gone or done.output[-200:]}")
        shutil.rmtree(out)
    return count, survived, lost


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


def _seen(out: Path) -> dict[str, bytes]:
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


# Killed ----------------------------------------------------------------------


def killed_writers(folder: Path, count: int, seed: int) -> Counts:
    """Kill what writes folders at its n-th change of names, and at random; look what is there."""
    chance = random.Random(seed)
    os.environ[package.MODELS_VARIABLE] = str(folder / "models")
    write_run(folder / "source", 3)
    trust_inputs.write_session(folder / "session", folder / "source", 4)
    for name in ("a", "b"):
        export_zip(
            trust_inputs.write_model(folder / name, "killed", "closing"), folder / f"{name}.zip"
        )
    trust_inputs.write_whole_run(folder / "repeated", trust_inputs.write_stack(folder / "s.tif"))
    lost = 0
    writers = (
        _run_writer,
        _export_writer,
        _import_writer,
        _session_writer,
        _tables_writer,
        _formats_writer,
        _rerun_writer,
        _carry_writer,
    )
    next_n = dict.fromkeys(writers, 1)
    for tried in range(count):
        writer, place = writers[tried % len(writers)], folder / f"{tried}"
        work, problem = writer(place, folder)
        # Every third is killed at random, the others at each change of names in turn.
        n, at_rename = next_n[writer], tried // len(writers) % 3 < 2
        if at_rename:
            next_n[writer] = 1 if killed_at(n, work) else n + 1
        else:
            killed_after(chance.uniform(0, 0.05), work)
        if found := problem():
            lost += 1
            print(f"    {writer.__name__}, {n}: {found}")
        shutil.rmtree(place, ignore_errors=True)
    return count, count - lost, lost


Writer = tuple[Callable[[], Any], Callable[[], str]]


def _run_writer(place: Path, _: Path) -> Writer:
    write_run(place, 0, ("contours", "closed", "iterations"))

    def problem() -> str:
        try:
            start = from_run_folder(place)
            pairs = [(start.contour, start.step1 > 0)]
            if not any(all((a == contour_of(k)).all() for a in p) for p in pairs for k in (0, 1)):
                return "results of two runs"
        except CopnetError as error:
            if "two runs" not in str(error):
                return str(error)
        write_run(place, 2)
        return _clean(place, {"closed.tif", "contours.tif", "run.json"})

    return lambda: write_run(place, 1), problem


def _export_writer(place: Path, folder: Path) -> Writer:
    def work() -> None:
        with Session.open(folder / "session", read_only=True) as session:
            finish(export(session, place))

    def problem() -> str:
        if (place / "run.json").exists():
            try:
                from_run_folder(place)
            except CopnetError as error:
                if "two runs" not in str(error):
                    return str(error)
        work()
        return _clean(place, {"closed.tif", "cells.tif", "edits.json", "run.json"})

    return work, problem


def _import_writer(_: Path, folder: Path) -> Writer:
    import_zip(folder / "a.zip", replace=True)
    old = package.find_model("killed", "closing").sha256

    def problem() -> str:
        named = [m for m in package.list_models() if m.name == "killed"]
        if len(named) != 1:
            return f"{len(named)} models of one name"
        try:
            found = package.find_model("killed", "closing")
            found.weights()
        except CopnetError as error:
            return str(error)
        new = import_zip(folder / "b.zip", replace=True).sha256
        if found.sha256 not in (old, new):
            return "a model that nobody made"
        return _clean(package.models_folder(), {"killed"})

    return lambda: import_zip(folder / "b.zip", replace=True), problem


def _session_writer(place: Path, folder: Path) -> Writer:
    def work() -> None:
        with Session.create(place, from_run_folder(folder / "source")):
            pass

    def problem() -> str:
        if place.exists() and any(place.iterdir()):
            with Session.open(place):
                return ""
        work()
        return "" if not leftovers(folder) else f"left: {leftovers(folder)[0].name}"

    return work, problem


def _tables_writer(place: Path, folder: Path) -> Writer:
    """Tables of a session take the place of those of a run."""
    write_run(folder / "source", 3, ("contours", "closed", "cells"))
    finish(measure_files(folder / "source", place))

    def work() -> None:
        finish(measure_files(folder / "session", place))

    def problem() -> str:
        mixed = _mixed(place, "measures.json")
        work()
        return mixed or _clean(place, {*_named(place, "measures.json"), "measures.json"})

    return work, problem


def _formats_writer(place: Path, folder: Path) -> Writer:
    """An export to other formats keeps the one that is there."""
    finish(export_files(folder / "session", place, ["ply"], SIZED))

    def work() -> None:
        finish(export_files(folder / "session", place, ["rois", "labels16", "ply"], SIZED))

    def problem() -> str:
        mixed = _mixed(place, "export.json")
        work()
        return mixed or _clean(place, {"rois.zip", "cells16.tif", "meshes-ply", "export.json"})

    return work, problem


def _rerun_writer(place: Path, folder: Path) -> Writer:
    def work() -> None:
        finish(rerun(plan_of(folder / "repeated"), place, load=DarkNetwork))

    def problem() -> str:
        if (place / "run.json").exists():
            try:
                from_run_folder(place)
            except CopnetError as error:
                if "two runs" not in str(error):
                    return str(error)
        # In a process of its own: threads of libraries do not survive in those that are killed.
        if not killed_at(-1, work):
            return "can't be repeated"
        return _clean(place, {"closed.tif", "contours.tif", "run.json", "rerun.json", "store"})

    return work, problem


def _carry_writer(place: Path, folder: Path) -> Writer:
    """Contours are carried to a slice; what is killed in between leaves it as it was."""
    shutil.copytree(folder / "session", place)
    contour = trust_inputs.contour_of(2)[0] > 0
    carried = CarriedSlice(0, (1,), contour, contour, (DoubtfulCell(1, 1, 0.5, 4),), 3)

    def work() -> None:
        with Project.open(place) as project:
            if project.carried(0) is None:
                project.session.jump(0)
                project.take_carried(carried)

    def problem() -> str:
        work()
        with Project.open(place) as project:
            kept = project.carried(0)
            if kept is None or not np.array_equal(project.session.contour[0] > 0, contour):
                return "was not carried"
            if kept.doubtful != carried.doubtful:
                return "carried otherwise"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return work, problem


def _named(place: Path, record: str) -> set[str]:
    return set(json.loads((place / record).read_text())["hashes"])


def _mixed(place: Path, name: str) -> str:
    """Return what is wrong with results whose record says that they are whole."""
    record = json.loads((place / name).read_text())
    if record.get("unfinished"):
        return ""
    wrong = [n for n in record["hashes"] if not is_intact(place / n, record, thorough=True)]
    return f"{wrong} are of another run" if wrong else ""


def _clean(place: Path, names: set[str]) -> str:
    there = {path.name for path in place.iterdir()}
    return "" if there == names and not leftovers(place) else f"left: {sorted(there ^ names)}"


# Failing ---------------------------------------------------------------------


def failing_disk(folder: Path, count: int, seed: int) -> Counts:
    """Let files grow to n bytes only, then let the n-th call of the system fail, for many n."""
    chance = random.Random(seed)
    os.environ[package.MODELS_VARIABLE] = str(folder / "models")
    write_run(folder / "source", 3)
    trust_inputs.write_session(folder / "session", folder / "source", 4)
    export_zip(trust_inputs.write_model(folder / "model", "fails"), folder / "model.zip")
    place, lost = folder / "place", 0
    works: list[Callable[[], Any]] = [
        lambda: write_run(place, 1),
        lambda: import_zip(folder / "model.zip", replace=True),
        lambda: _edited(folder / "session"),
        lambda: _exported(folder / "session", place / "exported"),
    ]
    for number in range(count):
        write_run(place)
        before = _seen(place)
        kind = number % 4
        work = works[kind]
        fault = _limited(chance.randint(0, 6000)) if number % 8 < 4 else _failing(1 + number // 8)
        code = _tried(work, fault)
        problem = {0: "", 2: ""}.get(code, f"ended with {code}")
        if not problem and kind == 0 and code == 2:
            after = _seen(place)
            try:
                from_run_folder(place)
            except CopnetError as error:
                problem = "" if "two runs" in str(error) else str(error)
            if not problem and set(before) - set(after) - {"run.json"}:
                problem = "results are gone"
        try:
            work()
        except CopnetError as error:
            problem = problem or f"not when tried again: {error}"
        if not problem and leftovers(place):
            problem = "left something"
        if problem:
            lost += 1
            print(f"    fault {number}, kind {kind}: {problem}")
        shutil.rmtree(place)
    return count, count - lost, lost


def _tried(work: Callable[[], Any], fault: Callable[[], None]) -> int:
    """Do work in a process where something fails; 0: done, 2: told in a sentence, else not."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            journal_module._PATIENCE, journal_module._RETRY = 0.3, 0.05
            fault()
            work()
            code = 0
        except CopnetError as error:
            code = 2 if error.message.endswith(".") else 3
        except BaseException as error:
            os.write(2, f"    {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _limited(size: int) -> Callable[[], None]:
    def fault() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return fault


def _failing(n: int) -> Callable[[], None]:
    """Let the n-th of certain calls of the system fail with a full disk, and all after it."""

    def fault() -> None:
        left = [n]

        def failing(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                left[0] -= 1
                if left[0] <= 0:
                    raise OSError(28, "No space left on device")
                return real(*args, **options)

            return call

        for name in ("fsync", "replace", "rename", "mkdir"):
            setattr(os, name, failing(getattr(os, name)))

    return fault


def _edited(session: Path) -> None:
    from napari_copnet.proofreading.edits import Edit, Flip, Patch

    with Session.open(session) as opened:
        opened.apply(Edit("dot", (Flip("contour", Patch.of(0, np.ones((1, 1)))),)))


def _exported(session: Path, out: Path) -> None:
    with Session.open(session, read_only=True) as opened:
        finish(export(opened, out))
