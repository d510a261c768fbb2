"""Kill runs on a cluster of this machine, or one of their workers, and repeat them.

Used by `trust.py`, which prints a line for each promise.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import tifffile
from trust_inputs import Counts, counted, write_model

from napari_copnet import CopnetError
from napari_copnet.proofreading.session_start import from_run_folder

SLICES, SIDE = 20, 48
RESULTS = ("contours", "closed", "cells")
# What a killed run started ends by itself within so long, s; a run takes no longer than the second.
GONE, LONGEST = 20.0, 120.0


def killed_clusters(folder: Path, count: int, seed: int) -> Counts:
    """Kill a run with two workers at random moments, and every third time only a worker.

    A kill is survived when nothing of what the run had started is left, its folder holds no
    results or those of a whole run, and repeated it gives what it gives without kills. A run that
    lost a worker has to end by itself.
    """
    chance = random.Random(seed)
    command = _command(folder)
    for name in ("first", "plain"):
        # the first compiles what is compiled once, and takes longer
        began = time.monotonic()
        if not _ended(_start(command, folder / name)):
            print("    the run without kills did not end")
            return 1, 0, 1
        length = time.monotonic() - began
    hit: list[int] = []

    def one(number: int) -> str:
        out = folder / "killed"
        process = _start(command, out)
        time.sleep(chance.uniform(0.3, 0.9) * length)
        started = _children(process.pid)
        if process.poll() is None:
            hit.append(number)
        only_worker = number % 3 == 2
        if not only_worker:
            process.kill()
            process.wait()
        elif workers := [child for child in started if _is_worker(child)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()
        if only_worker and not _ended(process):
            return "the run did not go on without its worker"
        left = _left(started)
        for child in left:
            child.kill()
        if left:
            return f"{len(left)} processes were left"
        if problem := _mixed(out):
            return problem
        if not _ended(_start(command, out)):
            return "not when tried again"
        problem = _other(folder / "plain", out)
        shutil.rmtree(out)
        return problem

    tried, survived, lost = counted(count, one)
    print(f"    {len(hit)} of {tried} were at work when they were hit")
    return (tried, survived, lost) if hit else (tried, 0, tried)


def _command(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    image = np.full((SLICES, SIDE, SIDE), 180.0)
    image[:, ::12] = image[:, :, ::12] = 60
    image = np.clip(image + rng.normal(0, 9, image.shape), 1, 255).astype(np.uint8)
    tifffile.imwrite(folder / "stack.tif", image)
    models = [write_model(folder / kind, kind=kind).folder for kind in ("contours", "closing")]
    return [
        *(sys.executable, "-m", "napari_copnet", "run", str(folder / "stack.tif")),
        *("--size", str(SIDE), "--device", "cpu", "--max-iterations", "4", "--json"),
        *("--contour-model", str(models[0]), "--closing-model", str(models[1])),
        *("--cluster", "local", "--workers", "2", "--out"),
    ]


def _start(command: list[str], out: Path) -> subprocess.Popen:
    silent = subprocess.DEVNULL
    return subprocess.Popen([*command, str(out)], stdin=silent, stdout=silent, stderr=silent)


def _ended(process: subprocess.Popen) -> bool:
    """Wait for a run; tell whether it ended well."""
    try:
        return process.wait(LONGEST) == 0
    except subprocess.TimeoutExpired:
        for child in _children(process.pid):
            child.kill()
        process.kill()
        process.wait()
        return False


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def _left(started: list[psutil.Process]) -> list[psutil.Process]:
    """Return which processes are still there after a while."""
    _, left = psutil.wait_procs(started, timeout=GONE)
    return [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def _mixed(out: Path) -> str:
    """Tell what is wrong with a killed run's results; none, or all, is right."""
    if not any((out / f"{name}.tif").exists() for name in RESULTS):
        return ""
    try:
        from_run_folder(out)
    except CopnetError as error:
        # one that was killed while its files were put in place says so
        return "" if "two runs" in str(error) else str(error)
    return ""


def _other(plain: Path, out: Path) -> str:
    """Tell what a repeated run has otherwise than one without kills."""
    records = [json.loads((one / "run.json").read_text()) for one in (plain, out)]
    if records[0]["key"] != records[1]["key"]:
        return "another key"
    for name in RESULTS:
        images = [tifffile.imread(one / f"{name}.tif") for one in (plain, out)]
        if not np.array_equal(*images):
            return f"other {name}"
    left = [name for name in os.listdir(out) if name.startswith(".writing")]
    return f"left {left[0]}" if left else ""
