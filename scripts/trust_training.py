"""Try to lose a training: kill it at random and resume it, and kill its parent.

Used by `trust.py`, which prints a line for each promise.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import tifffile
from trust_inputs import counted

from napari_copnet import CopnetError, finish, params
from napari_copnet.networks.architecture import build_network
from napari_copnet.networks.package import load_package, save_package
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.training import fit
from napari_copnet.training.losses import read_losses
from napari_copnet.training.sources import Source

ONE = params.DeviceParams(device="cpu", threads=1, precision="float32")
# Long enough that kills hit each stage of it, short enough to be done ten times.
TRAINING = params.TrainParams(epochs=60, iterations_per_epoch=10, batch=2, seed=1)
ORPHANS_GONE = 2.0


def killed_trainings(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Kill a training `count` times, resume it each time, and let it end.

    Returns
    -------
    tried, survived, lost : int
        A kill is survived when the training goes on after it. All are lost when it does not end
        in the very model that a training without kills makes, each epoch recorded once.
    """
    source, start = _made(folder)
    chance = random.Random(seed)
    plain = finish(_begin(source, start, folder / "plain"))
    out, survived = folder / "killed", 0
    for number in range(count):
        work = _begin(source, start, out, resume=number > 0)
        try:
            with contextlib.closing(work):
                _kill_child(work, chance)
        except CopnetError as error:
            if "ended with code -9" not in error.message:
                print(f"    kill {number}: {error}")
                return count, survived, count - survived
        survived += 1
    try:
        model = load_package(finish(_begin(source, start, out, resume=True)).folder)
    except CopnetError as error:
        print(f"    after the last kill: {error}")
        return count, 0, count
    epochs = [row["epoch"] for row in read_losses(out)]
    ours, theirs = model.weights(), plain.weights()
    same = all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    if not same or epochs != list(range(1, TRAINING.epochs + 1)):
        print(f"    the model is {'the same' if same else 'another'}; epochs {epochs}")
        return count, 0, count
    return count, survived, 0


def orphans(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Kill the parent of a training `count` times; survived is when nothing is left after 2 s."""
    source, start = _made(folder)
    chance = random.Random(seed)
    gone = 0
    for number in range(count):
        out = folder / f"orphan-{number}"
        parent = subprocess.Popen(
            [sys.executable, __file__, str(source.truth), str(source.image), str(start), str(out)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        child = _wait(lambda parent=parent: _child_of(parent.pid))
        if number % 2:
            # a training that has begun, rather than one that is loading
            _wait(lambda out=out: read_losses(out))
        time.sleep(chance.uniform(0, 0.5))
        left = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children(recursive=True)]
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        end = time.monotonic() + ORPHANS_GONE
        while (alive := [one for one in left if _runs(one)]) and time.monotonic() < end:
            time.sleep(0.05)
        if alive or child is None:
            print(f"    parent {number}: {alive} still there after {ORPHANS_GONE:g} s")
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        else:
            gone += 1
    return count, gone, count - gone


def trainings_in_a_row(folder: Path, count: int, _: int) -> tuple[int, int, int]:
    """Train `count` tiny networks one after another; no process, file, thread or memory is kept."""
    source, start = _made(folder)
    short = params.TrainParams(epochs=1, iterations_per_epoch=2, batch=2, seed=1)
    process = psutil.Process()
    held: list[tuple[int, int, float]] = []

    def one(number: int) -> str:
        out = folder / f"{number}"
        work = fit.train("contours", [source], out, short, device=ONE, start_from=start, size=0)
        finish(work).weights()
        shutil.rmtree(fit.work_folder(out))
        shutil.rmtree(out)
        if left := process.children(recursive=True):
            return f"{left} still there"
        held.append((process.num_fds(), process.num_threads(), process.memory_info().rss / 1e6))
        # The first ones load what is loaded once.
        first, last = held[:3][-1], held[-1]
        files, threads, memory = (last[kind] - first[kind] for kind in range(3))
        if files > 0 or threads > 0 or memory > 50:
            return f"{files} files and {threads} threads more, {memory:+.0f} MB"
        return ""

    return counted(count, one)


def _made(folder: Path) -> tuple[Source, Path]:
    """Write a drawn stack with its truth, and a tiny model to begin from."""
    folder.mkdir(parents=True, exist_ok=True)
    z, y, x = np.indices((6, 64, 64))
    truth = ((x % 16 == 0) | ((y + z) % 16 == 0)).astype(np.uint8)
    image = 150 - 90 * truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    tifffile.imwrite(folder / "truth.tif", truth, photometric="minisblack")
    grey = image.clip(0, 255).astype(np.uint8)
    tifffile.imwrite(folder / "image.tif", grey, photometric="minisblack")
    plan = NetworkPlan(
        architecture="PlainConvUNet",
        dimensions=2,
        in_channels=1,
        classes=2,
        patch_size=(32, 32),
        features_per_stage=(4, 8, 8),
        kernel_sizes=((3, 3),) * 3,
        strides=((1, 1), (2, 2), (2, 2)),
        n_conv_per_stage=(1, 1, 1),
        n_conv_per_stage_decoder=(1, 1),
        normalisation=("zscore",),
    )
    weights = {n: p.detach().numpy() for n, p in build_network(plan).named_parameters()}
    if not (folder / "start").exists():
        save_package(
            folder / "start", name="start", kind="contours", plan=plan, weights=weights, card={}
        )
    source = Source(
        truth=folder / "truth.tif",
        image=folder / "image.tif",
        truth_kind="contours",
        validation="none",
    )
    return source, folder / "start"


def _begin(source: Source, start: Path, out: Path, resume: bool = False) -> Iterator:
    return fit.train(
        "contours",
        [source],
        out,
        TRAINING,
        device=ONE,
        start_from=start,
        size=0,
        # killed before it was written down, there is nothing to resume: it begins
        resume=resume and (fit.work_folder(out) / "config.json").exists(),
    )


def _kill_child(work: Iterator, chance: random.Random) -> None:
    """Watch a training, and kill its process at a random moment of loading or training."""
    loading = chance.random() < 0.3
    delay = chance.uniform(0, 2.0) if loading else chance.uniform(0, 1.0)
    at: float | None = None
    for progress in work:
        begun = progress.step == "training" and (loading or not progress.note)
        if begun and at is None:
            at = time.monotonic() + delay
        if at is not None and time.monotonic() >= at:
            child = _child_of(os.getpid())
            if child is not None:
                os.kill(child.pid, signal.SIGKILL)
            at = float("inf")


def _child_of(pid: int) -> psutil.Process | None:
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "napari_copnet.training.child" in process.cmdline():
                return process
    return None


def _runs(process: psutil.Process) -> bool:
    """Whether a process is there; one that has ended and waits to be noted is not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait(condition, seconds: float = 120.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    return None


if __name__ == "__main__":
    truth, image, start, out = map(Path, sys.argv[1:5])
    long = params.TrainParams(epochs=100_000, iterations_per_epoch=10, batch=2)
    given = Source(truth=truth, image=image, truth_kind="contours", validation="none")
    finish(fit.train("contours", [given], out, long, device=ONE, start_from=start, size=0))
