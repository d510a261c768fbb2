"""Fine-tuning: what annotated slices bring on the others, and how soon training runs.

Synthetic tissue that the default models have not seen, and isbi2012, whose annotators the truth
plays. The contour model learns from 1, 2, 5 and 10 slices, every tenth of 100 where there are so
many, each time from the shipped model and for as many steps; both run before the shipped closing
model on slices that no model has learnt from.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure, machine_name
from napari_copnet.errors import InputError
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import DeviceParams, FineTuneParams, TissueParams
from napari_copnet.progress import Progress, finish
from napari_copnet.synthetic import make_tissue
from napari_copnet.teaching import fine_tuning
from napari_copnet.teaching.model_comparison import compare
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.project_start import start_from_images
from napari_copnet.types import Stack, VoxelSize
from research.splits import ISBI2012_FINE_TUNING

COUNTS = (1, 2, 5, 10)
SEED = 90_210
SECONDS_TO_TRAIN = 10.0


@dataclass(frozen=True)
class Plan:
    """What is measured on a data set.

    Attributes
    ----------
    name : str
    stack : Stack
    truth : ndarray, shape (Z, Y, X), uint8
        True contours, 0 or 1.
    size : int
        Longer side that networks see; 0 keeps it.
    annotated : tuple of int
        Slices that can be annotated, in the order in which they are.
    scored : tuple of int
        Slices on which models are scored; none is near an annotated one.
    """

    name: str
    stack: Stack
    truth: np.ndarray
    size: int
    annotated: tuple[int, ...]
    scored: tuple[int, ...]


def run(quick: bool = False, data: Path | None = None, threads: int = 0) -> list[Figure]:
    """Measure all of it.

    Parameters
    ----------
    quick : bool
        Smaller slices and patches, fewer slices scored, 200 steps a training instead of 2000.
    data : Path, optional
        Folder with the data set isbi2012, to use it too.
    threads : int
        CPU threads; 0 uses all.

    Raises
    ------
    InputError
        The data set is not there.
    """
    plans = [_tissue(quick)]
    if data is not None:
        plans.append(_isbi2012(data, quick))
    # Only what was annotated trains: the slices that are scored lie in another project. By steps,
    # not by minutes, so that a busy machine gives the same figures.
    params = FineTuneParams(minutes=120.0, hold_out=False, steps=500, steps_per_epoch=50)
    if quick:
        params = replace(params, steps=200, patch=128, batch=2, steps_per_epoch=50)
    figures = []
    for plan in plans:
        figures += _measured(plan, params, threads)
    return figures


def unseen_tissue(slices: int, size: int) -> tuple[Stack, np.ndarray]:
    """Make tissue of a kind that the default models have not seen: inverted, with thick walls.

    Returns
    -------
    stack : Stack
        Membranes light on darker cytoplasm, as with an inverted detector.
    truth : ndarray, shape (Z, Y, X), uint8
        True contours.
    """
    params = TissueParams(
        slices=slices,
        size=size,
        cell_diameter=1.6,
        membrane=0.25,
        faded=0.12,
        noise=0.3,
        vessel=False,
        drift=0.0,
    )
    tissue = make_tissue(params, seed=SEED)
    grey = 255 - np.asarray(tissue.stack.data)
    return Stack(grey, tissue.stack.voxel_size, name="unseen tissue"), tissue.contours


def _tissue(quick: bool) -> Plan:
    stack, truth = unseen_tissue(100, 256 if quick else 512)
    annotated = tuple(range(0, 100, 10))
    scored = tuple(range(5, 100, 20 if quick else 10))
    return Plan("unseen synthetic tissue", stack, truth, 0, annotated, scored)


def _isbi2012(data: Path, quick: bool) -> Plan:
    from napari_copnet.training.cases import read_array

    folder = data / "isbi2012"
    if not (folder / "train-volume.tif").is_file():
        raise InputError(
            f"There is no isbi2012/train-volume.tif in {data}.", "Name the folder above isbi2012."
        )
    image, cells = (read_array(folder / f"train-{name}.tif")[0] for name in ("volume", "labels"))
    truth = (cells == 0).astype(np.uint8)
    if quick:
        image, truth = image[:, :256, :256], truth[:, :256, :256]
    stack = Stack(image, VoxelSize(0.05, 0.004, 0.004), name="isbi2012")
    chosen = ISBI2012_FINE_TUNING
    # In this order they are spread over the block, however few are taken.
    annotated = tuple(chosen.train[z] for z in (0, 4, 8, 2, 6, 1, 3, 5, 7, 9))
    return Plan("isbi2012", stack, truth, 0, annotated, tuple(chosen.validation))


def _measured(plan: Plan, params: FineTuneParams, threads: int) -> list[Figure]:
    """Fine-tune on the first slices that are annotated, and score the others."""
    device = DeviceParams(threads=threads)
    shipped = find_model("shipped", "contours")
    closing = find_model("shipped", "closing")
    figures, started = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with _project(folder / "project", plan) as project:
            for z in plan.scored:
                _annotate(project, plan, z)
            for count in COUNTS:
                chosen = plan.annotated[:count]
                with _project(folder / f"of-{count}", plan) as small:
                    for z in chosen:
                        _annotate(small, plan, z)
                    model, seconds = _fine_tuned(small, shipped, folder / "models", params, device)
                started.append(seconds)
                compared = finish(
                    compare(
                        project,
                        shipped,
                        model,
                        slices=plan.scored,
                        partner=closing,
                        device=device,
                    )
                )
                old, new = compared.old.mean("labelled"), compared.new.mean("labelled")
                figures.append(
                    _figure(
                        f"{plan.name}, labelled cells gained by {_slices(chosen)} annotated",
                        100 * (new - old),
                        "points",
                        "> 0",
                        new > old,
                        f"{100 * new:.1f} % labelled on {len(plan.scored)} other slices after "
                        f"{params.steps} steps of training, merged "
                        f"{100 * compared.new.mean('merged'):.1f} %, split "
                        f"{100 * compared.new.mean('split'):.1f} %",
                        f"{100 * old:.1f} % with the shipped contour model, merged "
                        f"{100 * compared.old.mean('merged'):.1f} %, split "
                        f"{100 * compared.old.mean('split'):.1f} %",
                    )
                )
    slowest = max(started)
    figures.append(
        _figure(
            f"{plan.name}, from done on a slice to training running",
            slowest,
            "s",
            f"< {SECONDS_TO_TRAIN:g}",
            slowest < SECONDS_TO_TRAIN,
            "slowest of "
            + ", ".join(f"{seconds:.1f}" for seconds in started)
            + f" s, for {', '.join(map(str, COUNTS))} slices",
            "",
        )
    )
    return figures


@contextmanager
def _project(folder: Path, plan: Plan) -> Iterator[Project]:
    """Begin a project without contours: the annotator draws all of them."""
    with Project.create(folder, start_from_images(plan.stack, None, plan.size)) as project:
        yield project


def _annotate(project: Project, plan: Plan, z: int) -> None:
    """Draw the truth, as an annotator who makes no mistake would."""
    project.draw(z, plan.truth[z])
    project.finish(z, despite=True)


def _fine_tuned(
    project: Project,
    parent: ModelPackage,
    gallery: Path,
    params: FineTuneParams,
    device: DeviceParams,
) -> tuple[ModelPackage, float]:
    """Return the new model, and the seconds from the last slice's done to the first step."""
    last = project.done[-1]
    project.reopen(last)
    begun = time.monotonic()
    project.finish(last, despite=True)
    running: list[float] = []

    def report(progress: Progress) -> None:
        if fine_tuning.began(progress) and not running:
            running.append(time.monotonic() - begun)

    model = finish(
        fine_tuning.fine_tune(
            project,
            "contours",
            parent,
            params,
            device=device,
            name=f"of-{len(project.done)}-{os.getpid()}",
            folder=gallery,
        ),
        report,
    )
    return model, running[0]


def _slices(chosen: Sequence[int]) -> str:
    return f"{len(chosen)} slice{'s' if len(chosen) != 1 else ''}"


def _figure(
    name: str, value: float, unit: str, goal: str, holds: bool, ours: str, theirs: str
) -> Figure:
    return Figure(name, float(value), unit, goal, bool(holds), ours, theirs, machine_name())
