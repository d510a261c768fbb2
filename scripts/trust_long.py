"""Long work: stopped at any moment it leaves nothing, and hours of it do not fill the memory."""

from __future__ import annotations

import contextlib
import gc
import random
import shutil
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import trust_inputs
from trust_inputs import Counts, DarkNetwork, counted, leftovers, tries, write_run

from napari_copnet import Session, params
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.export.export import export_files
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.measures.files import measure_files
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.proofreading.edits import Edit, Flip, Patch
from napari_copnet.proofreading.session_export import export
from napari_copnet.proofreading.session_files import make
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.restored import restored_lazily
from napari_copnet.runs.saving import saving
from napari_copnet.store.folder import FolderStore
from napari_copnet.types import Stack, VoxelSize

SECONDS = 1.0


def stopped_work(folder: Path, count: int, seed: int) -> Counts:
    """Stop long work at random steps; it ends at once, and no thread, file or folder is left."""
    chance = random.Random(seed)
    write_run(folder / "source", 3)
    trust_inputs.write_session(folder / "session", folder / "source", 6)
    stack = read_stack(trust_inputs.write_stack(folder / "stack.tif"))
    settings = trust_inputs.dark_settings()
    done = finish(run(stack, settings, load=DarkNetwork))
    session = Session.open(folder / "session", read_only=True)
    out = folder / "out"
    mask = trust_inputs.contour_of()
    works: list[Callable[[], Any]] = [
        lambda: run(stack, settings, load=DarkNetwork),
        lambda: _in_store(stack, settings, out),
        lambda: saving(done, restored_lazily(done), settings, out),
        lambda: make(out, from_run_folder(folder / "source")),
        lambda: export(session, out),
        lambda: evaluate(mask, mask),
        lambda: measure_files(folder / "session", out),
        lambda: export_files(folder / "session", out, ["rois", "labels16"]),
    ]
    times = []

    def one(number: int) -> str:
        before = {t.name for t in threading.enumerate()}
        work = works[number % len(works)]()
        for _ in range(chance.randint(0, 12)):
            if next(work, None) is None:
                break
        began = time.monotonic()
        work.close()
        times.append(time.monotonic() - began)
        left = [t.name for t in threading.enumerate() if t.name not in before | _OF_LIBRARIES]
        problem = f"threads {left}" if [n for n in left if n.startswith("copnet")] else ""
        if out.exists() and leftovers(out):
            problem = f"left {leftovers(out)[0].name}"
        if times[-1] > SECONDS:
            problem = f"took {times[-1]:.1f} s to stop"
        shutil.rmtree(out, ignore_errors=True)
        return problem

    found = counted(count, one)
    session.close()
    print(f"    of {len(times)} stops the slowest hundredth took {np.quantile(times, 0.99):.3f} s")
    return found


_OF_LIBRARIES = {"zarr_io", "asyncio_0"}


def _in_store(stack: Stack, settings: params.Settings, out: Path) -> Generator[Any, None, Any]:
    store = FolderStore(out / "store")
    with (
        store.alone(),
        contextlib.closing(run(stack, settings, store=store, load=DarkNetwork)) as work,
    ):
        return (yield from work)


def long_sessions(folder: Path, count: int, seed: int) -> Counts:
    """Make edits, undo some, save, and close and open every 500; memory must not grow.

    A busy proofreader makes some 600 edits an hour: 8 hours are 4800.
    """
    rng = np.random.default_rng(seed)
    write_run(folder / "source", 3)
    trust_inputs.write_session(folder / "session", folder / "source")
    session = Session.open(folder / "session")
    marks: list[float] = []
    tried = 0
    for number in tries(count):
        tried += 1
        spots = rng.random(trust_inputs.SHAPE[1:]) < 0.1
        spots[0, 0] = True
        session.apply(Edit("dots", (Flip("contour", Patch.of(number % 2, spots)),)))
        if number % 7 == 0:
            session.undo()
        if number % 500 == 499:
            session.close()
            session = Session.open(folder / "session")
        if number % max(count // 20, 1) == 0:
            session.wait_saved()
            marks.append(_megabytes())
    session.close()
    # The first fifth loads what is loaded once.
    grown = marks[-1] - marks[len(marks) // 5]
    allowed = 10 * max(count / 600, 1)
    print(f"    {tried} edits: {grown:+.1f} MB")
    return tried, tried * (grown <= allowed), tried * (grown > allowed)


def opened_and_closed(folder: Path, count: int, _: int) -> Counts:
    """Open stacks lazily and whole, and let them go; no file and no memory is held."""
    data = np.zeros((6, 400, 400), np.uint8)
    size = VoxelSize(0.05, 0.01, 0.01)
    paths = [
        write_image(folder / name, data, voxel_size=size)
        for name in ("a.tif", "b.nii", "c.ome.zarr", "d.nii.gz")
    ]
    held = 0.0
    for number in range(count):
        stack = read_stack(paths[number % len(paths)], lazy=number % 8 < 4)
        np.asarray(stack.data[number % 6])
        del stack
        if number == count // 5:
            gc.collect()
            files, held = psutil.Process().num_fds(), _megabytes()
    gc.collect()
    more = psutil.Process().num_fds() - files
    grown = _megabytes() - held
    print(f"    {count} stacks: {more} files more, {grown:+.1f} MB")
    good = more <= 0 and grown < 20
    return count, count * good, count * (not good)


def _megabytes() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6
