"""The scores of closed contours by the threshold of Step 1 that they began with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import MOST_CONTOUR
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.networks.package import ModelPackage
from napari_copnet.progress import Steps
from napari_copnet.types import CONTOUR_ABOVE

THRESHOLDS = (0.2, 0.35, 0.5, 0.65, 0.8)
# Another threshold than one half has to label more cells by so many standard errors of their share,
# of at least so many cells.
CLEARLY, FEWEST = 2.0, 10


@dataclass(frozen=True)
class ThresholdTried:
    """The scores of some slices at a threshold.

    Attributes
    ----------
    threshold : float
    scores : dict
        Of the closed contours, by the names of `score_names.SCORES`: means over slices, 0 to 1.
    cells : int
        True cells that were scored.
    """

    threshold: float
    scores: dict[str, float]
    cells: int


def scores_by_threshold(
    masks: Mapping[float, np.ndarray], true: TrueStack
) -> Steps[list[ThresholdTried]]:
    """Score the closed contours of each threshold.

    Parameters
    ----------
    masks : mapping
        Threshold to mask (Z, Y, X), 0 or 1.
    true : TrueStack

    Returns
    -------
    list of ThresholdTried
        In the order of `masks`; none where over 60 % of the slices are contour.

    Raises
    ------
    InputError
        They are at all thresholds, or no true cell is scored.
    """
    fit = {str(one): mask for one, mask in masks.items() if np.mean(mask > 0) <= MOST_CONTOUR}
    if not fit:
        raise InputError(
            f"Over {MOST_CONTOUR:.0%} of the slices would be contour at each threshold.",
            "Try higher thresholds, or another model.",
        )
    found = yield from evaluate_all(fit, true)
    if not any(one.cells for one in found.values()):
        raise InputError(
            "There is no true cell in these slices that counts.",
            "Choose slices with annotated cells, and exclude less.",
        )
    return [
        ThresholdTried(
            one,
            {name: float(found[str(one)].mean(name)) for name in SCORES},
            found[str(one)].cells,
        )
        for one in masks
        if str(one) in found
    ]


def refuse_neighbours(model: ModelPackage) -> None:
    """Raise an error for a model that sees more than one slice: single ones are tried.

    Raises
    ------
    InputError
    """
    if model.plan.dimensions == 3 or model.plan.in_channels > 1:
        raise InputError(
            f"Thresholds are tried on single slices, but {model.name} sees those around, too.",
            "Compare whole runs with --threshold instead.",
        )


def best_threshold(tried: Sequence[ThresholdTried]) -> float:
    """Return the threshold that labels most cells; 0.5 where none labels clearly more.

    Clearly is by two standard errors √(p (1 − p) / n) of the share p of n cells that 0.5 labels, or
    that the other labels where its error is larger. One cell of each kind is added to both, and n
    is at least 10: a few cells would otherwise choose a threshold that does harm elsewhere.
    """
    best = max(tried, key=lambda one: (one.scores["labelled"], -abs(one.threshold - CONTOUR_ABOVE)))
    usual = [one for one in tried if one.threshold == CONTOUR_ABOVE]
    if usual:
        before, after, cells = usual[0].scores["labelled"], best.scores["labelled"], usual[0].cells
        shares = [(share * cells + 1) / (cells + 2) for share in (before, after)]
        error = math.sqrt(max(p * (1 - p) for p in shares) / max(cells, 1))
        if cells < FEWEST or after - before <= CLEARLY * error:
            return CONTOUR_ABOVE
    return best.threshold
