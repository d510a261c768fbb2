"""Self-training as it was tried: a model's closed contours, where they agree from slice to slice.

A cell of a slice agrees when the slices before and after have one that it overlaps by at least
`AGREE` (intersection over union); the rest of the slice is left out of training. What agrees is
given to a project as if it had been carried there, so that training takes it like that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cc3d
import numpy as np
from scipy import ndimage

from napari_copnet.steps.linking import overlaps
from napari_copnet.teaching.carrying.carried import CarriedSlice

AGREE = 0.85
# What lies so near to a cell that does not agree is left out, px.
APART = 2


def agreeing(
    closed: np.ndarray, slices: Sequence[int], sources: Sequence[int]
) -> Iterator[CarriedSlice]:
    """Yield what agrees in slices whose neighbours were closed too.

    Parameters
    ----------
    closed : ndarray, shape (N, Y, X), bool
        Closed contours of `slices`.
    slices : sequence of int
        Those with both neighbours among them are looked at.
    sources : sequence of int
        Slices that the model has learnt from.
    """
    cells = {
        z: cc3d.connected_components(~contour, connectivity=4)
        for z, contour in zip(slices, closed, strict=True)
    }
    for z, contour in zip(slices, closed, strict=True):
        if z - 1 not in cells or z + 1 not in cells:
            continue
        mine = cells[z]
        same = np.minimum(*(_overlap(mine, cells[z + step]) for step in (-1, 1))) >= AGREE
        same[0] = False
        at = ndimage.distance_transform_edt(mine == 0, return_distances=False, return_indices=True)
        owned = same[mine[tuple(at)]]
        known = ndimage.distance_transform_edt(np.pad(owned, 1, constant_values=True))[1:-1, 1:-1]
        count = int(mine.max(initial=0))
        yield CarriedSlice(z, tuple(sources), contour, known > APART, (), count)


def _overlap(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the best intersection over union of each cell with one of another slice, by number."""
    table = overlaps(mine, other)
    first, second = table.coords
    sizes, others = np.bincount(mine.ravel()), np.bincount(other.ravel())
    shares = table.data / (sizes[first] + others[second] - table.data)
    best = np.zeros(sizes.size)
    np.maximum.at(best, first, np.where((first > 0) & (second > 0), shares, 0))
    return best
