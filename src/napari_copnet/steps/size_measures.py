"""Measure, without ground truth, how well networks handle a tissue at each of several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cc3d
import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from napari_copnet.steps.parting import parting_lines
from napari_copnet.types import is_contour

# Areas of fewer pixels, at the tried size, do not count as cells.
SMALLEST_CELL = 30
# Least intersection over union of a cell with the same cell at another size.
SAME = 0.7
# As wide as networks draw contours that look right to them, px: 4 to 4.6 on eleven tissues.
LINE = 4.5
# How much a size loses where membranes are wider than that: by this power of the ratio. Chosen,
# as `parting` and `steady`, on nine tissues at two resolutions; .4 to 1 do alike.
TOO_WIDE = 0.75
# How far from a contour's centre line its grey values are compared, px.
REACH = 10
# A membrane's width is not told by fewer pixels of centre lines.
FEWEST = 50
# Side of the grid on which the cells of two sizes are compared.
GRID = 512


@dataclass(frozen=True)
class Seen:
    """Results of the networks on a slice, or its centre, at one size.

    Attributes
    ----------
    contours : ndarray, shape (Y, X), float32
        Step 1 probability.
    closed : ndarray, shape (Y, X), bool
        Closed contour.
    excluded : ndarray, shape (Y, X), bool
        Pixels without content.
    share : tuple of float
        The share of the slice's height and width that was used, around its centre.
    membrane : float
        Width of the membranes, px, from `membrane_width`; not a number where it is unknown.
    """

    contours: np.ndarray
    closed: np.ndarray
    excluded: np.ndarray
    share: tuple[float, ...] = (1.0, 1.0)
    membrane: float = math.nan

    @cached_property
    def cells(self) -> np.ndarray:
        """The cells of the closed contour, shape (Y, X), uint32."""
        labels = cc3d.connected_components(
            (~self.closed & ~self.excluded).astype(np.uint8), connectivity=4
        )
        sizes = np.bincount(labels.ravel())
        return np.where(sizes[labels] < SMALLEST_CELL, 0, labels).astype(np.uint32)

    @property
    def count(self) -> float:
        """Number of cells in the whole slice, estimated from its centre."""
        seen = int(np.count_nonzero(np.bincount(self.cells.ravel())[1:]))
        return seen / (self.share[0] * self.share[1])


def measure_sizes(
    sizes: Sequence[int], found: Sequence[Sequence[Seen]]
) -> tuple[dict[str, float], ...]:
    """Measure the results of networks on slices at each of several sizes.

    Parameters
    ----------
    sizes : sequence of int
        Ascending, px.
    found : sequence of sequence of Seen
        The same slices for each size.

    Returns
    -------
    tuple of dict
        For each size:

        - ``size``, px;
        - ``cells``: number of cells in a whole slice, on average;
        - ``steady``: number of cells that the next smaller size shows too;
        - ``certainty``: mean probability on the centre lines of Step 1's contours;
        - ``parting``: share of these lines that separate cells on their own; the rest are loose
          ends and lines with a gap;
        - ``membrane``: width of the membranes, px; missing where it is unknown;
        - ``score``: ``steady * parting / max(1, membrane / LINE) ** TOO_WIDE``, which decides.
          True cells reappear, and most false ones do not; lines that networks make up inside cells
          have loose ends; and lines thinner than the membranes leave some of these to the cells.
    """
    pairs = [
        sum(map(steady_cells, other, one)) / max(len(one), 1) for one, other in pairwise(found)
    ]
    # No size is below the smallest: it gets the smaller of the two nearest pairs.
    steady = [min(pairs[:2]), *pairs] if pairs else [0.0] * len(found)
    measures = []
    for size, seen, again in zip(sizes, found, steady, strict=True):
        centres = [skeletonize(is_contour(one.contours) & ~one.excluded) for one in seen]
        lines = max(sum(int(centre.sum()) for centre in centres), 1)
        both = list(zip(seen, centres, strict=True))
        sure = sum(float(one.contours[centre].sum()) for one, centre in both) / lines
        parted = [(centre & parting_lines(is_contour(one.contours))).sum() for one, centre in both]
        parting = float(sum(parted)) / lines
        known = [one.membrane for one in seen if math.isfinite(one.membrane)]
        wide = max(1.0, float(np.mean(known)) / LINE) if known else 1.0
        measures.append(
            {
                "size": float(size),
                "cells": sum(one.count for one in seen) / max(len(seen), 1),
                "steady": again,
                "certainty": sure,
                "parting": parting,
                "score": again * parting / wide**TOO_WIDE,
            }
            | ({"membrane": float(np.mean(known))} if known else {})
        )
    return tuple(measures)


def membrane_width(image: np.ndarray, contours: np.ndarray) -> float:
    """Return how wide the dark lines of an image are where Step 1 sees a contour between cells.

    The width within which grey values, averaged over all places at one distance from the contour's
    centre lines, are below the middle of the darkest and the brightest average.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Membranes are dark.
    contours : ndarray, shape (Y, X), float32
        Step 1 probability.

    Returns
    -------
    float
        Width, px; not a number where too little separates cells, or the lines are not dark.
    """
    mask = is_contour(contours)
    centre = skeletonize(mask) & parting_lines(mask)
    if np.count_nonzero(centre) < FEWEST:
        return math.nan
    distance = np.rint(distance_transform_edt(~centre)).astype(int)
    near = distance <= REACH
    pixels = np.bincount(distance[near], minlength=REACH + 1)
    grey = np.bincount(distance[near], image[near], REACH + 1)[pixels > 0] / pixels[pixels > 0]
    half = (grey[0] + grey.max()) / 2
    brighter = np.flatnonzero(grey > half)
    if brighter.size == 0 or brighter[0] == 0:
        return math.nan
    first = int(brighter[0])
    step = (half - grey[first - 1]) / (grey[first] - grey[first - 1])
    return float(2 * (first - 1 + step))


def steady_cells(seen: Seen, other: Seen) -> float:
    """Return how many cells another size shows too, scaled to a whole slice.

    Parameters
    ----------
    seen, other : Seen
        The same slice at two sizes.
    """
    share = tuple(min(pair) for pair in zip(seen.share, other.share, strict=True))
    first, second = _common(seen, share), _common(other, share)
    shape = tuple(min(GRID, max(sides)) for sides in zip(first.shape, second.shape, strict=True))
    overlap = _overlap(_nearest(first, shape), _nearest(second, shape))
    return float((overlap.max(axis=1, initial=0) >= SAME).sum()) / (share[0] * share[1])


def _common(seen: Seen, share: tuple[float, ...]) -> np.ndarray:
    """Return the cells in the centre of a slice, `share` of its height and width."""
    box = []
    for side, whole, wanted in zip(seen.cells.shape, seen.share, share, strict=True):
        length = max(1, round(side * wanted / whole))
        start = (side - length) // 2
        box.append(slice(start, start + length))
    return seen.cells[tuple(box)]


def _nearest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (
        (2 * np.arange(count) + 1) * length // (2 * count)
        for count, length in zip(shape, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each cell of one image with each of another, (N, M)."""
    one, other = (np.unique(labels, return_inverse=True) for labels in (first, second))
    count = (len(one[0]), len(other[0]))
    pairs = np.bincount(one[1].ravel() * count[1] + other[1].ravel(), minlength=count[0] * count[1])
    both = pairs.reshape(count).astype(float)
    union = both.sum(axis=1)[:, None] + both.sum(axis=0)[None] - both
    return (both / union)[np.ix_(one[0] > 0, other[0] > 0)]
