"""Measure, without ground truth, how well networks handle a tissue at each of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cc3d
import numpy as np
from skimage.morphology import skeletonize

from napari_copnet.steps.parting import parting_lines
from napari_copnet.types import is_contour

# Areas of fewer pixels, at the tried size, do not count as cells.
SMALLEST_CELL = 30
# Least intersection over union of a cell with the same cell at another size.
SAME = 0.7
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
    """

    contours: np.ndarray
    closed: np.ndarray
    excluded: np.ndarray
    share: tuple[float, ...] = (1.0, 1.0)

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
        - ``steady``: number of cells that reappear at the neighbouring size, averaged over the next
          smaller and the next larger one;
        - ``certainty``: mean probability on the centre lines of Step 1's contours;
        - ``parting``: share of these lines that separate cells on their own; the rest are loose
          ends and lines with a gap;
        - ``score``: ``steady * parting``, which decides. True cells reappear, and most false ones
          do not; lines that networks make up inside cells have loose ends.
    """
    steady = _beside(
        [sum(map(steady_cells, one, other)) / max(len(one), 1) for one, other in pairwise(found)]
    )
    measures = []
    for size, seen, again in zip(sizes, found, steady, strict=True):
        centres = [skeletonize(is_contour(one.contours) & ~one.excluded) for one in seen]
        lines = max(sum(int(centre.sum()) for centre in centres), 1)
        both = list(zip(seen, centres, strict=True))
        sure = sum(float(one.contours[centre].sum()) for one, centre in both) / lines
        parted = [(centre & parting_lines(is_contour(one.contours))).sum() for one, centre in both]
        parting = float(sum(parted)) / lines
        measures.append(
            {
                "size": float(size),
                "cells": sum(one.count for one in seen) / max(len(seen), 1),
                "steady": again,
                "certainty": sure,
                "parting": parting,
                "score": again * parting,
            }
        )
    return tuple(measures)


def _beside(pairs: list[float]) -> list[float]:
    """Return the mean of the pairs before and after each size.

    Networks find more cells in larger slices. At either end, where one pair is missing, the smaller
    of the two nearest pairs replaces it; otherwise the last size would win by being the last.
    """
    if not pairs:
        return [0.0]
    before = [min(pairs[:2]), *pairs]
    after = [*pairs, min(pairs[-2:])]
    return [(one + other) / 2 for one, other in zip(before, after, strict=True)]


def steady_cells(seen: Seen, other: Seen) -> float:
    """Return how many cells reappear at another size, scaled to a whole slice.

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
