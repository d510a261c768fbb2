"""How many edits proofreading takes: simulated proofreaders who know the truth.

One walks the queue and accepts or rejects. The other repairs Step 1's contours slice by slice: he
draws each missing stretch of the true contour, and erases each stretch that is false. Both are
scored alike after every edit: labelled cells as in the paper, but with the cells on both sides
grown over the contours, because how thick a contour is drawn no edit of this kind changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage
from skimage.segmentation import expand_labels

from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.review.gaps import SMALLEST_SIDE
from napari_copnet.review.queue import Item
from napari_copnet.steps.cells import label_slice, true_cells

# A wall is true when most of it lies within so many pixels of the true contour.
TOLERANCE = 3
# How far cells grow over contours for scoring, px.
GROW = 10
# Of the pixels beside a true wall so many are on the lesser side.
_SIDE = 0.15
_EVERY = CellParams(min_size=0)


@dataclass(frozen=True)
class Effort:
    """Labelled cells by number of edits.

    Attributes
    ----------
    labelled : ndarray, shape (edits + 1,), int
        Labelled cells of the stack, before the first edit and after each.
    cells : int
        True cells in all slices.
    """

    labelled: np.ndarray
    cells: int

    def edits_to(self, count: float) -> int | None:
        """Return the edits after which at least `count` cells are labelled; None if never."""
        reached = np.flatnonzero(self.labelled >= count)
        return int(reached[0]) if reached.size else None


class Oracle:
    """One who knows the true contour.

    Parameters
    ----------
    truth : ndarray, shape (Z, Y, X)
        True contour; anything above 0 is contour.
    excluded : ndarray, shape (Z, Y, X), bool, optional
        Left out of the scores.
    """

    def __init__(self, truth: np.ndarray, excluded: np.ndarray | None = None) -> None:
        self.truth = truth > 0
        self.near = np.stack([_near(plane) for plane in self.truth])
        self._excluded = excluded
        self._cells = [self._kept(true_cells(plane), z) for z, plane in enumerate(self.truth)]
        self.cells = sum(len(np.unique(cells[cells > 0])) for cells in self._cells)

    def is_true(self, item: Item, contour: np.ndarray) -> bool:
        """Whether the wall of an item is contour in truth.

        Most of it has to lie near the true contour, and the pixels that can be reached from it
        without crossing other contour, as far as twice the tolerance, in two true cells: a wall
        across a narrow cell lies near true contour as well.

        Parameters
        ----------
        item : Item
        contour : ndarray, shape (Z, Y, X), bool
        """
        patch = item.patch
        if self.near[patch.z][patch.box][patch.mask].mean() <= 0.5:
            return False
        reach = 2 * TOLERANCE
        box = tuple(slice(max(side.start - reach, 0), side.stop + reach) for side in patch.box)
        wall = np.zeros(self.truth.shape[1:], bool)
        wall[patch.box] = patch.mask
        free = ~contour[patch.z][box] | wall[box]
        beside = ndimage.binary_dilation(wall[box], iterations=reach, mask=free)
        cells = self._cells[patch.z][box][beside]
        shares = np.sort(np.unique(cells[cells > 0], return_counts=True)[1])
        return shares.size > 1 and bool(shares[-2] >= _SIDE * shares.sum())

    def decided(self, item: Item, contour: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the contour of the item's slice once it is decided, and its labelled cells.

        The answer is the one that leaves more cells labelled; of two alike, the true one.
        """
        patch = item.patch
        choices = []
        for drawn in (self.is_true(item, contour), not self.is_true(item, contour)):
            plane = contour[patch.z].copy()
            plane[patch.box][patch.mask] = drawn
            choices.append((plane, self.labelled(plane, patch.z)))
        return max(choices, key=lambda choice: choice[1])

    def is_error(self, item: Item, contour: np.ndarray) -> bool:
        """Whether a contour, shape (Z, Y, X), bool, is wrong at an item."""
        drawn = contour[item.z][item.patch.box][item.patch.mask].mean() > 0.5
        return bool(drawn != self.is_true(item, contour))

    def labelled(self, contour: np.ndarray, z: int) -> int:
        """Count the labelled cells of a slice."""
        predicted = self._kept(label_slice(contour, _EVERY), z)
        return int(np.count_nonzero(partition(self._cells[z], predicted).fates == LABELLED))

    def _kept(self, cells: np.ndarray, z: int) -> np.ndarray:
        cells = expand_labels(cells, GROW)
        if self._excluded is not None:
            cells = np.where(self._excluded[z], 0, cells)
        return cells


def walk_queue(contour: np.ndarray, items: Sequence[Item], oracle: Oracle) -> Steps[Effort]:
    """Walk the queue from its head; each item accepted or rejected counts as an edit.

    Parameters
    ----------
    contour : ndarray, shape (Z, Y, X)
        Closed contour; not changed.
    items : sequence of Item
        Items without pixels (slices that did not converge) are looked at, and count, as well.
    oracle : Oracle

    Yields
    ------
    Progress
        In edits.

    Returns
    -------
    Effort
    """
    now = np.asarray(contour) > 0
    now = now.copy()
    by_slice = [oracle.labelled(plane, z) for z, plane in enumerate(now)]
    counts = [sum(by_slice)]
    for done, item in enumerate(items, start=1):
        patch = item.patch
        if patch.count:
            now[patch.z], by_slice[patch.z] = oracle.decided(item, now)
        counts.append(sum(by_slice))
        yield Progress("walk the queue", done, len(items), "edits")
    return Effort(np.array(counts), oracle.cells)


def repair_slices(contour: np.ndarray, oracle: Oracle) -> Steps[Effort]:
    """Repair a contour slice by slice, from the first to the last.

    Parameters
    ----------
    contour : ndarray, shape (Z, Y, X)
        Rounded Step 1; not changed.
    oracle : Oracle

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    Effort
        Of stretches that change no cell none is drawn or erased: a person would not either.
    """
    now = np.asarray(contour) > 0
    now = now.copy()
    by_slice = [oracle.labelled(plane, z) for z, plane in enumerate(now)]
    counts = [sum(by_slice)]
    for z in range(len(now)):
        for stretch, drawn in _repairs(now[z], oracle.truth[z], oracle.near[z]):
            now[z][stretch] = drawn
            by_slice[z] = oracle.labelled(now[z], z)
            counts.append(sum(by_slice))
        yield Progress("repair slices", z + 1, len(now), "slices")
    return Effort(np.array(counts), oracle.cells)


def _repairs(
    contour: np.ndarray, truth: np.ndarray, near: np.ndarray
) -> list[tuple[np.ndarray, bool]]:
    """Return the stretches of a slice to draw and to erase: those that its cells depend on."""
    found = []
    missing = truth & ~ndimage.binary_dilation(contour)
    for wall, drawn in ((missing, True), (contour & ~near, False)):
        pieces = cc3d.connected_components(wall, connectivity=8, out_dtype=np.uint32)
        for number in range(1, int(pieces.max(initial=0)) + 1):
            stretch = pieces == number
            if drawn:
                # Up to the contour at both ends.
                stretch = truth & ~contour & ndimage.binary_dilation(stretch, iterations=3)
            found.append((stretch, drawn))
    repaired = contour.copy()
    for stretch, drawn in found:
        repaired[stretch] = drawn
    cells = _count_cells(repaired)
    needed = []
    for stretch, drawn in found:
        without = repaired.copy()
        without[stretch] = contour[stretch]
        if _count_cells(without) == cells:
            repaired = without
        else:
            needed.append((stretch, drawn))
    return needed


def _count_cells(contour: np.ndarray) -> int:
    sizes = np.bincount(cc3d.connected_components(~contour, connectivity=4).ravel())[1:]
    return int(np.count_nonzero(sizes >= SMALLEST_SIDE))


def _near(contour: np.ndarray) -> np.ndarray:
    return ndimage.binary_dilation(contour, iterations=TOLERANCE)
