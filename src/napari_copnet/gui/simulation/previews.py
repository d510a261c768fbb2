"""What the dock for simulated gaps computes beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.evaluation.fit_gaps import (
    SLICES,
    GapFit,
    Gaps,
    find_gaps,
    fit_gaps,
    simulated_gaps,
)
from napari_copnet.io.contour_kinds import probability_of
from napari_copnet.params import DegradeParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.fixed_gaps import fixed_gaps
from napari_copnet.training.degrade import degrade, for_area
from napari_copnet.training.truth import CONTOUR, WIDTH, resize_truth, truth_kind
from napari_copnet.types import is_contour

# Larger slices are degraded only around what is in view, so that sliders stay live.
LIVE_SIDE = 768
# One map has too few gaps for a histogram.
MORE_MAPS = 3


@dataclass(frozen=True)
class Preview:
    """A degraded map of what is in view, and the gaps of some like it.

    Attributes
    ----------
    values : ndarray, shape (Y, X), float32
    gaps : Gaps or None
        None while they are being counted.
    """

    values: np.ndarray
    gaps: Gaps | None


def true_contour(plane: np.ndarray) -> np.ndarray:
    """Return the contour, shape (Y, X), uint8, of a slice of contours or of labelled cells."""
    plane = np.asarray(plane)
    if not plane.any():
        return np.zeros(plane.shape, np.uint8)
    drawn = resize_truth(plane[None], 1.0, truth_kind(plane), WIDTH, "contour")[0]
    return (drawn == CONTOUR).astype(np.uint8)


def live_box(shape: Sequence[int], centre: Sequence[float]) -> tuple[slice, slice]:
    """Return the part of a slice to degrade: at most `LIVE_SIDE` px around a centre (y, x)."""
    parts = []
    for size, middle in zip(shape, centre, strict=True):
        side = min(int(size), LIVE_SIDE)
        first = int(np.clip(round(float(middle) - side / 2), 0, int(size) - side))
        parts.append(slice(first, first + side))
    return parts[0], parts[1]


def preview(
    plane: np.ndarray, params: DegradeParams, seed: int, pixel_size: float | None
) -> Steps[Preview]:
    """Degrade what is in view once to be seen, and some more times to count gaps.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        Of contours, or of labelled cells.
    params : DegradeParams
        For 512×512 px.
    seed : int
    pixel_size : float or None
        µm.
    """
    contour = true_contour(plane)
    here = for_area(params, contour.shape)
    values = degrade(contour, here, np.random.default_rng([seed, 0, 0]), pixel_size)
    yield Progress("simulate", 0, 1, "slices", partial=Preview(values, None))
    gaps = simulated_gaps(
        contour[None], params, maps=1 + MORE_MAPS, seed=seed, pixel_size=pixel_size
    )
    yield Progress("simulate", 1, 1, "slices")
    return Preview(values, gaps)


def session_gaps(session: Any) -> Steps[Gaps]:
    """Return the gaps that were fixed in a session."""
    yield Progress("count", 0, 1, "slices")
    return fixed_gaps(session)


def map_gaps(truth: Any, other: Any) -> Steps[Gaps]:
    """Return the gaps of a contour map beside a truth of the same shape, (Z, Y, X)."""
    depth = len(truth)
    found: list[Gaps] = []
    for z in range(depth):
        drawn = is_contour(probability_of(np.asarray(other[z])))
        found.append(find_gaps([(true_contour(truth[z]), drawn)]))
        yield Progress("count", z + 1, depth, "slices")
    return Gaps(np.concatenate([g.lengths for g in found]), sum(g.contour for g in found))


def fit(
    truth: Any,
    real: Gaps,
    start: DegradeParams,
    pixel_size: float | None,
) -> Steps[GapFit]:
    """Fit settings to real gaps on the true contours of up to four slices that have any."""
    depth = len(truth)
    order = np.unique(np.linspace(0, depth - 1, min(depth, 4 * SLICES)).round().astype(int))
    planes = []
    for z in order:
        plane = true_contour(truth[int(z)])
        if plane.any():
            planes.append(plane)
        yield Progress("fit", 0, 1, "generations")
        if len(planes) == SLICES:
            break
    stack = np.stack(planes) if planes else np.zeros((1, *np.shape(truth[0])), np.uint8)
    return (yield from fit_gaps(stack, real, start, pixel_size=pixel_size))
