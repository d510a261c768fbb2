"""The loop of teaching: what correcting a slice costs that the newest model drew, and drawing it.

A simulated annotator who knows the truth works with stated prices. The true contours are cut into
stretches at their junctions, and a stretch is drawn as a polygon: one click for each of its
vertices, which lie within `STRAIGHT` px of it. Correcting draws what of a true stretch lies farther
than `NEAR` px from any contour that is there, and removes what of a contour lies farther than that
from the truth, also by a polygon along it. Looking, moving and zooming are not counted, on either
side. The first slice is drawn; the second was drawn by the model after one round of training, the
third after two, and the same prices hold for both sides.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.measure import approximate_polygon
from skimage.morphology import skeletonize

from benchmarks.bench_finetune import Plan, _isbi2012, _tissue
from benchmarks.figure import Figure, machine_name
from napari_copnet.networks.package import find_model
from napari_copnet.params import DeviceParams, FineTuneParams, LoopParams
from napari_copnet.progress import finish
from napari_copnet.teaching import loop
from napari_copnet.teaching.project import Project
from napari_copnet.teaching.project_start import start_from_images

STRAIGHT, NEAR = 2.0, 3.0
# Shorter pieces are roughness of a line, px.
SHORTEST = 4
ROUNDS = 2


def run(quick: bool = False, data: Path | None = None) -> list[Figure]:
    """Measure synthetic tissue of an unseen kind and, where `data` is given, isbi2012.

    No default model has learnt from either.

    Parameters
    ----------
    quick : bool
        Slices of 256 px and 100 steps a round instead of 500.
    data : Path, optional
        Folder with isbi2012.
    """
    plans = [_tissue(quick)] if data is None else [_isbi2012(data, quick), _tissue(quick)]
    steps = FineTuneParams(steps=500, steps_per_epoch=50)
    if quick:
        steps = FineTuneParams(steps=100, steps_per_epoch=50, patch=128, batch=2)
    return [figure for plan in plans for figure in _measured(plan, steps)]


def _measured(plan: Plan, steps: FineTuneParams) -> list[Figure]:
    costs: list[tuple[int, int, int]] = []
    default = find_model("default", "contours").name
    with tempfile.TemporaryDirectory() as place:
        start = start_from_images(plan.stack, None, plan.size)
        with Project.create(Path(place) / "project", start) as project:
            for number in range(ROUNDS + 1):
                z = plan.annotated[number]
                drawn = finish(loop.prefill(project, z)) if number else None
                before = np.zeros(plan.truth[z].shape, bool) if drawn is None else drawn.contour
                costs.append((z, clicks(before, plan.truth[z]), clicks(0 * before, plan.truth[z])))
                project.draw(z, plan.truth[z])
                project.finish(z, despite=True)
                if number == ROUNDS:
                    break
                finish(
                    loop.train_round(
                        project,
                        LoopParams(minutes=120.0),
                        device=DeviceParams(),
                        fine_tuning=steps,
                    )
                )
    figures = []
    for rounds, (z, correcting, drawing) in list(enumerate(costs))[1:]:
        share = correcting / max(drawing, 1)
        goal = 1 / 3 if rounds == ROUNDS else 1.0
        figures.append(
            Figure(
                f"{plan.name}, a slice drawn after {rounds} round(s), correcting over drawing",
                share,
                "x",
                f"<= {goal:.2f}",
                share <= goal,
                f"{correcting} clicks in slice {z}, {steps.steps} steps a round from {default}",
                f"{drawing} clicks to draw it",
                machine_name(),
            )
        )
    return figures


def clicks(contour: np.ndarray, truth: np.ndarray) -> int:
    """Return the clicks that turn a contour into the true one, both of shape (Y, X)."""
    lines = [skeletonize(np.asarray(one) > 0) for one in (truth, contour)]
    count = 0
    for line, other in (lines, lines[::-1]):
        far = line
        if other.any():
            far = line & (ndimage.distance_transform_edt(~other) > NEAR)
        count += sum(len(approximate_polygon(path, STRAIGHT)) for path in stretches(far))
    return count


def stretches(lines: np.ndarray) -> list[np.ndarray]:
    """Return the pixels (y, x) of lines one pixel wide in order, cut at junctions."""
    around = ndimage.convolve(lines.astype(np.int8), np.ones((3, 3), np.int8), mode="constant") - 1
    parts, _ = ndimage.label(lines & (around <= 2), np.ones((3, 3)))
    found = []
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        pixels = np.argwhere(parts[box] == number)
        if len(pixels) >= SHORTEST:
            corner = np.array([part.start for part in box])
            found.append(_in_order(pixels) + corner)
    return found


def _in_order(pixels: np.ndarray) -> np.ndarray:
    """Walk along a line from one of its ends."""
    apart = np.abs(pixels[:, None] - pixels[None]).max(axis=2)
    ends = np.flatnonzero((apart == 1).sum(axis=1) <= 1)
    at = int(ends[0]) if len(ends) else 0
    left, path = np.ones(len(pixels), bool), [at]
    left[at] = False
    while left.any():
        at = int(np.where(left, apart[at], np.iinfo(apart.dtype).max).argmin())
        left[at] = False
        path.append(at)
    return pixels[path]
