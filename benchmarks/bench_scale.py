"""Stacks of any size: memory, disk and time of runs, and what a run is worth that was stopped.

Each run is a process of its own, of the command line, with the shipped networks. Likely gaps are
searched for as by default, but the network closes in one iteration: memory is the same, and a
thousand slices are done sooner.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.child_runs import ChildRun, folder_bytes, run_copnet, start_copnet, write_stack
from benchmarks.figure import Figure, machine_name

SETTINGS = ("--size", "512", "--invert", "no", "--max-iterations", "1")
_FLAT = 1.10
_MOST = 3e9
_KILLS = 20


def run(quick: bool = False) -> list[Figure]:
    """Measure stacks of 512² and of 6,000², two workers against one process, and killed runs.

    Parameters
    ----------
    quick : bool
        Fewer slices and kills.
    """
    machine = machine_name()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        # The first run of an installation compiles what later ones find compiled.
        _run(folder, 2, 512)
        small, figures = _small(folder, (8, 24) if quick else (64, 256, 1024), machine)
        figures += _large(folder, (2, 4) if quick else (10, 40), small, machine)
        figures += _workers(folder, 16 if quick else 64, machine)
        figures += _killed(folder, 4 if quick else _KILLS, machine)
    return figures


def _run(folder: Path, slices: int, side: int) -> tuple[ChildRun, float]:
    """Run a made stack; return the run, and the size of its results over that of the stack."""
    stack, out = write_stack(folder / "stack.tif", slices, side), folder / "out"
    done = run_copnet(["run", stack, "--out", out, *SETTINGS])
    share = folder_bytes(out) / (slices * side * side)
    shutil.rmtree(out)
    stack.unlink()
    return done, share


def _small(folder: Path, counts: tuple[int, ...], machine: str) -> tuple[float, list[Figure]]:
    """Return the seconds of a slice, and a figure."""
    runs = {count: _run(folder, count, 512)[0] for count in counts}
    peaks = [one.peak for one in runs.values()]
    value = max(peaks) / min(peaks)
    seconds = _a_slice(runs)
    said = ", ".join(f"{count}: {one.peak / 1e9:.2f} GB" for count, one in runs.items())
    return seconds, [
        Figure(
            "memory over slices of 512 px",
            value,
            "x",
            f"<= {_FLAT}",
            value <= _FLAT,
            f"peak by slices: {said}; {seconds:.2f} s a slice",
            "the fewest slices",
            machine,
        )
    ]


def _large(folder: Path, counts: tuple[int, int], small: float, machine: str) -> list[Figure]:
    runs, share = {}, 0.0
    for count in counts:
        runs[count], share = _run(folder, count, 6000)
    few, many = (runs[count].peak for count in counts)
    ratio = _a_slice(runs) / small
    ours = ", ".join(f"{count}: {one.peak / 1e9:.2f} GB" for count, one in runs.items())
    return [
        Figure(
            f"memory of {counts[1]} slices of 6,000 px",
            many / 1e9,
            "GB",
            "< 3",
            many < _MOST,
            f"peak by slices: {ours}",
            "",
            machine,
        ),
        Figure(
            "memory over slices of 6,000 px",
            many / few,
            "x",
            f"<= {_FLAT}",
            many / few <= _FLAT,
            f"peak by slices: {ours}",
            f"{counts[0]} slices",
            machine,
        ),
        Figure(
            "results on disk over input",
            share,
            "x",
            "<= 0.2",
            share <= 0.2,
            f"{counts[1]} slices of 6,000 px, the store with all that resuming needs included",
            "uncompressed stack",
            machine,
        ),
        Figure(
            "time of a slice of 6,000 px over one of 512 px",
            ratio,
            "x",
            "<= 2",
            ratio <= 2,
            f"{_a_slice(runs):.2f} s a slice",
            f"{small:.2f} s a slice",
            machine,
        ),
    ]


def _a_slice(runs: dict[int, ChildRun]) -> float:
    """Return the seconds of a slice, without what a process takes to start."""
    few, many = min(runs), max(runs)
    return (runs[many].seconds - runs[few].seconds) / (many - few)


def _workers(folder: Path, slices: int, machine: str) -> list[Figure]:
    stack = write_stack(folder / "stack.tif", slices, 512)
    alone = run_copnet(["run", stack, "--out", folder / "alone", *SETTINGS], threads=2)
    half = run_copnet(["run", stack, "--out", folder / "half", *SETTINGS], threads=1)
    shared = run_copnet(
        ["run", stack, "--out", folder / "shared", *SETTINGS, "--cluster", "local",
         "--workers", "2"]
    )  # fmt: skip
    one, single, two = (sum(done.record["seconds"].values()) for done in (alone, half, shared))
    same = _equal(folder / "alone", folder / "shared")
    for name in ("alone", "half", "shared"):
        shutil.rmtree(folder / name)
    return [
        Figure(
            "two dask workers against one process of two threads",
            one / two,
            "x",
            ">= 1, equal results",
            one >= two and same,
            f"{two:.1f} s for {slices} slices, results {'equal' if same else 'different'}",
            f"{one:.1f} s",
            machine,
        ),
        Figure(
            "two dask workers against one process of one thread, half the cores",
            single / two,
            "x",
            ">= 1.7",
            single >= 1.7 * two,
            f"{two:.1f} s for {slices} slices",
            f"{single:.1f} s",
            machine,
        ),
    ]


def _killed(folder: Path, kills: int, machine: str) -> list[Figure]:
    stack = write_stack(folder / "stack.tif", 12, 512)
    whole = run_copnet(["run", stack, "--out", folder / "whole", *SETTINGS])
    rng = random.Random(0)
    killed = started = 0
    while killed < kills and started < 4 * kills:
        started += 1
        process = start_copnet(["run", stack, "--out", folder / "killed", *SETTINGS])
        # Most of a process's time goes into starting; what it does comes after.
        time.sleep(rng.uniform(0.2, 1.0) * whole.seconds)
        if process.poll() is not None:
            # It was done: begin again with the next.
            shutil.rmtree(folder / "killed")
        else:
            killed += 1
            process.kill()
        process.communicate()
    run_copnet(["run", stack, "--out", folder / "killed", *SETTINGS])
    same = _equal(folder / "whole", folder / "killed")
    return [
        Figure(
            "kills that left another result",
            float(not same),
            "",
            "0",
            same and killed == kills,
            f"{killed} processes killed at random moments, of {started} started",
            "a run that was not stopped",
            machine,
        )
    ]


def _equal(one: Path, other: Path) -> bool:
    return all(
        np.array_equal(tifffile.imread(one / f"{name}.tif"), tifffile.imread(other / f"{name}.tif"))
        for name in ("contours", "closed", "cells")
    )
