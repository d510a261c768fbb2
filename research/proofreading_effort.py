"""How many edits proofreading takes: simulated proofreaders who know the truth.

One walks the queue and accepts or rejects. The other repairs Step 1's contours slice by slice: he
draws each missing stretch of the true contour, and erases each stretch that is false. Both are
scored alike after every edit: labelled cells as in the paper, but with the cells on both sides
grown over the contours, because how thick a contour is drawn no edit of this kind changes.

A decision is a key pressed on an item, whatever comes of it. An edit changes the contour: a
decision that draws or erases, in one slice or through several, or a stretch drawn or erased by
hand, however branched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage
from skimage.segmentation import expand_labels

from napari_copnet.boundaries.components import connected8
from napari_copnet.boundaries.gaps import SMALLEST_SIDE
from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.queue import Item
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
    """Labelled cells by number of decisions.

    Attributes
    ----------
    labelled : ndarray, shape (decisions + 1,), int
        Labelled cells of the stack, before the first decision and after each.
    edits : ndarray, shape (decisions + 1,), int
        How many decisions changed the contour so far.
    cells : int
        True cells in all slices.
    """

    labelled: np.ndarray
    edits: np.ndarray
    cells: int

    def decisions_to(self, count: float) -> int | None:
        """Return the decisions after which at least `count` cells are labelled; None if never."""
        reached = np.flatnonzero(self.labelled >= count)
        return int(reached[0]) if reached.size else None

    def edits_to(self, count: float) -> int | None:
        """Return the edits after which at least `count` cells are labelled; None if never."""
        reached = self.decisions_to(count)
        return None if reached is None else int(self.edits[reached])

    @property
    def won(self) -> np.ndarray:
        """Whether each decision left more cells labelled, shape (decisions,), bool."""
        return np.diff(self.labelled) > 0


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
        """Whether the wall of an item is contour in truth, in most of its slices."""
        says = [self.is_wall(patch, contour) for patch in item.patches]
        return 2 * sum(says) > len(says)

    def is_wall(self, patch: Patch, contour: np.ndarray) -> bool:
        """Whether a patch is contour in truth.

        Most of it has to lie near the true contour, and the pixels that can be reached from it
        without crossing other contour, as far as twice the tolerance, in two true cells: a wall
        across a narrow cell lies near true contour as well.

        Parameters
        ----------
        patch : Patch
        contour : ndarray, shape (Z, Y, X), bool
        """
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

    def is_error(self, item: Item, contour: np.ndarray) -> bool:
        """Whether a contour, shape (Z, Y, X), bool, is wrong at an item."""
        drawn = [contour[p.z][p.box][p.mask].mean() > 0.5 for p in item.patches]
        return bool((2 * sum(drawn) > len(drawn)) != self.is_true(item, contour))

    def labelled(self, contour: np.ndarray, z: int) -> int:
        """Count the labelled cells of a slice."""
        return self.labelled_grown(expand_labels(label_slice(contour, _EVERY), GROW), z)

    def labelled_grown(self, cells: np.ndarray, z: int) -> int:
        """Count the labelled cells of a slice from predicted cells that are grown already."""
        if self._excluded is not None:
            cells = np.where(self._excluded[z], 0, cells)
        return int(np.count_nonzero(partition(self._cells[z], cells).fates == LABELLED))

    def _kept(self, cells: np.ndarray, z: int) -> np.ndarray:
        cells = expand_labels(cells, GROW)
        if self._excluded is not None:
            cells = np.where(self._excluded[z], 0, cells)
        return cells


class _Desk:
    """A contour that is proofread, and its labelled cells.

    Which free pixel is nearest to each pixel of the contour is kept: after an edit only the
    pixels around it have another, so cells need not be grown anew all over the slice.
    """

    def __init__(self, contour: np.ndarray, oracle: Oracle) -> None:
        self.now = np.asarray(contour) > 0
        self.now = self.now.copy()
        self.oracle = oracle
        whole = (slice(0, contour.shape[1]), slice(0, contour.shape[2]))
        self._nearest = np.zeros(contour.shape, np.int64)
        for z, plane in enumerate(self.now):
            self._nearest[z] = _nearest_free(plane, whole)
        self.by_slice = [
            self._labelled(z, self.now[z], self._nearest[z]) for z in range(len(self.now))
        ]

    @property
    def labelled(self) -> int:
        return sum(self.by_slice)

    def tried(self, patches: Sequence[Patch], drawn: bool) -> dict[int, _Tried]:
        """Return what each slice would be if patches, each of another slice, were drawn or not."""
        found = {}
        for patch in patches:
            z = patch.z
            plane = self.now[z].copy()
            plane[patch.box][patch.mask] = drawn
            if np.array_equal(plane[patch.box], self.now[z][patch.box]):
                continue
            reach = int(GROW) + 1
            box = (
                slice(max(patch.top - reach, 0), patch.top + patch.height + reach),
                slice(max(patch.left - reach, 0), patch.left + patch.width + reach),
            )
            nearest = self._nearest[z].copy()
            nearest[box] = _nearest_free(plane, box)
            found[z] = _Tried(plane, nearest, self._labelled(z, plane, nearest))
        return found

    def take(self, tried: dict[int, _Tried]) -> None:
        for z, one in tried.items():
            self.now[z], self._nearest[z], self.by_slice[z] = one.plane, one.nearest, one.labelled

    def _labelled(self, z: int, plane: np.ndarray, nearest: np.ndarray) -> int:
        cells = label_slice(plane, _EVERY)
        # Where no free pixel is near, the index is one past the last.
        return self.oracle.labelled_grown(np.append(cells, np.uint32(0))[nearest], z)


@dataclass(frozen=True)
class _Tried:
    plane: np.ndarray
    nearest: np.ndarray
    labelled: int


def _nearest_free(plane: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """Return the flat index of the free pixel nearest to each pixel of a box, within `GROW`."""
    height, width = plane.shape
    reach = int(GROW) + 1
    top, left = max(box[0].start - reach, 0), max(box[1].start - reach, 0)
    crop = plane[top : box[0].stop + reach, left : box[1].stop + reach]
    own = (
        slice(box[0].start - top, min(box[0].stop, height) - top),
        slice(box[1].start - left, min(box[1].stop, width) - left),
    )
    if crop.all():
        return np.full(crop[own].shape, plane.size, np.int64)
    distance, at = ndimage.distance_transform_edt(crop, return_indices=True)
    flat = (at[0] + top) * width + at[1] + left
    return np.where(distance <= GROW, flat, plane.size)[own]


def walk_queue(contour: np.ndarray, items: Sequence[Item], oracle: Oracle) -> Steps[Effort]:
    """Walk the queue from its head and accept or reject each item.

    The answer is the one that leaves more cells labelled in the slices of the item together; of
    two alike, the true one.

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
        In decisions.

    Returns
    -------
    Effort
    """
    desk = _Desk(contour, oracle)
    counts, edits = [desk.labelled], [0]
    for done, item in enumerate(items, start=1):
        changed = False
        if item.patch.count:
            true = oracle.is_true(item, desk.now)
            choices = [desk.tried(item.patches, drawn) for drawn in (true, not true)]
            gains = [
                sum(one.labelled - desk.by_slice[z] for z, one in choice.items())
                for choice in choices
            ]
            choice = choices[int(gains[1] > gains[0])]
            changed = bool(choice)
            desk.take(choice)
        counts.append(desk.labelled)
        edits.append(edits[-1] + changed)
        yield Progress("walk the queue", done, len(items), "decisions")
    return Effort(np.array(counts), np.array(edits), oracle.cells)


def repair_slices(contour: np.ndarray, oracle: Oracle, slack: int = 1) -> Steps[Effort]:
    """Repair a contour slice by slice, from the first to the last.

    Parameters
    ----------
    contour : ndarray, shape (Z, Y, X)
        Rounded Step 1; not changed.
    oracle : Oracle
    slack : int
        True contour within so many pixels of what is drawn is not missing. With 1 walls are
        redrawn that are right but a little off; `TOLERANCE` is what walls are judged by else.

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
        for stretch, drawn in _repairs(now[z], oracle.truth[z], oracle.near[z], slack):
            now[z][stretch] = drawn
            by_slice[z] = oracle.labelled(now[z], z)
            counts.append(sum(by_slice))
        yield Progress("repair slices", z + 1, len(now), "slices")
    return Effort(np.array(counts), np.arange(len(counts)), oracle.cells)


def _repairs(
    contour: np.ndarray, truth: np.ndarray, near: np.ndarray, slack: int
) -> list[tuple[np.ndarray, bool]]:
    """Return the stretches of a slice to draw and to erase: those that its cells depend on."""
    found = []
    missing = truth & ~ndimage.binary_dilation(contour, iterations=slack)
    for wall, drawn in ((missing, True), (contour & ~near, False)):
        pieces = connected8(wall)
        for number in range(1, int(pieces.max(initial=0)) + 1):
            stretch = pieces == number
            if drawn:
                # Up to the contour at both ends.
                stretch = truth & ~contour & ndimage.binary_dilation(stretch, iterations=slack + 2)
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
