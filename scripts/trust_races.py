"""Two at once: processes that write the same run, model or session."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trust_inputs
from trust_inputs import Counts, contour_of, counted, killed_after, leftovers, write_run

from napari_copnet import CopnetError, Session
from napari_copnet.export.export import export_files
from napari_copnet.measures.files import measure_files
from napari_copnet.networks import package
from napari_copnet.networks.model_zip import export_zip, import_zip
from napari_copnet.progress import finish
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.runs.known_files import is_intact
from napari_copnet.store.folder import FolderStore


def races(folder: Path, count: int, _: int) -> Counts:
    """Let two processes write the same run, model, default or session; one whole result stays."""
    os.environ[package.MODELS_VARIABLE] = str(folder / "models")
    write_run(folder / "source", 3, ("contours", "closed", "cells"))
    write_run(folder / "other", 4, ("contours", "closed", "cells"))
    trust_inputs.write_session(folder / "session", folder / "source", 2)
    for name in ("one", "two"):
        export_zip(trust_inputs.write_model(folder / name, "raced"), folder / f"{name}.zip")
    kinds = (
        _run_race,
        _model_race,
        _session_race,
        _default_race,
        _tables_race,
        _exports_race,
        _store_race,
        _stale_lock_race,
    )
    return counted(count, lambda number: kinds[number % len(kinds)](folder))


def _both(*works: Callable[[], Any]) -> list[int]:
    """Do work at once in processes; 0 for each that was done, 2 for each that was refused."""
    children = []
    for work in works:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work()
                code = 0
            except CopnetError:
                code = 2
            except BaseException as error:
                os.write(2, f"    {type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(code)
        children.append(child)
    return sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def _run_race(folder: Path) -> str:
    place = folder / "raced"
    codes = _both(lambda: write_run(place, 0), lambda: write_run(place, 1))
    try:
        start = from_run_folder(place)
    except CopnetError as error:
        return str(error)
    whole = any(
        (start.contour == contour_of(k)).all() and ((start.step1 > 0) == contour_of(k)).all()
        for k in (0, 1)
    )
    shutil.rmtree(place)
    return "" if whole and codes in ([0, 0], [0, 2]) else f"mixed, or ended with {codes}"


def _model_race(folder: Path) -> str:
    shutil.rmtree(package.models_folder(), ignore_errors=True)
    codes = _both(*(lambda n=n: import_zip(folder / f"{n}.zip") for n in ("one", "two")))
    package.find_model("raced", "contours").weights()
    there = sorted(os.listdir(package.models_folder()))
    return "" if codes == [0, 2] and there == ["raced"] else f"{codes}, {there}"


def _session_race(folder: Path) -> str:
    def writing() -> None:
        with Session.open(folder / "session") as session:
            if session.read_only:
                raise CopnetError("Another one writes.")
            time.sleep(0.05)

    codes = _both(writing, writing)
    # One may have opened it after the other had closed it.
    return "" if codes in ([0, 2], [0, 0]) else f"ended with {codes}"


def _default_race(folder: Path) -> str:
    """One sets the default of contours, the other that of closing: both may, and one wins each."""
    models = package.models_folder()
    for name in ("one", "two"):
        if not (models / name).exists():
            import_zip(folder / f"{name}.zip", models / name)
    one, two = (package.load_package(models / name) for name in ("one", "two"))
    codes = _both(lambda: package.adopt(one), lambda: package.adopt(two))
    adopted = package.adopted_name("contours")
    package.adopt(None, "contours")
    left = leftovers(models)
    return (
        "" if codes == [0, 0] and adopted in ("one", "two") and not left else f"{codes}, {adopted}"
    )


def _tables_race(folder: Path) -> str:
    place = folder / "tables"
    codes = _both(
        lambda: finish(measure_files(folder / "source", place)),
        lambda: finish(measure_files(folder / "other", place)),
    )
    return _one_whole(place, "measures.json", codes)


def _exports_race(folder: Path) -> str:
    place = folder / "exports"
    codes = _both(
        lambda: finish(export_files(folder / "source", place, ["rois", "labels16"])),
        lambda: finish(export_files(folder / "other", place, ["rois", "ome-zarr"])),
    )
    return _one_whole(place, "export.json", codes)


def _one_whole(place: Path, name: str, codes: list[int]) -> str:
    """Return what is wrong with a folder into which two have written."""
    record = json.loads((place / name).read_text())
    wrong = [n for n in record["hashes"] if not is_intact(place / n, record)]
    unnamed = {p.name for p in place.iterdir()} - {*record["hashes"], name}
    shutil.rmtree(place)
    if record.get("unfinished") or wrong or unnamed or codes not in ([0, 0], [0, 2]):
        return f"mixed: {wrong}, {unnamed}, ended with {codes}"
    return ""


def _store_race(folder: Path) -> str:
    """Two runs want to work in one store: one does, the other is told."""

    def working() -> None:
        store = FolderStore(folder / "store")
        with store.alone():
            store.stage("step", "a key").keep("phase", "0", {"n": np.arange(3)})
            time.sleep(0.02)

    codes = _both(working, working)
    kept = FolderStore(folder / "store").stage("step", "a key").recalled("phase", "0")
    shutil.rmtree(folder / "store")
    return "" if codes in ([0, 2], [0, 0]) and kept is not None else f"ended with {codes}"


def _stale_lock_race(folder: Path) -> str:
    """The lock of a process that was killed does not keep two others out: one of them writes."""

    def killed() -> None:
        Session.open(folder / "session")
        os.kill(os.getpid(), signal.SIGKILL)

    killed_after(5, killed)
    return _session_race(folder)
