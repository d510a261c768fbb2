"""Check an annotated slice: open contours, missing contours, tiny islands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from napari_copnet.boundaries.components import connected8
from napari_copnet.params import CheckParams, checked
from napari_copnet.teaching.carrying.carried import DoubtfulCell

OPEN, LARGE, ISLAND, DOUBT = "open contour", "large cell", "tiny island", "doubtful cell"
KINDS = (OPEN, LARGE, ISLAND, DOUBT)
# Fewer cells do not tell how large a usual one is.
FEWEST_CELLS = 6
# Pixels of a branch that lie within the surroundings of its fork.
FORK = 3.0
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Finding:
    """Something that seems wrong.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    y, x : int
        A pixel of it.
    text : str
        A sentence for people.
    size : float
        Length (open contours, px) or area (px).
    """

    kind: str
    y: int
    x: int
    text: str
    size: float


def doubtful_cell(cell: DoubtfulCell) -> Finding:
    """Return a carried cell that is in doubt as a finding."""
    text = (
        f"This cell was carried from another slice; it is right with probability {cell.trust:.2f}."
    )
    return Finding(DOUBT, cell.y, cell.x, text, float(cell.size))


def check_slice(
    contour: np.ndarray,
    params: CheckParams = CheckParams(),
    *,
    excluded: np.ndarray | None = None,
) -> list[Finding]:
    """Return what seems wrong in a slice, the most serious kind first, each kind by size.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        Above 0 on contours.
    params : CheckParams
    excluded : ndarray, shape (Y, X), bool, optional
        Where nothing is looked at: not reviewed, or marked as no cell.
    """
    params = checked(params)
    drawn = np.ascontiguousarray(contour) > 0
    out = np.zeros(drawn.shape, bool) if excluded is None else np.asarray(excluded, bool)
    if out.all():
        return []
    if (drawn | out).all():
        y, x = np.argwhere(~out)[np.count_nonzero(~out) // 2]
        text = "This slice is all contour: no cell is outlined."
        return [Finding(OPEN, int(y), int(x), text, float(np.count_nonzero(~out)))]
    if not (drawn & ~out).any():
        y, x = np.argwhere(~out)[np.count_nonzero(~out) // 2]
        text = "This slice has no contour: no cell is outlined."
        return [Finding(LARGE, int(y), int(x), text, float(np.count_nonzero(~out)))]
    return [
        *_open_ends(drawn, out, params.dangling),
        *_large_cells(drawn, out, params.large, params.island),
        *_islands(drawn, out, params.island),
    ]


def _open_ends(drawn: np.ndarray, out: np.ndarray, shortest: float) -> list[Finding]:
    """Find ends of contours that end freely.

    The contour is thinned to a line of one pixel. A branch of it that ends, and is longer than
    `shortest` from the edge of the contour it springs from, is open; shorter ones are the
    roughness of a thick line. An end at the border of what is looked at goes on beyond it.
    """
    line = skeletonize(drawn)
    neighbours = ndimage.convolve(line.astype(np.uint8), _EIGHT.astype(np.uint8), mode="constant")
    neighbours = np.where(line, neighbours - 1, 0)
    # half the width of the contour, by which thinning shortens an end and lengthens a spur
    half = edt.edt(drawn, black_border=False)
    # a fork is where three lines meet; without its surroundings the branches fall apart
    forks = ndimage.binary_dilation(line & (neighbours >= 3), _EIGHT)
    branches = connected8(line & ~forks)
    sizes = np.bincount(branches.ravel())
    beside_fork = np.zeros(sizes.size, bool)
    beside_fork[np.unique(branches[ndimage.binary_dilation(forks, _EIGHT)])] = True
    boxes = ndimage.find_objects(branches)
    beyond = ndimage.binary_dilation(out, _EIGHT, iterations=3) if out.any() else out
    height, width = drawn.shape
    found = []
    for y, x in np.argwhere(line & (neighbours <= 1)):
        reach = int(half[y, x]) + 3
        at_border = min(y, x, height - 1 - y, width - 1 - x) < reach
        name = branches[y, x]
        if at_border or beyond[y, x] or not name:
            continue
        length = float(sizes[name])
        if beside_fork[name]:
            length += FORK - _half_at_fork(branches, name, boxes[name - 1], forks, half)
        if length >= shortest:
            text = f"A contour ends here without enclosing a cell ({length:.0f} px long)."
            found.append(Finding(OPEN, int(y), int(x), text, length))
    return sorted(found, key=lambda finding: -finding.size)


def _half_at_fork(
    branches: np.ndarray, name: int, box: tuple[slice, slice], forks: np.ndarray, half: np.ndarray
) -> float:
    """Return half the width of the line that a branch springs from: so much lies within it."""
    near = tuple(slice(max(part.start - 2, 0), part.stop + 2) for part in box)
    touching = ndimage.binary_dilation(branches[near] == name, _EIGHT) & forks[near]
    return float(half[near][touching].max(initial=0.0))


def _large_cells(drawn: np.ndarray, out: np.ndarray, times: float, island: int) -> list[Finding]:
    """Find cells so large compared with the others that a contour may be missing."""
    cells = cc3d.connected_components(~drawn & ~out, connectivity=4, out_dtype=np.uint32)
    areas = np.bincount(cells.ravel())
    areas[0] = 0
    counted = areas[areas >= max(island, 1)]
    if counted.size < FEWEST_CELLS:
        return []
    usual = float(np.median(counted))
    found = []
    boxes = ndimage.find_objects(cells)
    for name in np.flatnonzero(areas > times * usual):
        box = boxes[name - 1]
        depth = edt.edt(np.ascontiguousarray(cells[box] == name), black_border=True)
        inside = np.unravel_index(int(depth.argmax()), depth.shape)
        y, x = (part.start + at for part, at in zip(box, inside, strict=True))
        text = (
            f"This cell is {areas[name] / usual:.0f} times as large as a typical one: "
            "a contour may be missing."
        )
        found.append(Finding(LARGE, int(y), int(x), text, float(areas[name])))
    return sorted(found, key=lambda finding: -finding.size)


def without_islands(
    contour: np.ndarray, smallest: int = CheckParams().island, *, excluded: np.ndarray | None = None
) -> np.ndarray:
    """Return a slice without the tiny islands that `check_slice` finds.

    Tiny pieces of contour become cell; tiny pieces of cell that are left then become contour.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        Above 0 on contours.
    smallest : int
        Area in pixels from which a piece is none.
    excluded : ndarray, shape (Y, X), bool, optional
        Where nothing is looked at.

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    drawn = np.array(contour) > 0
    out = np.zeros(drawn.shape, bool) if excluded is None else np.asarray(excluded, bool)
    for of_contour in (True, False):
        pieces = _pieces(drawn, out, of_contour)
        names = [name for name, _ in _tiny(pieces, out, smallest)]
        drawn[np.isin(pieces, names)] = not of_contour
    return drawn


def _islands(drawn: np.ndarray, out: np.ndarray, smallest: int) -> list[Finding]:
    """Find pieces of contour, and of cell, smaller than `smallest`."""
    found = []
    for of_contour, what in ((True, "piece of contour"), (False, "piece of cell")):
        pieces = _pieces(drawn, out, of_contour)
        for name, box in _tiny(pieces, out, smallest):
            inside = np.argwhere(pieces[box] == name)
            y, x = inside[len(inside) // 2] + [part.start for part in box]
            text = f"A tiny {what} of {len(inside)} px."
            found.append(Finding(ISLAND, int(y), int(x), text, float(len(inside))))
    return sorted(found, key=lambda finding: -finding.size)


def _pieces(drawn: np.ndarray, out: np.ndarray, of_contour: bool) -> np.ndarray:
    if of_contour:
        return connected8(drawn & ~out)
    return cc3d.connected_components(~drawn & ~out, connectivity=4, out_dtype=np.uint32)


def _tiny(
    pieces: np.ndarray, out: np.ndarray, smallest: int
) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Yield name and box of pieces that are tiny, and not cut by the border or what is left out."""
    areas = np.bincount(pieces.ravel())
    beside = set(np.unique(pieces[ndimage.binary_dilation(out)]).tolist()) if out.any() else ()
    for name, box in enumerate(ndimage.find_objects(pieces), start=1):
        cut = name in beside or any(
            part.start == 0 or part.stop == size
            for part, size in zip(box, pieces.shape, strict=True)
        )
        # what the border cuts may be larger than it looks
        if not cut and areas[name] < smallest:
            yield name, box
