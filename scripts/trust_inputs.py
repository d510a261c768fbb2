"""What the suites are given: a small run, session, project and model; and how work is killed."""

import os
import signal
import time
import traceback
from types import SimpleNamespace

import dask
import numpy as np

from napari_copnet import params
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, finish
from napari_copnet.restored import restored_lazily
from napari_copnet.runs.generation import new_generation
from napari_copnet.runs.run_record import write_record
from napari_copnet.runs.saving import saving
from napari_copnet.types import SliceResult, VoxelSize

SHAPE = (2, 12, 14)
# Tried, survived, lost.
Counts = tuple[int, int, int]


# A forked child has none of the threads that dask began in its parent, and would wait for them.
os.register_at_fork(after_in_child=lambda: dask.config.set(scheduler="synchronous"))

# When suites have to end.
_end = [float("inf")]


def end_after(seconds):
    """Let `tries` end after some seconds."""
    _end[0] = time.monotonic() + seconds


def tries(count):
    """Yield the numbers below `count`, as long as there is time."""
    for number in range(count):
        if time.monotonic() > _end[0]:
            return
        yield number


def counted(count, one):
    """Try `count` times, as long as there is time; `one` takes the number and tells what was wrong.

    Returns
    -------
    tried, survived, lost : int
    """
    tried = lost = 0
    for number in tries(count):
        tried += 1
        try:
            problem = one(number)
        except Exception as error:
            traceback.print_exc()
            problem = f"{type(error).__name__}: {error}"
        if problem:
            lost += 1
            print(f"    {number}: {problem}", flush=True)
    return tried, tried - lost, lost


def contour_of(number=0):
    contour = np.zeros(SHAPE, np.uint8)
    contour[:, ::6] = contour[:, :, (number + 3) % 7 :: 7] = 1
    return contour


def write_run(folder, number=0, names=("contours", "closed"), **record):
    """Write a run's results as `save_run` does; those of different numbers differ."""
    contour = contour_of(number)
    arrays = {
        "contours": contour * np.float32(0.9),
        "closed": contour,
        "iterations": np.stack([contour * np.float32(0.5), contour * np.float32(0.9)]),
        "cells": (1 - contour).astype(np.uint32),
    }
    record = {
        "command": "run",
        "key": f"run {number}",
        "settings": {"cells": {"min_size": 4}, "closing": {"keep_iterations": True}},
        "frame": {
            "results": "original",
            "original_shape": list(SHAPE),
            "processed_shape": list(SHAPE),
            "shifts": [[0.0, 0.0]] * SHAPE[0],
        },
        "converged_by_slice": [True] * SHAPE[0],
        "blank_slices": [],
        "inputs": {"stack": {"path": None, "sha256": None}},
        **record,
    }
    with new_generation(folder) as made:
        record["files"] = {
            name: str(
                write_image(
                    made.folder / name,
                    arrays[name],
                    kind=name,
                    voxel_size=VoxelSize(0.05, 0.01, 0.01),
                )
            )
            for name in names
        }
        write_record(made.folder, record)
    return made.record


class DarkNetwork:
    """Dark pixels are contour: the work of a network, without one."""

    plan = SimpleNamespace(dimensions=2)

    def __init__(self, *_):
        pass

    def predict(self, images, **_):
        result = np.clip(0.5 - images[:, 0] / 4, 0, 1).astype(np.float32)
        for index, plane in enumerate(result):
            yield Progress(
                "predict", index + 1, len(result), "slices", partial=SliceResult(index, plane)
            )
        return result


def dark_settings():
    """Return settings of a run with `DarkNetwork`."""
    return params.Settings(
        preprocess=params.PreprocessParams(size=0, invert="no"),
        device=params.DeviceParams(device="cpu"),
        closing=params.ClosingParams(max_iterations=3),
    )


def write_stack(path):
    """Write a stack that runs can be made of."""
    rng = np.random.default_rng(0)
    image = 200 - 150 * np.kron(contour_of(), np.ones((1, 4, 4)))
    data = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
    return write_image(path, data, voxel_size=VoxelSize(0.05, 0.01, 0.01))


def write_whole_run(folder, stack):
    """Run all steps on a stack, with `DarkNetwork`, and write the results."""
    settings, read = dark_settings(), params.ReadParams()
    result = finish(run(read_stack(stack), settings, load=DarkNetwork))
    outputs = ("contours", "closed")
    return finish(saving(result, restored_lazily(result), settings, folder, "tiff", outputs, read))


def dot(session, z=0, y=0, x=0):
    """Change a pixel of a session by hand."""
    from napari_copnet.proofreading.edits import Edit, Flip, Patch

    session.apply(Edit("dot", (Flip("contour", Patch.of(z, np.ones((1, 1)), (y, x))),)))


def write_session(folder, run, edits=0):
    """Make a session of a run, with some edits, and a project of it with a slice begun."""
    from napari_copnet.proofreading.edits import Edit, Flip, Patch
    from napari_copnet.proofreading.session import Session
    from napari_copnet.proofreading.session_start import from_run_folder
    from napari_copnet.teaching.project import Project

    rng = np.random.default_rng(edits)
    with Session.create(folder, from_run_folder(run)) as session:
        for _ in range(edits):
            spots = rng.random(SHAPE[1:]) < 0.1
            spots[tuple(rng.integers(SHAPE[1:]))] = True
            session.apply(
                Edit("dots", (Flip("contour", Patch.of(int(rng.integers(SHAPE[0])), spots)),))
            )
    with Project.open(folder) as project:
        project.set_reviewed(1, np.arange(SHAPE[1] * SHAPE[2]).reshape(SHAPE[1:]) % 3)
    return folder


def write_model(folder, name="small", kind="contours"):
    """Write the package of a tiny network."""
    from napari_copnet.networks.architecture import build_network
    from napari_copnet.networks.package import save_package
    from napari_copnet.networks.plan import NetworkPlan

    plan = NetworkPlan(
        architecture="PlainConvUNet",
        dimensions=2,
        in_channels=1,
        classes=2,
        patch_size=(32, 32),
        features_per_stage=(2, 4),
        kernel_sizes=((3, 3), (3, 3)),
        strides=((1, 1), (2, 2)),
        n_conv_per_stage=(1, 1),
        n_conv_per_stage_decoder=(1,),
        normalisation=("zscore",),
    )
    weights = {n: v.detach().numpy() for n, v in build_network(plan).named_parameters()}
    return save_package(
        folder, name=name, kind=kind, plan=plan, weights=weights, card={}, replace=True
    )


def killed_at(n, work):
    """Do some work in a process that is to end at its n-th change of names.

    Returns
    -------
    bool
        Whether it came through: it changes names less often.
    """
    child = os.fork()
    if child == 0:
        left = [n]

        def dying(real):
            def call(*args, **options):
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)
                return real(*args, **options)

            return call

        try:
            for name in ("replace", "rename", "unlink", "mkdir", "rmdir"):
                setattr(os, name, dying(getattr(os, name)))
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 9):
        raise RuntimeError("the work itself failed")
    return code == 0


def killed_after(seconds, work):
    """Do some work in a process that is killed after some seconds; return whether it was done."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def leftovers(folder):
    """Return what unfinished work has left in a folder, at any depth."""
    return [p for p in folder.rglob(".*") if p.name.startswith((".writing-", ".replaced-"))]
