"""How well networks know a tissue at each of several sizes, told without any truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cc3d
import numpy as np
from skimage.morphology import skeletonize

from napari_copnet.steps.parting import parting_lines

# Cells of fewer pixels, as networks see them, are none.
SMALLEST_CELL = 30
# A cell that comes again at another size has at least so much intersection over union with it.
SAME = 0.7
# Side of the grid on which the cells of two sizes are compared.
GRID = 512


@dataclass(frozen=True)
class Seen:
    """What networks made of a slice, or its middle, at one size.

    Attributes
    ----------
    contours : ndarray, shape (Y, X), float32
        Step 1 probability.
    closed : ndarray, shape (Y, X), bool
        Closed contour.
    excluded : ndarray, shape (Y, X), bool
        Where the slice shows nothing.
    share : tuple of float
        How much of the slice's height and width this is; its middle.
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


def measure_sizes(
    sizes: Sequence[int], found: Sequence[Sequence[Seen]]
) -> tuple[dict[str, float], ...]:
    """Measure what networks made of slices at each of several sizes.

    Parameters
    ----------
    sizes : sequence of int
        Ascending, px.
    found : sequence of sequence of Seen
        For each size the same slices.

    Returns
    -------
    tuple of dict
        For each size:

        - ``size``, px;
        - ``cells``: cells of a whole slice, on average;
        - ``steady``: those that come again at the next smaller and the next larger size (half of
          them where one is missing or has none), as cells of a whole slice;
        - ``certainty``: mean probability on the centre lines of Step 1's contours;
        - ``parting``: share of these lines that part cells once closed;
        - ``score``: what the choice goes by.
    """
    measures = []
    for at, size in enumerate(sizes):
        cells, again, lines, parted, sure = 0.0, 0.0, 0, 0, 0.0
        for index, seen in enumerate(found[at]):
            beside = [found[other][index] for other in (at - 1, at + 1) if 0 <= other < len(sizes)]
            whole = seen.share[0] * seen.share[1]
            cells += float(np.count_nonzero(np.bincount(seen.cells.ravel())[1:])) / whole
            again += sum(steady_cells(seen, other) for other in beside) / max(len(beside), 1)
            centre = skeletonize((seen.contours > 0.5) & ~seen.excluded)
            lines += int(centre.sum())
            parted += int((centre & parting_lines(seen.closed)).sum())
            sure += float(seen.contours[centre].sum())
        count = max(len(found[at]), 1)
        measures.append(
            {
                "size": float(size),
                "cells": cells / count,
                "steady": again / count,
                "certainty": sure / max(lines, 1),
                "parting": parted / max(lines, 1),
                "score": again / count,
            }
        )
    return tuple(measures)


def steady_cells(seen: Seen, other: Seen) -> float:
    """Return how many cells come again at another size, as cells of a whole slice.

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
    """Return the cells of the middle of a slice, `share` of its height and width."""
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
