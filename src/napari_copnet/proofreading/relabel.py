"""Keep the cells of a slice in step with its contour: label anew only what an edit touched.

A flipped pixel can change only the face-connected parts of the complement that touch it afterwards
(a part it left, or one it joined). So a box around the flipped pixels is labelled, and grown until
none of those parts leaves it; all other cells stay as they are. The scoring rule and the filling
of holes reach across contours: with them the whole slice is labelled.

Ids. Each new cell takes the id it shares most pixels with, the largest share first and each
id once; a cell that finds none gets a number not used before. So of a cell that is split the
larger piece keeps the id, and two cells that merge keep the id of the larger one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.params import CellParams
from napari_copnet.proofreading.edits import Box, Ids, Patch, bounding_box
from napari_copnet.steps.cells import border_labels, label_slice, slice_parts
from napari_copnet.steps.linking import overlaps

# Pixels around an edit that are labelled first.
_MARGIN = 32


class Relabelled(NamedTuple):
    """The cells of a slice inside a box after an edit; outside it nothing changed.

    Attributes
    ----------
    box : tuple of slice
        In the slice.
    labels : ndarray, of the shape of the box, uint32
        Ids of the cells, those that were not touched included.
    before, after : tuple of (int, int)
        First pixel in the slice, and id, of the cells that differ.
    touched : tuple of int
        Ids after the edit of all cells that were labelled anew.
    next_id : int
        The next number not used.
    """

    box: Box
    labels: np.ndarray
    before: Ids
    after: Ids
    touched: tuple[int, ...]
    next_id: int


def relabel(
    contour: np.ndarray,
    cells: np.ndarray,
    flipped: Patch,
    params: CellParams,
    *,
    next_id: int,
    excluded: np.ndarray | None = None,
    ids: Mapping[int, int] | None = None,
) -> Relabelled:
    """Label the cells that an edit touched.

    Up to ids the slice equals `steps.cells.label_slice` of the whole.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        After the edit; anything above 0 is contour.
    cells : ndarray, shape (Y, X), unsigned int
        Ids of the cells before the edit.
    flipped : Patch
        Pixels whose contour or exclusion changed.
    params : CellParams
        `mode` and `link_overlap` have no part in it.
    next_id : int
        A number above all ids in use.
    excluded : ndarray, shape (Y, X), bool, optional
        Area without cells, after the edit.
    ids : mapping, optional
        Ids by first pixel, when they are known, as for an undo.
    """
    shape = contour.shape
    if params.rule != "plain" or params.fill_holes:
        box: Box = (slice(0, shape[0]), slice(0, shape[1]))
        parts = label_slice(contour, params, excluded=excluded)
        old = np.asarray(cells, np.uint32)
        touched = np.ones(shape, bool)
    else:
        box, parts, touched = _touched_parts(contour, flipped, params, excluded)
        old = cells[box].astype(np.uint32)
    new, fresh = np.where(touched, parts, 0), np.where(touched, old, 0)
    old_ids, numbered = _numbered(fresh)
    firsts = _first_pixels(new, box, shape[1])
    if ids is None:
        lookup, next_id = _identified(new, numbered, old_ids, next_id)
    else:
        lookup = np.array([0, *(ids[seed] for seed in firsts.tolist())], np.uint32)
    labels = np.where(touched, lookup[new], old)
    after = dict(zip(firsts.tolist(), lookup[1:].tolist(), strict=True))
    seeds = _first_pixels(numbered, box, shape[1])
    before = dict(zip(seeds.tolist(), old_ids[1:].tolist(), strict=True))
    return Relabelled(
        box,
        labels,
        tuple(sorted(before.items() - after.items())),
        tuple(sorted(after.items() - before.items())),
        tuple(after.values()),
        next_id,
    )


def labelled_slice(
    contour: np.ndarray,
    params: CellParams,
    ids: Mapping[int, int],
    excluded: np.ndarray | None = None,
) -> np.ndarray:
    """Label a whole slice whose cells have ids.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
    params : CellParams
    ids : mapping
        Id of each cell by its first pixel (row times width plus column).
    excluded : ndarray, shape (Y, X), bool, optional

    Returns
    -------
    ndarray, shape (Y, X), uint32
    """
    labels = label_slice(contour, params, excluded=excluded)
    seeds = first_pixels(labels)
    try:
        names = [ids[seed] for seed in seeds.tolist()]
    except KeyError as error:
        raise InputError(
            "The list of edits is damaged: the cells do not match the contour.",
            "Recover the session with `copnet session recover`, or restore it from a copy.",
        ) from error
    return np.array([0, *names], np.uint32)[labels]


def first_pixels(labels: np.ndarray) -> np.ndarray:
    """Return the first pixel of each label of a slice: row times width plus column.

    Parameters
    ----------
    labels : ndarray, shape (Y, X), unsigned int
        Consecutive from 1.

    Returns
    -------
    ndarray, shape (N,), int64
    """
    height, width = labels.shape
    return _first_pixels(labels, (slice(0, height), slice(0, width)), width)


def _first_pixels(labels: np.ndarray, box: Box, width: int) -> np.ndarray:
    flat = labels.ravel()
    at = np.flatnonzero(flat)
    first = np.zeros(int(flat.max(initial=0)) + 1, np.int64)
    # Of an index that is given twice the last value stays, hence from the end.
    first[flat[at[::-1]]] = at[::-1]
    rows, columns = np.divmod(first[1:], max(labels.shape[1], 1))
    return (rows + box[0].start) * width + columns + box[1].start


def _touched_parts(
    contour: np.ndarray, flipped: Patch, params: CellParams, excluded: np.ndarray | None
) -> tuple[Box, np.ndarray, np.ndarray]:
    """Return a box, the cells in it numbered from 1, and where an edit may have changed cells."""
    shape = contour.shape
    margins = np.full(4, _MARGIN)
    while True:
        box = _grown(flipped, margins, shape)
        inside = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), bool)
        top, left = flipped.top - box[0].start, flipped.left - box[1].start
        inside[top : top + flipped.height, left : left + flipped.width] = flipped.mask
        parts = slice_parts(contour[box], params, excluded[box] if excluded is not None else None)
        near = np.zeros(int(parts.max(initial=0)) + 1, bool)
        near[parts[_spread(inside, box, flipped)]] = True
        near[0] = False
        leaves = _leaves(near, parts, box, shape)
        if not leaves.any():
            break
        # Growing by halves of the box keeps the sum of all boxes within a few times the last.
        step = np.repeat(inside.shape, 2) // 2 + _MARGIN
        margins = np.where(leaves, margins + step, margins)
    touched = near[parts] | inside
    rows, columns = bounding_box(touched)
    parts, touched = parts[rows, columns], touched[rows, columns]
    box = (
        slice(box[0].start + rows.start, box[0].start + rows.stop),
        slice(box[1].start + columns.start, box[1].start + columns.stop),
    )
    keep = near & (np.bincount(parts.ravel(), minlength=near.size) >= params.min_size)
    if params.remove_border and parts.size:
        keep[_at_border(parts, box, shape)] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.uint32)
    return box, numbers[parts], touched


def _grown(flipped: Patch, margins: np.ndarray, shape: tuple[int, ...]) -> Box:
    rows, columns = flipped.box
    above, below, before, behind = margins.tolist()
    return (
        slice(max(rows.start - above, 0), min(rows.stop + below, shape[0])),
        slice(max(columns.start - before, 0), min(columns.stop + behind, shape[1])),
    )


def _spread(inside: np.ndarray, box: Box, flipped: Patch) -> np.ndarray:
    """Return the flipped pixels and their face neighbours."""
    near = inside.copy()
    rows = slice(
        max(flipped.top - box[0].start - 1, 0), flipped.top - box[0].start + flipped.height + 1
    )
    columns = slice(
        max(flipped.left - box[1].start - 1, 0), flipped.left - box[1].start + flipped.width + 1
    )
    near[rows, columns] = ndimage.binary_dilation(inside[rows, columns])
    return near


def _leaves(near: np.ndarray, parts: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """Return over which sides (top, bottom, left, right) of the box one of the parts may go on."""
    rows, columns = box
    return np.array(
        [
            rows.start > 0 and near[parts[0]].any(),
            rows.stop < shape[0] and near[parts[-1]].any(),
            columns.start > 0 and near[parts[:, 0]].any(),
            columns.stop < shape[1] and near[parts[:, -1]].any(),
        ],
        bool,
    )


def _at_border(parts: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """Return the parts on the border of the slice."""
    rows, columns = box
    inner = (
        slice(0 if rows.start == 0 else 1, None if rows.stop == shape[0] else -1),
        slice(0 if columns.start == 0 else 1, None if columns.stop == shape[1] else -1),
    )
    framed = np.zeros_like(parts)
    framed[inner] = parts[inner]
    return border_labels(framed)


def _numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that occur, 0 first in any case, and each pixel's place among them."""
    largest = int(values.max(initial=0))
    if largest > 16 * values.size:
        present = np.union1d(values, [0])
        return present, np.searchsorted(present, values).astype(np.uint32)
    seen = np.zeros(largest + 1, bool)
    seen[values] = True
    seen[0] = True
    return np.flatnonzero(seen), (np.cumsum(seen, dtype=np.uint32) - np.uint32(1))[values]


def _identified(
    new: np.ndarray, old: np.ndarray, ids: np.ndarray, next_id: int
) -> tuple[np.ndarray, int]:
    """Return the id of each new cell, shape (cells + 1,), and the next number not used."""
    table = overlaps(new, old)
    cells, at = table.coords
    shared = np.asarray(table.data)
    both = (cells > 0) & (at > 0)
    cells, at, shared = cells[both], at[both], shared[both]
    lookup = np.zeros(int(new.max(initial=0)) + 1, np.uint32)
    used: set[int] = set()
    for index in np.lexsort((at, cells, -shared)):
        cell, cell_id = int(cells[index]), int(ids[at[index]])
        if not lookup[cell] and cell_id not in used:
            lookup[cell] = cell_id
            used.add(cell_id)
    unidentified = np.flatnonzero(lookup[1:] == 0) + 1
    lookup[unidentified] = next_id + np.arange(unidentified.size, dtype=np.uint32)
    return lookup, next_id + int(unidentified.size)
