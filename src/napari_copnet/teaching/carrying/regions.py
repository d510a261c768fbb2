"""Cells that were moved from another slice, and their borders in the slice they came to.

Here labels leave no gap: every pixel of a slice belongs to a cell or to what lies outside of all
cells, which has a label like any other.
"""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

# The label of what belongs to no cell.
OUTSIDE = 1
# Seeds lie at least this far inside a cell, px, but never deeper than this share of its depth.
SEED_DEPTH, SEED_SHARE = 1.5, 0.5
# How much likelier a contour is at a border that was moved, in log odds times px: the less cells
# move among each other, the more. No displacement counts as less than `STILL`, px.
HOLD, STILL = 5.0, 0.25
# How near to that border, px.
NEAR = 1.0


def filled(contour: np.ndarray, outside: np.ndarray | None = None) -> np.ndarray:
    """Return the cells between contours, each pixel of a contour given to the nearest one.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        Above 0 on contours.
    outside : ndarray, shape (Y, X), bool, optional
        Where there are no cells, or none are known.

    Returns
    -------
    ndarray, shape (Y, X), uint32
        `OUTSIDE`, and cells from 2 without gaps; all zeros where the slice is all contour.
    """
    free = np.asarray(contour) == 0
    if outside is not None:
        free &= ~outside
    cells = cc3d.connected_components(free, connectivity=4, out_dtype=np.uint32)
    cells[cells > 0] += OUTSIDE
    if outside is not None:
        cells[outside] = OUTSIDE
    if not cells.any() or cells.all():
        return cells
    _, (y, x) = ndimage.distance_transform_edt(cells == 0, return_indices=True)
    return cells[y, x]


def half_widths(contour: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how far the contour reaches from the nearest border between two cells, px.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        Above 0 on contours.
    labels : ndarray, shape (Y, X), uint32
        From `filled`.

    Returns
    -------
    ndarray, shape (Y, X), float32
        1 in a slice of a single cell.
    """
    edge = borders(labels)
    if not edge.any():
        return np.ones(labels.shape, np.float32)
    reach = edt.edt(np.ascontiguousarray(contour) > 0, black_border=False)
    _, (y, x) = ndimage.distance_transform_edt(~edge, return_indices=True)
    return reach[y, x].astype(np.float32)


def borders(labels: np.ndarray) -> np.ndarray:
    """Return the pixels with a face neighbour of another label, shape (Y, X), bool."""
    found = np.zeros(labels.shape, bool)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    found[1:] |= rows
    found[:-1] |= rows
    found[:, 1:] |= columns
    found[:, :-1] |= columns
    return found


def seeds(labels: np.ndarray, deep: bool = False) -> np.ndarray:
    """Return the inner part of each cell, 0 elsewhere; no cell is left without one.

    Parameters
    ----------
    labels : ndarray, shape (Y, X), uint32
    deep : bool
        Only the part that lies deeper than `SEED_SHARE` of the deepest, in large cells too.
    """
    depth = edt.edt(labels, black_border=False)
    deepest = np.zeros(int(labels.max(initial=0)) + 1, np.float32)
    np.maximum.at(deepest, labels.ravel(), depth.ravel())
    least = SEED_SHARE * deepest
    return np.where(depth >= (least if deep else np.minimum(SEED_DEPTH, least))[labels], labels, 0)


def settled(odds: np.ndarray, labels: np.ndarray, hold: float, near: float = NEAR) -> np.ndarray:
    """Return cells whose borders follow the image: a watershed from the seeds of moved cells.

    Parameters
    ----------
    odds : ndarray, shape (Y, X)
        Of contour: logarithms, from `likely.ContourOdds`.
    labels : ndarray, shape (Y, X), uint32
        The cells as they were moved.
    hold : float
        How much a border that was moved counts, in log odds: where the image shows no line, the
        border stays.
    near : float
        How near to that border, px.
    """
    away = edt.edt(labels, black_border=False) - 0.5
    odds = odds + np.float32(hold) * np.exp(-((away / near) ** 2) / 2)
    return watershed(odds, seeds(labels)).astype(np.uint32)


def of_image(odds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return what the image alone makes of cells: a watershed from what lies deep inside of them.

    Parameters
    ----------
    odds, labels
        As for `settled`.
    """
    return watershed(odds, seeds(labels, deep=True)).astype(np.uint32)


def overlap(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Return the overlap of each cell in two labellings: its intersection over its union.

    Parameters
    ----------
    first, second : ndarray, shape (Y, X), unsigned int
    count : int
        The largest label.

    Returns
    -------
    ndarray, shape (count + 1,), float64
        0 for labels that are in neither.
    """
    both = np.bincount(first[first == second].ravel(), minlength=count + 1)
    union = (
        np.bincount(first.ravel(), minlength=count + 1)
        + np.bincount(second.ravel(), minlength=count + 1)
        - both
    )
    return both / np.maximum(union, 1)


def blended(before: np.ndarray, behind: np.ndarray, same: np.ndarray, weight: float) -> np.ndarray:
    """Return the cells between two slices from both of which they were moved.

    Where both name the same cell, it is that. Elsewhere the cell counts in which a pixel lies
    deeper, the nearer slice weighing more.

    Parameters
    ----------
    before, behind : ndarray, shape (Y, X), uint32
        The cells that came from either side.
    same : ndarray, shape (N,), uint32
        The label in `before` of each cell of `behind`, or a number of its own.
    weight : float
        Of `before`, 0 to 1.

    Returns
    -------
    ndarray, shape (Y, X), uint32
        Numbered as `before` and `same` do.
    """
    other = same[behind]
    deep, other_deep = (edt.edt(one, black_border=False) for one in (before, other))
    return np.where((before == other) | (weight * deep >= (1 - weight) * other_deep), before, other)
