"""Scores of a slice: labelled, merged and split cells; surface Dice; centre-line Dice.

The rules are those of Robert et al. 2024 (COp-Net).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import edt
import numpy as np
from skimage.morphology import skeletonize

from napari_copnet.steps.linking import overlaps

LABELLED, MERGED, SPLIT = 1, 2, 3
# Radius in px up to which a dilation by a disk is faster than a distance transform.
WIDEST_DISK = 40


@dataclass(frozen=True)
class Partition:
    """The outcome of each true cell of a slice.

    Attributes
    ----------
    ids : ndarray, shape (N,), int64
        Labels of the true cells.
    fates : ndarray, shape (N,), uint8
        `LABELLED`, `MERGED` or `SPLIT` for each.
    sizes : ndarray, shape (N,), int64
        Their pixels.
    predicted : ndarray, shape (N,), int64
        The most frequent predicted value inside each, 0 included.
    covered : ndarray, shape (N,), int64
        How many of a cell's pixels have that value.
    elsewhere : ndarray, shape (N,), int64
        How many pixels outside of the cell have it.
    """

    ids: np.ndarray
    fates: np.ndarray
    sizes: np.ndarray
    predicted: np.ndarray
    covered: np.ndarray
    elsewhere: np.ndarray

    def share(self, fate: int) -> float:
        """Share of the true cells that met `fate`, 0 where there are no cells."""
        return float(np.mean(self.fates == fate)) if self.fates.size else 0.0


def partition(truth: np.ndarray, predicted: np.ndarray, overlap: float = 0.85) -> Partition:
    """Sort true cells into labelled, merged and split.

    With p the most frequent predicted value (0 included) inside true cell g:

    - p = 0: merged when other values occur in g too, else split;
    - p covers at least `overlap` of g: labelled when g is the most frequent true value
      inside p and p has at most (1 - `overlap`) of the size of g elsewhere, else merged;
    - p covers less: split.

    Of equally frequent values the lowest counts, so 0 before any cell.

    Parameters
    ----------
    truth, predicted : ndarray, shape (Y, X), unsigned int
        Labels; 0 is no cell.
    overlap : float
        Share, 0.5 to 1.

    Returns
    -------
    Partition
    """
    table = overlaps(truth, predicted)
    cells, values = table.coords
    counts = table.data
    truth_size = np.bincount(cells, counts, table.shape[0])
    predicted_size = np.bincount(values, counts, table.shape[1])
    main = _most_frequent(cells, values, counts, table.shape[0])
    owner = _most_frequent(values, cells, counts, table.shape[1])
    kinds = np.bincount(cells, minlength=table.shape[0])

    ids = np.flatnonzero(truth_size)
    ids = ids[ids > 0]
    p = main[ids]
    size = truth_size[ids]
    covered = np.zeros(table.shape[0])
    largest = values == main[cells]
    covered[cells[largest]] = counts[largest]
    covered = covered[ids]
    elsewhere = predicted_size[p] - covered
    # Shares such as 0.85 have no exact binary form: whole pixel counts must not miss by that.
    slack = 1e-9 * size
    enough = covered >= overlap * size - slack
    alone = (owner[p] == ids) & (elsewhere <= (1 - overlap) * size + slack)
    fates = np.where(enough, np.where(alone, LABELLED, MERGED), SPLIT)
    fates = np.where(p == 0, np.where(kinds[ids] > 1, MERGED, SPLIT), fates)
    whole = (part.astype(np.int64) for part in (ids, size, p, covered, elsewhere))
    ids, size, p, covered, elsewhere = whole
    return Partition(ids, fates.astype(np.uint8), size, p, covered, elsewhere)


def _most_frequent(
    group: np.ndarray, value: np.ndarray, count: np.ndarray, groups: int
) -> np.ndarray:
    """Return the value with the highest count in each group, the lowest among equals."""
    order = np.lexsort((value, -count, group))
    found, head = np.unique(group[order], return_index=True)
    best = np.zeros(groups, np.intp)
    best[found] = value[order][head]
    return best


def border(mask: np.ndarray) -> np.ndarray:
    """Return the border pixels of both classes of a mask: those with a face neighbour in the other.

    Parameters
    ----------
    mask : ndarray, shape (Y, X)

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    mask = mask > 0
    found = np.zeros(mask.shape, bool)
    rows = mask[1:] != mask[:-1]
    found[1:] |= rows
    found[:-1] |= rows
    columns = mask[:, 1:] != mask[:, :-1]
    found[:, 1:] |= columns
    found[:, :-1] |= columns
    return found


def within(mask: np.ndarray, distance: float) -> np.ndarray:
    """Return the pixels within a Euclidean distance of those of a mask.

    The same as a distance transform that is compared with `distance`, but made of shifted copies
    of the mask: a disk is a stack of rows, and each row of half-width w is one shift wider than
    that of half-width w - 1. A disk of radius r takes about 4 r of these; only above
    `WIDEST_DISK` is the distance transform faster.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
    distance : float
        In px.

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    # Squares of distances between pixels are whole numbers.
    limit = int(distance**2 + 1e-6)
    radius = math.isqrt(limit)
    if not mask.any():
        return np.zeros(mask.shape, bool)
    if radius > WIDEST_DISK:
        return edt.edtsq(~mask, black_border=False) <= limit
    wide = mask.copy()
    near = np.zeros(mask.shape, bool)
    reach = 0
    for away in range(radius, -1, -1):
        while reach < math.isqrt(limit - away * away):
            reach += 1
            wide[:, reach:] |= mask[:, :-reach]
            wide[:, :-reach] |= mask[:, reach:]
        if away:
            near[away:] |= wide[:-away]
            near[:-away] |= wide[away:]
    return near | wide


@dataclass(frozen=True)
class Outline:
    """What the contour scores need from a mask, computed once for several comparisons.

    Attributes
    ----------
    mask, border, near, skeleton : ndarray, shape (Y, X), bool
        The mask, its `border`, the pixels within the tolerance of it, and its skeleton.
    """

    mask: np.ndarray
    border: np.ndarray
    near: np.ndarray
    skeleton: np.ndarray


def outline(mask: np.ndarray, tolerance: float = 2.0, skeleton: str = "zhang") -> Outline:
    """Prepare a contour mask for `surface_dice` and `centreline_dice`.

    Parameters
    ----------
    mask : ndarray, shape (Y, X)
        Anything above 0 is contour.
    tolerance : float
        Euclidean, in px.
    skeleton : {"zhang", "lee"}
        Method of `skimage.morphology.skeletonize`; values of the two differ.
    """
    mask = mask > 0
    edge = border(mask)
    near = within(edge, tolerance)
    thin = skeletonize(mask, method=skeleton) > 0 if mask.any() else mask
    return Outline(mask, edge, near, thin)


def surface_dice(predicted: Outline, truth: Outline) -> float:
    """Normalised surface Dice (NSD) of two contour masks.

    With B the border pixels of a mask, of both classes, and n(A, B) the number of pixels of A
    within the tolerance of B: NSD = (n(P, T) + n(T, P)) / (number of P + number of T), where P
    and T are the borders of the predicted and the true mask.

    Returns
    -------
    float
        0 to 1; 1 when neither mask has a border.
    """
    total = np.count_nonzero(predicted.border) + np.count_nonzero(truth.border)
    if total == 0:
        return 1.0
    close = np.count_nonzero(predicted.border & truth.near) + np.count_nonzero(
        truth.border & predicted.near
    )
    return close / total


def centreline_dice(predicted: Outline, truth: Outline) -> float:
    """Centre-line Dice (clDice, Shit et al. 2021) of two contour masks.

    The harmonic mean of the share of the predicted skeleton inside the true mask and the share of
    the true skeleton inside the predicted mask.

    Returns
    -------
    float
        0 to 1; 1 when both masks are empty, 0 when one is.
    """
    length_p, length_t = np.count_nonzero(predicted.skeleton), np.count_nonzero(truth.skeleton)
    if length_p == 0 or length_t == 0:
        return 1.0 if length_p == length_t else 0.0
    precision = np.count_nonzero(predicted.skeleton & truth.mask) / length_p
    recall = np.count_nonzero(truth.skeleton & predicted.mask) / length_t
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
