"""Try to lose a training by killing the whole viewer, and go on with it in the next one.

Used by `trust.py`, which prints a line for each promise. Run by itself with a folder, it is the
viewer: a real napari window with the training dock, whose real buttons are pressed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import trust_training

from napari_copnet import (
    CopnetError,
    Project,
    Stack,
    VoxelSize,
    finish,
    params,
    start_from_images,
)
from napari_copnet.networks.package import load_package
from napari_copnet.teaching.fine_tuning import resume, unfinished
from napari_copnet.training import child
from napari_copnet.training.losses import read_losses
from napari_copnet.training.work import work_folder

SLICES, DEPTH, SIDE = (0, 10, 20), 21, 64
# A kill while it learns comes within a second of an epoch: it must not have ended by then.
EPOCHS_A_KILL, STEPS_AN_EPOCH = 60, 10
SECONDS_TO_BEGIN = 300.0


def killed_viewers(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Kill a viewer in which a training runs, `count` times; the next one goes on with it.

    The first viewer begins the training by the button Train, each later one goes on by Continue,
    and the last training is brought to its end without a viewer.

    Returns
    -------
    tried, survived, lost : int
        A kill is survived when 2 s after it no process is left of what the viewer had started,
        and the training goes on after it, not anew. All are lost when it does not end in a model,
        each epoch recorded once, those told before a kill with the very losses they had.
    """
    _made(folder)
    models, epochs = folder / "models", EPOCHS_A_KILL * -(-count // 2)
    chance = random.Random(seed)
    told: dict[int, float] = {}
    survived = 0
    for number in range(count):
        problem = _killed(folder, number, epochs, chance)
        left = unfinished(models)
        if not problem and len(left) != 1:
            problem = f"there are {len(left)} trainings to go on with"
        if not problem and number and _began_at(left[0].out) == 0:
            problem = "the training began anew"
        if problem:
            print(f"    viewer {number}: {problem}")
            return count, survived, count - survived
        survived += 1
        told |= _losses(left[0].out)
    (one,) = unfinished(models)
    try:
        load_package(finish(resume(one.out)).folder).weights()
    except CopnetError as error:
        print(f"    after the last kill: {error}")
        return count, 0, count
    losses = _losses(one.out)
    if list(losses) != list(range(1, epochs + 1)) or _began_at(one.out) == 0:
        print(f"    after the last kill: epochs {list(losses)}, from {_began_at(one.out)} on")
        return count, 0, count
    if changed := [epoch for epoch in told if losses[epoch] != told[epoch]]:
        print(f"    epochs {changed} have another loss than was told before a kill")
        return count, 0, count
    return count, survived, 0


def _killed(folder: Path, number: int, epochs: int, chance: random.Random) -> str:
    """Open a viewer that trains, kill it, and return what was wrong after 2 s."""
    with (folder / f"viewer-{number}.log").open("wb") as log:
        viewer = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(epochs)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "NAPARI_COPNET_MODELS": str(folder / "models"),
                # the user's own settings are not ours to change
                "NAPARI_CONFIG": str(folder / "napari.yaml"),
            },
        )
    try:
        process = _until(viewer, lambda: trust_training._child_of(viewer.pid))
        # each second one while the training is loading, the others when it has learnt something
        if process is not None and number % 2 == 0:
            before = len(_losses(*_outs(folder)))
            process = _until(viewer, lambda: len(_losses(*_outs(folder))) > before) and process
        if process is None:
            return f"no training began: {Path(log.name).read_text(errors='replace')[-500:]}"
        time.sleep(chance.uniform(0, 0.5))
        started = psutil.Process(viewer.pid).children(recursive=True)
        if process not in started:
            return "the training had ended before its viewer was killed"
        os.kill(viewer.pid, signal.SIGKILL)
        viewer.wait()
        end = time.monotonic() + trust_training.ORPHANS_GONE
        while (left := _left(folder, started)) and time.monotonic() < end:
            time.sleep(0.05)
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return f"{left} still there after {trust_training.ORPHANS_GONE:g} s" if left else ""
    finally:
        if viewer.poll() is None:
            viewer.kill()
            viewer.wait()


def _left(folder: Path, started: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that the viewer had started, or that work in its folder."""
    found = [one for one in started if trust_training._runs(one)]
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one not in found and any(str(folder) in word for word in one.cmdline()):
                found.append(one)
    return found


def _outs(folder: Path) -> list[Path]:
    return [one.out for one in unfinished(folder / "models")]


def _losses(*outs: Path) -> dict[int, float]:
    return {int(row["epoch"]): row["train_loss"] for out in outs for row in read_losses(out)}


def _began_at(out: Path) -> int:
    """Return the step at which the last process of a training began to train; -1 for not yet."""
    with contextlib.suppress(OSError):
        for line in (work_folder(out) / child.PROGRESS).read_text().splitlines():
            with contextlib.suppress(ValueError):
                if (told := json.loads(line)).get("state") == "training":
                    return int(told["step"])
    return -1


def _until(viewer: subprocess.Popen, condition: Callable[[], Any]) -> Any:
    """Wait until something holds; None when the viewer ends, or it takes too long."""
    end = time.monotonic() + SECONDS_TO_BEGIN
    while viewer.poll() is None and time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    return None


def _made(folder: Path) -> None:
    """Write a project with three slices that are done, and a tiny model to begin from."""
    _, start = trust_training._made(folder)
    (folder / "models").mkdir()
    start.rename(folder / "models" / "start")
    contour = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    contour[:, ::16] = contour[:, :, ::16] = 1
    noise = np.random.default_rng(0).normal(0, 8, contour.shape)
    image = (150 - 90.0 * contour + noise).clip(0, 255).astype(np.uint8)
    stack = Stack(image, VoxelSize(0.05, 0.01, 0.01), name="drawn")
    # Of its size, and with every cell however small.
    begin = replace(start_from_images(stack, contour, size=0), cells=params.CellParams(min_size=0))
    with Project.create(folder / "project", begin) as project:
        for z in SLICES:
            project.finish(z, despite=True)


def view(folder: Path, epochs: int) -> None:
    """Open the window, begin the training or go on with it, and stay until killed."""
    import napari
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    from napari_copnet.gui.commands import open_stage

    def until(holds: Callable[[], bool]) -> None:
        while not holds():
            QApplication.processEvents()
            time.sleep(0.01)

    def press(button: Any) -> None:
        until(lambda: button.isEnabled() and not button.isHidden())
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    viewer = napari.Viewer(title="napari-copnet trust")
    dock = open_stage("teach", viewer).stages["teach"].training
    section = dock.train
    if _outs(folder):
        press(section.continue_button)
    else:
        dock.link.open_dock().open(folder / "project")
        until(lambda: dock.link.project is not None and dock.link.dock.tasks.job is None)
        section.parents["contours"].set("start")
        # by steps alone, so that the speed of the machine changes nothing
        for name, value in (
            ("minutes", "1000"),
            ("steps", str(epochs * STEPS_AN_EPOCH)),
            ("steps_per_epoch", str(STEPS_AN_EPOCH)),
            ("batch", "2"),
        ):
            section.form.rows[name].value = value
        section.renew()
        press(section.train_button)
    until(lambda: bool(dock.message.text))
    sys.exit(f"The dock says: {dock.message.text}")


if __name__ == "__main__":
    view(Path(sys.argv[1]), int(sys.argv[2]))
