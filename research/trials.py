"""The trials of closing: what each changes, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.params import ClosingParams, as_dict
from napari_copnet.steps.parting import parting_lines
from napari_copnet.training.sources import Source, SyntheticTissue
from napari_copnet.types import is_contour
from research.default_sources import SEED
from research.splits import FIB25, FIB25_SECOND_HALF, GALA, as_option

# Takes what closing began with and what came of it, probabilities of shape (Z, Y, X),
# and returns the mask.
After = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Takes the probability of a slice by iteration, shape (I + 1, Y, X), and returns where to stop.
Stop = Callable[[np.ndarray], int]


# What the network does by itself; likely gaps are a row of their own.
NETWORK = ClosingParams(likely_gaps=False, firmer=0.0, match_certainty=False)


@dataclass(frozen=True)
class Trial:
    """One change, and what is measured of it.

    Attributes
    ----------
    name, title : str
        For files, and for people: what is changed.
    closing : ClosingParams
        How the closing network is applied.
    train : dict or None
        Changed settings of a training that starts from the shipped weights; None takes the
        shipped network as it is.
    degrade : dict
        Changed settings of the degradation.
    maps : str
        What the training learns from: ``"some"`` (Step 1 maps made out of fold, and degraded
        truth), ``"none"`` (degraded truth alone) or ``"all"`` (maps alone).
    scratch : bool
        Start from random weights.
    after, stop : callable or None
        What is done to the result, see `After`; where to stop instead of at convergence.
    verdict : str
        Kept or not, and why: as it was when the table of the repository was made.
    """

    name: str
    title: str
    closing: ClosingParams = NETWORK
    train: Mapping[str, Any] | None = None
    degrade: Mapping[str, Any] = field(default_factory=dict)
    maps: str = "some"
    scratch: bool = False
    after: After | None = None
    stop: Stop | None = None
    verdict: str = ""

    def recipe(self) -> dict[str, Any]:
        """Return all that decides the figures as plain values."""
        return {
            "closing": as_dict(self.closing),
            "train": None if self.train is None else dict(self.train),
            "degrade": dict(self.degrade),
            "maps": self.maps,
            "scratch": self.scratch,
            "after": self.after.__name__ if self.after else None,
            "stop": self.stop.__name__ if self.stop else None,
        }


def thin_additions(start: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return Step 1's contour and, of what closing adds, the centre lines 3 px wide."""
    from scipy.ndimage import binary_dilation
    from skimage.morphology import skeletonize

    first, last = is_contour(start), is_contour(result)
    near = np.stack([binary_dilation(skeletonize(mask)) for mask in first | last])
    return first | (last & near)


def _sure(threshold: float) -> After:
    def additions(start: np.ndarray, result: np.ndarray) -> np.ndarray:
        return is_contour(start) | (result > threshold)

    additions.__name__ = f"additions_over_{threshold:g}"
    return additions


def parting_alone(start: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return Step 1's contour and, of what closing adds, the lines that part cells."""
    both = is_contour(start) | is_contour(result)
    return is_contour(start) | np.stack([parting_lines(mask) for mask in both])


def when_additions_part_nothing(iterations: np.ndarray) -> int:
    """Return the iteration after which most of what is added no longer parts cells."""
    masks = is_contour(iterations)
    for number in range(1, len(masks)):
        added = masks[number] & ~masks[number - 1]
        if not added.any():
            return number - 1
        useful = np.count_nonzero(added & parting_lines(masks[number]))
        if number > 1 and useful < 0.5 * np.count_nonzero(added):
            return number - 1
    return len(masks) - 1


def sources_of(trial: Trial, data: Path, models: Path) -> list[Source | SyntheticTissue]:
    """Return what a trial's training learns from: a part of what the default model does.

    Parameters
    ----------
    trial : Trial
    data : Path
        Folder with ``fib25`` and ``gala-fibsem``.
    models : Path
        Folder with ``contours-without-fib25`` and ``contours`` as `default_models` writes them.
    """
    fib25, gala = data / "fib25", data / "gala-fibsem"
    truth = Source(
        truth=fib25 / "instances.tif",
        slices=as_option(FIB25_SECOND_HALF[::5]),
        validation=f"{FIB25.validation[0]},{FIB25.validation[-1]}",
        truth_kind="labels",
        weight=0.25,
    )
    crop = Source(
        truth=gala / "train-instances-3d.tif",
        slices=as_option(GALA.train[:48:16]),
        truth_kind="labels",
        zero="contour",
        weight=0.05,
    )
    made = SyntheticTissue(count=3, seed=SEED + 2000, slices=3, weight=0.15)
    mapped: list[Source | SyntheticTissue] = [
        replace(
            truth,
            image=fib25 / "raw.tif",
            step1=models / "contours-without-fib25",
            weight=0.35,
        ),
        SyntheticTissue(count=4, seed=SEED + 1000, slices=3, step1=models / "contours", weight=0.2),
    ]
    degraded: list[Source | SyntheticTissue] = [truth, crop, made]
    return {"some": mapped + degraded, "none": degraded, "all": mapped}[trial.maps]


_PAPER = replace(NETWORK, hold=False, tidy=False, unite=True)
_HELD = replace(NETWORK, tidy=False)
_LIKELY = replace(NETWORK, likely_gaps=True, redraw=False)

TRIALS = (
    Trial(
        "paper",
        "the paper's way: nothing held, united with Step 1",
        _PAPER,
        verdict="not kept: 25 to 30 iterations, and fewer labelled than in 3",
    ),
    Trial(
        "held",
        "what is contour is held",
        _HELD,
        verdict="kept, now tidied: loose ends and thick lines cost splits and NSD",
    ),
    Trial(
        "faint-0.2",
        "held, then tidied, with faint lines from 0.2",
        replace(NETWORK, faint=0.2),
        verdict="not kept: from 0.35 more are labelled on isbi2012 and clDice is higher",
    ),
    Trial(
        "tidy",
        "held, then tidied",
        verdict="kept: fewer splits and higher NSD than held alone on all three",
    ),
    Trial(
        "likely",
        "tidied, then likely gaps that gain 0.1 cells",
        _LIKELY,
        verdict="kept: 3.5 points more on synthetic tissue (6 on HeLa, see the results), "
        "the rest noise",
    ),
    Trial(
        "likely-any",
        "the same, however likely they win",
        replace(_LIKELY, least_chance=0.0),
        verdict="not kept: on isbi2012 more split, lower NSD",
    ),
    Trial(
        "likely-0.05",
        "the same from 0.05 cells",
        replace(_LIKELY, least_gain=0.05),
        verdict="not kept: no difference that counts",
    ),
    Trial(
        "likely-0.2",
        "the same from 0.2 cells",
        replace(_LIKELY, least_gain=0.2),
        verdict="not kept: no difference that counts",
    ),
    Trial(
        "far",
        "tidied, 30 iterations without a stop",
        replace(NETWORK, tolerance=0.0, max_iterations=30),
        verdict="not kept: fewer on fib25, and ten times the work",
    ),
    Trial(
        "firmer",
        "tidied, from the fourth iteration on firmer by 0.1",
        replace(NETWORK, firmer=0.1),
        verdict="kept: the same at convergence",
    ),
    Trial(
        "firmer-far",
        "the same, 30 iterations without a stop",
        replace(NETWORK, firmer=0.1, tolerance=0.0, max_iterations=30),
        verdict="kept for this: without it iterating on loses cells on fib25",
    ),
    Trial(
        "default",
        "firmer, then likely gaps, and drawn once more: the default",
        ClosingParams(),
        verdict="kept: fewer split and higher NSD than likely gaps alone",
    ),
    Trial(
        "faint-0.5",
        "tidied, without faint lines",
        replace(NETWORK, faint=0.5),
        verdict="not kept: a few fewer on isbi2012 and synthetic tissue",
    ),
    Trial(
        "faint-0.1",
        "tidied, faint lines from 0.1",
        replace(NETWORK, faint=0.1),
        verdict="not kept: lower clDice on fib25, more split on isbi2012",
    ),
    Trial(
        "mirror",
        "tidied, passes averaged over mirrored copies",
        replace(NETWORK, mirror=True),
        verdict="not kept: within half a point, and four times the work (--mirror)",
    ),
    Trial(
        "over-0.6",
        "held, additions above 0.6 only",
        _HELD,
        after=_sure(0.6),
        verdict="not kept: fewer labelled than tidied, more split",
    ),
    Trial(
        "over-0.7",
        "held, additions above 0.7 only",
        _HELD,
        after=_sure(0.7),
        verdict="not kept: the same, more so",
    ),
    Trial(
        "thin",
        "held, additions thinned to 3 px",
        _HELD,
        after=thin_additions,
        verdict="not kept: clDice falls on all three",
    ),
    Trial(
        "parting",
        "held, additions only where they part cells",
        _HELD,
        after=parting_alone,
        verdict="not kept: half the gain",
    ),
    Trial(
        "stop-rule",
        "held, stopped when most of what a pass adds parts no cells",
        replace(_HELD, tolerance=0.0, max_iterations=12),
        stop=when_additions_part_nothing,
        verdict="not kept: stops no better than convergence",
    ),
    Trial(
        "tolerance",
        "tidied, stop below 0.01 % changed",
        replace(NETWORK, tolerance=1e-4),
        verdict="not kept: fewer on fib25, more work",
    ),
    Trial(
        "base",
        "trained on with the default's settings: what the next rows compare to",
        train={},
        verdict="what the default does",
    ),
    Trial(
        "fixed-20",
        "20 fixed degraded maps a slice (the paper's way)",
        train={"fixed_maps": 20},
        verdict="not kept: NSD and clDice fall by 5 to 6 points on isbi2012, splits rise",
    ),
    Trial(
        "no-maps",
        "no Step 1 maps made out of fold",
        train={},
        maps="none",
        verdict="not kept: more split and lower NSD, on isbi2012 above all",
    ),
    Trial(
        "only-maps",
        "Step 1 maps made out of fold alone",
        train={},
        maps="all",
        verdict="not kept: fewer on isbi2012, else as good",
    ),
    Trial(
        "no-artefacts",
        "the equation alone, no artefacts",
        train={"artefacts": False},
        verdict="not kept: fewer labelled, lower NSD on isbi2012",
    ),
    Trial(
        "own-0",
        "never its own outputs",
        train={"own_outputs": 0.0},
        verdict="not kept: lower clDice on all three, fewer on isbi2012",
    ),
    Trial(
        "own-0.7",
        "own outputs in 0.7 of the examples",
        train={"own_outputs": 0.7},
        verdict="not kept: no gain",
    ),
    Trial(
        "own-6",
        "own outputs after up to 6 passes",
        train={"own_passes": 6},
        verdict="not kept: no gain",
    ),
    Trial(
        "no-zoom",
        "no random zoom",
        train={"zoom": 1.0},
        verdict="not kept: fewer on synthetic tissue; isbi2012 gains, worth a longer training",
    ),
    Trial(
        "zoom-2.5",
        "random zoom up to 2.5",
        train={"zoom": 2.5},
        verdict="not kept: false contours everywhere",
    ),
    Trial(
        "patch-384",
        "patches of 384 px, two in a step",
        train={"patch": 384, "batch": 2},
        verdict="not kept: more split, fewer on isbi2012",
    ),
    Trial(
        "small-disks",
        "disks of half the radius",
        train={},
        degrade={"radius_min": 6.0, "radius_max": 20.0},
        verdict="not kept: fewer on isbi2012; synthetic tissue gains",
    ),
    Trial(
        "large-disks",
        "disks of twice the radius",
        train={},
        degrade={"radius_min": 24.0, "radius_max": 80.0},
        verdict="not kept: fewest splits, but fewer labelled on fib25 and synthetic tissue",
    ),
)
