"""Labels and scores: ours beside scikit-image's labelling and scipy's distance transform.

Both sides get the same contours in memory and return the same: components of a stack with the same
numbers, and the same counts of pixels near a border. Either side works in one thread; times are
those of the processor, so that what else runs on the machine counts on neither, and alternate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import label

from benchmarks.figure import Figure, machine_name
from napari_copnet.evaluation.metrics import border, within
from napari_copnet.params import CellParams, ScoreParams, TissueParams
from napari_copnet.progress import finish
from napari_copnet.steps.cells import label_cells
from napari_copnet.synthetic import make_tissue

_SIDE = 512
_SLICES = 300
_LABELS_GOAL, _NSD_GOAL = 2.0, 4.0


def run(quick: bool = False) -> list[Figure]:
    """Measure labelling of 300×512×512 in 3D, and the surface Dice of 512×512 slices.

    Parameters
    ----------
    quick : bool
        60 slices, fewer repeats.

    Returns
    -------
    list of Figure
        A ratio and an equality for either.
    """
    made = make_tissue(TissueParams(slices=6, size=_SIDE, vessel=False), seed=1).contours > 0
    slices = 60 if quick else _SLICES
    # To and fro, so that neighbouring slices show the same cells.
    order = np.resize(np.r_[0:6, 4:0:-1], slices)
    repeats = 3 if quick else 5
    return [*_labelling(made[order].astype(np.uint8), repeats), *_surface_dice(made, repeats)]


def _labelling(closed: np.ndarray, repeats: int) -> list[Figure]:
    params = CellParams(mode="3d", min_size=0)
    finish(label_cells(closed[:2], params))  # compiled before timing
    ours, theirs = _alternately(
        lambda: finish(label_cells(closed, params)).labels,
        lambda: label(closed == 0, connectivity=1),
        repeats,
    )
    name = f"labelling {'×'.join(map(str, closed.shape))}"
    equal = float(np.mean(ours.result == theirs.result))
    counts = [int(side.result.max()) for side in (ours, theirs)]
    ratio = median(theirs.seconds) / median(ours.seconds)
    return [
        _figure(
            f"{name}, speed",
            ratio,
            "x",
            f">= {_LABELS_GOAL:g}",
            ratio >= _LABELS_GOAL,
            f"steps.cells.label_cells, 3d, counts by slice included: {ours}",
            f"skimage.measure.label, connectivity 1: {theirs}",
        ),
        _figure(
            f"{name}, pixels with the same label",
            equal,
            "share",
            "= 1",
            equal == 1 and counts[0] == counts[1],
            f"{counts[0]} components",
            f"{counts[1]} components",
        ),
    ]


def _surface_dice(masks: np.ndarray, repeats: int) -> list[Figure]:
    tolerance = ScoreParams().tolerance
    pairs = [(mask, np.roll(mask, (1, 2), (0, 1))) for mask in masks]

    def exactly(edge: np.ndarray, distance: float) -> np.ndarray:
        return distance_transform_edt(~edge) <= distance

    ours, theirs = _alternately(
        lambda: [_close_pixels(pair, within, tolerance) for pair in pairs],
        lambda: [_close_pixels(pair, exactly, tolerance) for pair in pairs],
        3 * repeats,
    )
    name = f"NSD at {tolerance:g} px, {len(masks)} slices of {_SIDE}×{_SIDE}"
    ratio = median(theirs.seconds) / median(ours.seconds)
    equal = float(np.mean([a == b for a, b in zip(ours.result, theirs.result, strict=True)]))
    near, borders = (sum(counts) for counts in zip(*ours.result, strict=True))
    return [
        _figure(
            f"{name}, speed",
            ratio,
            "x",
            f">= {_NSD_GOAL:g}",
            ratio >= _NSD_GOAL,
            f"evaluation.metrics.within, borders and counts included: {ours}",
            f"scipy.ndimage.distance_transform_edt, the same included: {theirs}",
        ),
        _figure(
            f"{name}, slices with the same counts",
            equal,
            "share",
            "= 1",
            equal == 1,
            f"{near} of {borders} border pixels lie near the other border",
            "",
        ),
    ]


def _close_pixels(
    pair: tuple[np.ndarray, np.ndarray],
    near: Callable[[np.ndarray, float], np.ndarray],
    tolerance: float,
) -> tuple[int, int]:
    """Return how many border pixels of two masks lie near the other's border, and how many are."""
    first, second = (border(mask) for mask in pair)
    close = np.count_nonzero(first & near(second, tolerance)) + np.count_nonzero(
        second & near(first, tolerance)
    )
    return int(close), int(np.count_nonzero(first) + np.count_nonzero(second))


class _Timed:
    """The times of one side, and what it returned."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.result: Any = None

    def take(self, work: Callable[[], Any]) -> None:
        self.result = None
        start = time.process_time()
        self.result = work()
        self.seconds.append(time.process_time() - start)

    def __str__(self) -> str:
        found = [1e3 * seconds for seconds in self.seconds]
        return f"{median(found):.1f} ms of one thread, median of {len(found)}"


def _alternately(
    ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int
) -> tuple[_Timed, _Timed]:
    sides = _Timed(), _Timed()
    for _ in range(repeats):
        for side, work in zip(sides, (ours, theirs), strict=True):
            side.take(work)
    return sides


def _figure(
    name: str, value: float, unit: str, goal: str, holds: bool, ours: str, theirs: str
) -> Figure:
    return Figure(name, float(value), unit, goal, bool(holds), ours, theirs, machine_name())
