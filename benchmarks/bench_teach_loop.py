"""The loop of teaching: what it costs an annotator, and what the model then gets right.

A sequence is a person who annotates four slices of a stack, one after the other, as
`evaluation.effort` counts it, and a contour model that learns after the first, the second and the
fourth, `STEPS` for each slice: from the slices that are done (``annotated``), or from those and
what was carried from them (``carried``), or from those and what its own closed contours agree on in
other slices (``self``, see `self_training`). Each slice is truth in the end, and what it took is
counted in three ways: drawn from nothing; by correcting the contours of the model of the beginning,
as after a run; and by correcting what the loop offers, which is what was carried to the slice, or
else what the newest model draws. The model is scored, before the default closing model, on slices
at least `training.cases.MARGIN` away from all that it has learnt from or that anything was carried
to.

No contour model has learnt from the data it is measured on: for a set that the default model knows
it is ``contours-without-SET`` in the folder of models: of fib25 and snemi3d, stages of `make
models`; of tumour tissue, the contour model that was shipped up to 25 November 2026 (commit
957ad0c), which does not know snemi3d either. The closing model is the default one on all sides.
Each line of the table is kept as soon as it is there, and a second call goes on with the sequences
that are missing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.bench_teach import thin_sliced
from benchmarks.figure import Figure
from benchmarks.self_training import agreeing
from benchmarks.teach_loop_figures import ARMS, COUNTS, SELF, Line, figures
from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.effort import clicks
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, adopt, find_model, load_package
from napari_copnet.params import CarryParams, DeviceParams, FineTuneParams, LoopParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.session_start import Start
from napari_copnet.teaching import loop, loop_models
from napari_copnet.teaching.carrying.project_carry import carry_done
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.project_start import start_from_images
from napari_copnet.teaching.slices_for_networks import SlicesForNetworks
from napari_copnet.training.cases import MARGIN, read_array
from napari_copnet.types import Stack, VoxelSize
from research.splits import ISBI2012_FINE_TUNING

SIDE, STEPS, SEEDS = 256, 80, 3
# What is annotated, in this order, and what is scored.
SLICES = (5, 15, 25, 35), (50, 55, 60)
# Where carrying reaches from one to the next, in tumours.
NEARER = (5, 12, 19, 26), (50, 55, 60)
# The model draws these slices beside each that is done; those within are learnt from.
BESIDE = range(2, 6)
DEVICE = DeviceParams(device="cpu", threads=1)


@dataclass(frozen=True)
class Plan:
    """What is annotated and scored of a stack.

    Attributes
    ----------
    name : str
        Of the data set.
    image, truth : ndarray, shape (Z, Y, X)
        The truth is 1 on contours, uint8.
    crop : tuple of slice
        What of each slice is annotated; whole slices are scored, since few cells say little.
    annotated, scored : tuple of int
        Slices, in their order.
    base : str
        Folder of the contour model to begin with, or ``"shipped"``.
    scale : float
        How much larger networks see the slices, about as a run would choose.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    crop: tuple[slice, slice]
    annotated: tuple[int, ...]
    scored: tuple[int, ...]
    base: str
    scale: float = 1.0


def run(
    quick: bool = False,
    data: Path | None = None,
    models: Path | None = None,
    table: Path | None = None,
) -> list[Figure]:
    """Measure fib25, snemi3d, synthetic tumour tissue and isbi2012, as far as they are there.

    Parameters
    ----------
    quick : bool
        One seed, and a third of the steps.
    data : Path, optional
        Folder with fib25, snemi3d and isbi2012.
    models : Path, optional
        Folder with ``contours-without-SET`` of fib25, snemi3d and tumour; sets whose model is not
        there are left out.
    table : Path, optional
        File of the lines, to be gone on with.

    Raises
    ------
    InputError
        Nothing can be measured.
    """
    lines = _kept(table)
    steps = STEPS // 3 if quick else STEPS
    seeds = range(1 if quick else SEEDS)
    # What is asked first is known first, should time run out.
    for seed, arms in product(seeds, (ARMS[:2], ARMS[2:])):
        for plan, arm in product(_plans(seed, data, models), arms):
            mine = _of(lines, plan, arm, seed)
            done = len(mine) > len(COUNTS)
            if done or (arm == "carried" and _is_same(plan, seed, lines)) or not _fits(plan, arm):
                continue
            lines = [one for one in lines if one not in mine]
            for line in _sequence(plan, arm, seed, steps):
                lines.append(line)
                _keep(table, lines)
                _tell(line)
    if not lines:
        raise InputError(
            "There is nothing to measure.", "Give --data, or --models with contours-without-tumour."
        )
    return figures(lines, steps)


def _of(lines: Sequence[Line], plan: Plan, arm: str, seed: int) -> list[Line]:
    wanted = plan.name, arm, seed
    return [one for one in lines if (one.name, one.arm, one.seed) == wanted]


def _is_same(plan: Plan, seed: int, lines: Sequence[Line]) -> bool:
    """Whether nothing could be carried, so that there is nothing more to learn from."""
    return not any(one.beside for one in _of(lines, plan, ARMS[0], seed))


def _fits(plan: Plan, arm: str) -> bool:
    """Whether the slices that a model draws itself lie far enough from those that are scored."""
    return arm != SELF or max(plan.annotated) + BESIDE[-1] + MARGIN <= min(plan.scored)


# What is measured ------------------------------------------------------------------------------


def _plans(seed: int, data: Path | None, models: Path | None) -> Iterator[Plan]:
    base = _base(models, "snemi3d")
    corner = [(0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)][seed % 4]
    crop = slice(corner[0], corner[0] + SIDE), slice(corner[1], corner[1] + SIDE)
    if data is not None and base:
        image, truth = snemi3d(data)
        yield Plan("snemi3d at 12 nm", image, truth, crop, *SLICES, base, 2.0)
    base = _base(models, "fib25")
    if data is not None and base:
        raw, labels = (read_array(data / "fib25" / f"{one}.tif")[0] for one in ("raw", "instances"))
        part = slice(49 * (seed % 2), 49 * (seed % 2) + 111)
        truth = _between(labels[part])
        whole = slice(None), slice(None)
        yield Plan("fib25", raw[part], truth, whole, *SLICES, base, 2.0)
    base = _base(models, "tumour")
    if base:
        tissue = thin_sliced(61, 2 * SIDE, 60.0, 90_400 + seed)
        image, truth = np.asarray(tissue.stack.data), np.asarray(tissue.contours)
        yield Plan("synthetic tumour tissue", image, truth, crop, *NEARER, base)
    if data is not None and (data / "isbi2012" / "train-volume.tif").is_file():
        image, cells = (
            read_array(data / "isbi2012" / f"train-{one}.tif")[0] for one in ("volume", "labels")
        )
        chosen = ISBI2012_FINE_TUNING
        annotated = tuple(chosen.train[z] for z in (0, 3, 6, 9))
        scored = tuple(chosen.validation)[::2]
        truth = (cells == 0).astype(np.uint8)
        yield Plan("isbi2012", image, truth, crop, annotated, scored, "shipped")


def _base(models: Path | None, without: str) -> str:
    folder = None if models is None else models / f"contours-without-{without}"
    return str(folder) if folder is not None and folder.is_dir() else ""


def snemi3d(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return image and contours at half the size: 12 nm."""
    image, labels = (read_array(data / "snemi3d" / f"{one}.tif")[0] for one in ("raw", "instances"))
    depth, height, width = image.shape
    blocks = image.reshape(depth, height // 2, 2, width // 2, 2)
    small = np.stack([plane.mean(axis=(1, 3)) for plane in blocks])
    return np.rint(small).astype(np.uint8), _between(labels[:, ::2, ::2])


def _between(cells: np.ndarray) -> np.ndarray:
    """Return contours: what is no cell, and one pixel where cells touch."""
    truth = cells == 0
    truth[:, :-1] |= cells[:, :-1] != cells[:, 1:]
    truth[:, :, :-1] |= cells[:, :, :-1] != cells[:, :, 1:]
    return truth.astype(np.uint8)


def _sequence(plan: Plan, arm: str, seed: int, steps: int) -> Iterator[Line]:
    """Annotate slice after slice, and yield a line for none and for each of them."""
    tuning = FineTuneParams(
        steps_per_epoch=max(steps // 2, 1),
        patch=128,
        batch=2,
        seed=seed,
        carried=arm != ARMS[0],
    )
    with tempfile.TemporaryDirectory() as place, _default(plan.base, Path(place)) as base:
        image, truth = (one[:, *plan.crop] for one in (plan.image, plan.truth))
        with (
            Project.create(Path(place) / "truth", _start(plan, plan.image)) as scored,
            Project.create(Path(place) / "project", _start(plan, image)) as project,
        ):
            for z in plan.scored:
                _annotate(scored, z, plan.truth)
            yield Line(plan.name, arm, seed, 0, *_scores(scored, base), 0, 0, 0, "", 0, 0.0)
            done = 0
            for count in COUNTS:
                took = []
                for z in plan.annotated[done:count]:
                    took.append(_clicks(project, base, z, truth[z]))
                    _annotate(project, z, truth)
                    if arm != SELF:
                        finish(carry_done(project, CarryParams()))
                if arm == SELF:
                    _take_agreeing(project, plan.annotated[:count])
                begun = time.monotonic()
                model = finish(
                    loop.train_round(
                        project,
                        LoopParams(minutes=120.0),
                        device=DEVICE,
                        fine_tuning=replace(tuning, steps=steps * (count - done)),
                    )
                )
                seconds = time.monotonic() - begun
                _refuse_near(plan.scored, [*project.done, *project.carried_slices])
                drawn, of_run, offered, came = zip(*took, strict=True)
                yield Line(
                    *(plan.name, arm, seed, count, *_scores(scored, model)),
                    *(sum(drawn), sum(of_run), sum(offered), came[-1]),
                    *(len(project.carried_slices), seconds),
                )
                done = count


def _start(plan: Plan, image: np.ndarray) -> Start:
    stack = Stack(image, VoxelSize(), name=plan.name.split()[0])
    return start_from_images(stack, None, round(plan.scale * max(image.shape[1:])))


def _take_agreeing(project: Project, annotated: Sequence[int]) -> None:
    """Have a project learn from what its newest model agrees on, in two slices beside each done."""
    model = loop_models.newest_model(project)
    for z in annotated:
        block = [z + step for step in BESIDE]
        closed = None if model is None else _closed(SlicesForNetworks(project, block), model)
        if closed is not None:
            for one in agreeing(closed[1] > 0, block, project.done):
                project.take_carried(one)


def _refuse_near(scored: Sequence[int], learnt: Sequence[int]) -> None:
    near = min(abs(one - other) for one in scored for other in learnt)
    if near < MARGIN:
        raise AssertionError(f"What is scored lies {near} slices from what is learnt from.")


@contextmanager
def _default(base: str, place: Path) -> Iterator[ModelPackage]:
    """Let a contour model be the default one, among models of its own."""
    before = os.environ.get("NAPARI_COPNET_MODELS")
    os.environ["NAPARI_COPNET_MODELS"] = str(place / "models")
    try:
        if base == "shipped":
            yield find_model("default", "contours")
        else:
            (place / "models").mkdir()
            package = load_package(Path(shutil.copytree(base, place / "models" / "base")))
            adopt(package)
            yield package
    finally:
        if before is None:
            del os.environ["NAPARI_COPNET_MODELS"]
        else:
            os.environ["NAPARI_COPNET_MODELS"] = before


def _annotate(project: Project, z: int, truth: np.ndarray) -> None:
    project.draw(z, truth[z])
    project.finish(z, despite=True)


def _clicks(
    project: Project, base: ModelPackage, z: int, truth: np.ndarray
) -> tuple[int, int, int, str]:
    """Return what annotating a slice takes, in the three ways, and what the loop offered.

    What takes more to correct than to draw is cleared, by one click.
    """
    nothing = np.zeros(truth.shape, bool)
    of_run = _drawn(project, base, z)
    carried = project.carried(z)
    if carried is not None:
        offered, came = carried.contour, "carried"
    else:
        made = finish(loop.prefill(project, z, device=DEVICE))
        offered, came = nothing if made is None else made.contour, "model"
    drawn = clicks(nothing, truth)
    run, loops = (min(clicks(one, truth), drawn + 1) for one in (of_run, offered))
    return drawn, run, loops, came


def _closed(view: SlicesForNetworks, model: ModelPackage) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        step1 = finish(view.contours(Network.load(model, DEVICE)))
        closing = Network.load(find_model("default", "closing"), DEVICE)
        return finish(view.closed(step1, closing, model.name))
    except CopnetError:
        return None


def _drawn(project: Project, model: ModelPackage, z: int) -> np.ndarray:
    closed = _closed(SlicesForNetworks(project, [z]), model)
    return np.zeros(project.shape[1:], bool) if closed is None else closed[1][0] > 0


def _scores(project: Project, model: ModelPackage) -> tuple[float, float, float, float]:
    view = SlicesForNetworks(project, project.done)
    closed = _closed(view, model)
    if closed is None:
        return 0.0, 1.0, 0.0, 0.0
    one = finish(evaluate_all({"model": closed[0]}, view.true(), project.done))["model"]
    return one.mean("labelled"), one.mean("merged"), one.mean("split"), one.mean("nsd")


# The table -------------------------------------------------------------------------------------


def _kept(table: Path | None) -> list[Line]:
    if table is None or not table.is_file():
        return []
    return [Line(**json.loads(line)) for line in table.read_text().splitlines() if line]


def _keep(table: Path | None, lines: Sequence[Line]) -> None:
    if table is not None:
        beside = table.with_suffix(".writing")
        beside.write_text("".join(json.dumps(asdict(line)) + "\n" for line in lines))
        beside.replace(table)


def _tell(line: Line) -> None:
    took = f"{line.drawn} clicks drawn, {line.run} from a run, {line.offered} from {line.came}"
    # Beside the figures: those may be an object for programs.
    print(
        f"{line.name}, {line.arm}, seed {line.seed}, {line.slices} slices: labelled "
        f"{line.labelled:.3f}, NSD {line.nsd:.3f}; {took if line.slices else 'the model as it was'}"
        f"; {line.beside} slices carried, {line.seconds:.0f} s",
        file=sys.stderr,
        flush=True,
    )
