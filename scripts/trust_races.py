"""Two at once: processes that write the same run, model or session."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trust_inputs
from trust_inputs import Counts, contour_of, counted, write_run

from napari_copnet import CopnetError, Session
from napari_copnet.networks import package
from napari_copnet.networks.model_zip import export_zip, import_zip
from napari_copnet.proofreading.session_start import from_run_folder


def races(folder: Path, count: int, _: int) -> Counts:
    """Let two processes write the same run, model, default or session; one whole result stays."""
    os.environ[package.MODELS_VARIABLE] = str(folder / "models")
    write_run(folder / "source", 3)
    trust_inputs.write_session(folder / "session", folder / "source", 2)
    for name in ("one", "two"):
        export_zip(trust_inputs.write_model(folder / name, "raced"), folder / f"{name}.zip")
    kinds = (_run_race, _model_race, _session_race)
    return counted(count, lambda number: kinds[number % 3](folder))


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
