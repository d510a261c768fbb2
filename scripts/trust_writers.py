"""Writing that is killed at each change of names, and at random: nothing mixed, nothing left."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trust_inputs
from trust_inputs import (
    Counts,
    DarkNetwork,
    contour_of,
    counted,
    killed_after,
    killed_at,
    leftovers,
    write_run,
)

from napari_copnet import CopnetError, Session, files
from napari_copnet.export.export import export_files
from napari_copnet.io.read import read_stack
from napari_copnet.measures.files import measure_files
from napari_copnet.networks import package
from napari_copnet.networks.model_zip import export_zip, import_zip
from napari_copnet.params import ReadParams
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session_export import export
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.restored import restored_lazily
from napari_copnet.runs.known_files import is_intact
from napari_copnet.runs.rerun import plan_of, rerun
from napari_copnet.runs.saving import saving
from napari_copnet.store.folder import FolderStore
from napari_copnet.teaching.carrying.carried import CarriedSlice, DoubtfulCell
from napari_copnet.teaching.loop_state import Point, read_points, write_points
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.project import DONE, UNTOUCHED, Project
from napari_copnet.teaching.slice_choice import Proposal

# What is killed, and what is wrong after it.
Writer = tuple[Callable[[], Any], Callable[[], str]]
# What meshes need to know.
SIZED = ReadParams(voxel_size="0.05,0.01,0.01")
# A session of the form before this one.
EARLIER = Path(__file__).parents[1] / "tests" / "corpus" / "2026-11-26" / "session"


def killed_writers(folder: Path, count: int, seed: int) -> Counts:
    """Kill what writes folders at its n-th change of names, and at random; look what is there."""
    return _killed(folder, count, seed, _FOLDERS)


def killed_sessions(folder: Path, count: int, seed: int) -> Counts:
    """Kill what writes into sessions and projects besides edits; nothing by hand is lost."""
    return _killed(folder, count, seed, _SESSIONS)


def prepare(folder: Path, *, networks: bool = True) -> None:
    """Make what writers write: runs, a session, models and a run to be repeated."""
    write_run(folder / "source", 3)
    write_run(folder / "newer", 4)
    trust_inputs.write_session(folder / "session", folder / "source", 4)
    if networks:
        for name in ("a", "b"):
            model = trust_inputs.write_model(folder / name, "killed", "closing")
            export_zip(model, folder / f"{name}.zip")
        trust_inputs.write_whole_run(
            folder / "repeated", trust_inputs.write_stack(folder / "s.tif")
        )


def begun(writer: Callable[[Path, Path], Writer], place: Path, folder: Path) -> Writer:
    """Make what is to be killed."""
    os.environ[package.MODELS_VARIABLE] = str(folder / "models")
    return writer(place, folder)


def _killed(
    folder: Path, count: int, seed: int, writers: tuple[Callable[[Path, Path], Writer], ...]
) -> Counts:
    chance = random.Random(seed)
    prepare(folder, networks=writers is _FOLDERS)
    next_n = dict.fromkeys(writers, 1)

    def one(number: int) -> str:
        writer, place = writers[number % len(writers)], folder / f"{number}"
        work, problem = begun(writer, place, folder)
        # Every third is killed at random, the others at each change of names in turn.
        n, at_rename = next_n[writer], number // len(writers) % 3 < 2
        if at_rename:
            next_n[writer] = 1 if killed_at(n, work) else n + 1
        else:
            killed_after(chance.uniform(0, 0.05), work)
        # Who looks is another process, which has seen none of these folders.
        files._tidied.clear()
        try:
            found = problem()
        except CopnetError as error:
            found = str(error)
        shutil.rmtree(place, ignore_errors=True)
        return f"{writer.__name__.strip('_')}, {n}: {found}" if found else ""

    return counted(count, one)


# Folders ---------------------------------------------------------------------


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


def _stored_writer(place: Path, folder: Path) -> Writer:
    """A run whose steps lie in a store goes on where it was, to the same result."""
    settings = trust_inputs.dark_settings()

    def work() -> None:
        store = FolderStore(place / "store")
        with store.alone():
            stack = read_stack(folder / "s.tif")
            done = finish(run(stack, settings, store=store, load=DarkNetwork))
            names = ("contours", "closed")
            finish(
                saving(
                    done, restored_lazily(done), settings, place, "tiff", names, ReadParams(), None
                )
            )

    def problem() -> str:
        # As of a rerun: in a process of its own.
        if not killed_at(-1, work):
            return "did not go on"
        made, whole = from_run_folder(place), from_run_folder(folder / "repeated")
        if not np.array_equal(np.asarray(made.contour), np.asarray(whole.contour)):
            return "went on to another result"
        return _clean(place, {"closed.tif", "contours.tif", "run.json", "store"})

    return work, problem


def _adopt_writer(place: Path, folder: Path) -> Writer:
    """Another model becomes the default one: it is that or the one before."""
    models = place / "models"
    os.environ[package.MODELS_VARIABLE] = str(models)
    for name in ("a", "b"):
        import_zip(folder / f"{name}.zip", models / name)
    first, second = (package.load_package(models / name) for name in ("a", "b"))
    package.adopt(first)

    def problem() -> str:
        if package.adopted_name("closing") not in ("a", "b"):
            return "another default"
        package.adopt(second)
        return _clean(models, {"a", "b", package.ADOPTED})

    return lambda: package.adopt(second), problem


_FOLDERS = (
    _run_writer,
    _export_writer,
    _import_writer,
    _session_writer,
    _tables_writer,
    _formats_writer,
    _rerun_writer,
    _stored_writer,
    _adopt_writer,
)


# Sessions and projects -------------------------------------------------------


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


def _prefill_writer(place: Path, folder: Path) -> Writer:
    """A model draws a slice, which is put on the list; before or after, never in between."""
    shutil.copytree(folder / "session", place)
    contour = contour_of(5)[0] > 0
    drawn = PrefilledSlice(0, "a" * 64, contour)
    with Project.open(place) as project:
        project.session.jump(0)
        untouched = project.state(0) == UNTOUCHED

    def work() -> None:
        with Project.open(place) as project:
            if project.prefilled(0) is None:
                project.take_prefilled(drawn)
            project.choose([Proposal(0, "drawn")])

    def problem() -> str:
        with Project.open(place, read_only=True) as project:
            if project.state(0) != UNTOUCHED:
                return "counts as drawn by hand"
        work()
        with Project.open(place) as project:
            if not untouched or project.prefilled(0) is None or 0 not in project.chosen:
                return "was not drawn"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return work, problem


def _done_writer(place: Path, folder: Path) -> Writer:
    """A slice is reviewed in part and marked as done."""
    shutil.copytree(folder / "session", place)
    part = np.arange(contour_of()[0].size).reshape(contour_of()[0].shape) % 2 > 0

    def work() -> None:
        with Project.open(place) as project:
            project.set_reviewed(0, part)
            project.finish(0, despite=True)

    def problem() -> str:
        with Project.open(place) as project:
            if project.state(1) == UNTOUCHED or not project.reviewed(1).any():
                return "the other slice is not as it was"
            if project.slice(0).part and not np.array_equal(project.reviewed(0), part):
                return "another part was reviewed"
            if len(project.session.history) != 4:
                return f"{len(project.session.history)} edits of 4"
        work()
        with Project.open(place) as project:
            if project.state(0) != DONE or not np.array_equal(project.reviewed(0), part):
                return "is not done"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return work, problem


def _loop_writer(place: Path, _: Path) -> Writer:
    """The curve of the loop gets a point."""
    points = [Point(z, z, "model", "b" * 64, 0.5, None) for z in range(4)]
    write_points(place, points[:3])

    def problem() -> str:
        if read_points(place) not in (points[:3], points):
            return "another curve"
        write_points(place, points)
        return _clean(place, {"loop.json"})

    return lambda: write_points(place, points), problem


def _new_run_writer(place: Path, folder: Path) -> Writer:
    """A newer run is taken into a session: what was edited by hand stays, the rest is the run's."""
    shutil.copytree(folder / "session", place)
    start = from_run_folder(folder / "newer")
    with Session.open(place, read_only=True) as session:
        before = np.array(session.contour[:]) > 0
        old = np.stack([session.run_contour(z) for z in range(session.shape[0])])
    after = np.where(before == old, np.asarray(start.contour) > 0, before)

    def work() -> None:
        with Session.open(place) as session:
            session.add_run(start)

    def problem() -> str:
        with Session.open(place, read_only=True) as session:
            runs, now = len(session.facts.runs), np.array(session.contour[:]) > 0
            by_hand = np.stack([session.run_contour(z) for z in range(session.shape[0])]) != now
        if not (np.array_equal(now, before) or np.array_equal(now, after)):
            return "neither the state before nor after"
        if np.array_equal(now, before) and not np.array_equal(by_hand, before != old):
            return f"with {runs} runs, {by_hand.sum()} pixels count as edited by hand"
        work()
        with Session.open(place) as session:
            if not np.array_equal(np.array(session.contour[:]) > 0, after):
                return "the run was not taken"
            session.jump(4)
            if not np.array_equal(np.array(session.contour[:]) > 0, before):
                return "can't be undone"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return work, problem


def _migration_writer(place: Path, _: Path) -> Writer:
    """A session of an earlier version is edited: from then on it is one of this version."""
    shutil.copytree(EARLIER, place)
    told = json.loads((EARLIER.parent / "expected.json").read_text())
    mask = np.zeros((48, 56), bool)
    mask[5, 5:9] = True

    def work() -> None:
        with Session.open(place) as session:
            session.apply(Edit("line", (Flip("contour", Patch.of(0, mask)),)))
            session.snapshot()
            session.wait_saved()

    def problem() -> str:
        with Session.open(place) as session:
            more = session.history.position - told["position"]
            if more not in (0, 1):
                return f"{more} edits more"
            if more:
                session.undo()
            if int(sum((session.contour[z] > 0).sum() for z in range(2))) != told["contour_sum"]:
                return "another contour"
        work()
        with Session.open(place) as session:
            session.undo()
            if int(sum((session.contour[z] > 0).sum() for z in range(2))) != told["contour_sum"]:
                return "another contour after it was edited again"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return work, problem


def _recover_writer(place: Path, folder: Path) -> Writer:
    """A damaged session is recovered: what can be kept is, however often that is begun."""
    shutil.copytree(folder / "session", place)
    with Session.open(place, read_only=True) as session:
        contour = np.array(session.contour[:])
    journal = place / "journal.sqlite"
    os.truncate(journal, os.path.getsize(journal) - 4096)

    def problem() -> str:
        # The snapshot has all edits.
        done = recover(place)
        if (done.edits, done.lost) != (4, 0):
            return f"{done.edits} edits kept, {done.lost} lost"
        with Session.open(place) as session:
            if not np.array_equal(session.contour[:], contour):
                return "another contour"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return lambda: recover(place), problem


def _edit_writer(place: Path, folder: Path) -> Writer:
    """A session is edited and closed: what was there stays, and the edit is there or not."""
    shutil.copytree(folder / "session", place)

    def work() -> None:
        with Session.open(place) as session:
            trust_inputs.dot(session)

    def problem() -> str:
        with Session.open(place) as session:
            if len(session.history) not in (4, 5):
                return f"{len(session.history)} edits"
            trust_inputs.dot(session)
        with Session.open(place) as session:
            if len(session.history) not in (5, 6):
                return f"{len(session.history)} edits at last"
        return "" if not leftovers(place) else f"left: {leftovers(place)[0].name}"

    return work, problem


_SESSIONS = (
    _carry_writer,
    _prefill_writer,
    _done_writer,
    _loop_writer,
    _new_run_writer,
    _migration_writer,
    _recover_writer,
)
ALL = (*_FOLDERS, *_SESSIONS, _edit_writer)
