"""Runs of `copnet` in processes of their own, with the memory they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tifffile

from napari_copnet.synthetic import sample_stack

# Between two looks at a process, s.
_LOOK = 0.25


@dataclass(frozen=True)
class ChildRun:
    """A finished run.

    Attributes
    ----------
    record : dict
        What it printed.
    seconds : float
        From start to end of the process.
    peak : int
        The most memory that it and its own children held at once, bytes: what was seen, or what
        the kernel says of the process alone, whichever is more. Looks miss short peaks, and more
        of these in short runs.
    curve : list of tuple
        Seconds since the start, and bytes.
    """

    record: dict[str, Any]
    seconds: float
    peak: int
    curve: list[tuple[float, int]]


def run_copnet(arguments: Sequence[str | Path], threads: int = 0) -> ChildRun:
    """Run a command to its end.

    Parameters
    ----------
    arguments : sequence
        Of ``copnet``, without ``--json``.
    threads : int
        That libraries may use; 0 leaves it to them.
    """
    started = time.monotonic()
    process = start_copnet(arguments, threads)
    curve: list[tuple[float, int]] = []
    most = 0

    def look() -> None:
        nonlocal most
        while process.poll() is None:
            curve.append((time.monotonic() - started, _memory(process.pid)))
            most = max(most, _most_so_far(process.pid))
            time.sleep(_LOOK)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - started
    looking.join()
    record = json.loads(output)
    if process.returncode:
        raise RuntimeError(record.get("error", output))
    return ChildRun(record, seconds, max(most, *(bytes_ for _, bytes_ in curve)), curve)


def start_copnet(arguments: Sequence[str | Path], threads: int = 0) -> subprocess.Popen:
    """Start a command whose JSON object can be read."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        environment.pop(name, None)
        if threads:
            environment[name] = str(threads)
    command = [sys.executable, "-m", "napari_copnet", *map(str, arguments), "--json"]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _memory(pid: int) -> int:
    """Return what a process and its children hold, without what they share."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.Error:
        pass
    return total


def _most_so_far(pid: int) -> int:
    """Return the most memory that a process has held, bytes; 0 where the system does not tell."""
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in told.splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(lines[0][1]) if lines else 0


def write_stack(path: Path, slices: int, side: int) -> Path:
    """Write a stack of square slices: the sample forth and back, enlarged, with noise."""
    sample = np.asarray(sample_stack().stack.data)
    turn = 2 * len(sample) - 2
    factor = -(-side // sample.shape[1])
    rng = np.random.default_rng(0)

    def planes() -> Any:
        for number in range(slices):
            z = min(number % turn, turn - number % turn)
            image = sample[z].repeat(factor, 0).repeat(factor, 1)[:side, :side].astype(np.int16)
            image += rng.integers(-6, 7, image.shape, np.int16)
            yield np.clip(image, 1, 255).astype(np.uint8)

    tifffile.imwrite(
        path, planes(), shape=(slices, side, side), dtype=np.uint8, photometric="minisblack"
    )
    return path


def folder_bytes(folder: Path) -> int:
    """Return the size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
