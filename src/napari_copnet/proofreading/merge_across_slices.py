"""One wall through several slices as one question.

Walls run on from slice to slice, and so do errors. Suspects that lie over one another in
neighbouring slices are asked as one: the answer counts for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from napari_copnet.proofreading.edits import Patch

# A wall lies over another when such a share of the shorter is within so many pixels of the longer.
_NEAR, _MOST = 7.0, 0.3
# One can follow a wall by eye through so many slices.
LONGEST = 8
# A slice joins a chain when it is at least so likely an error, beside the chain's likeliest.
_AS_LIKELY = 0.2


def chained(patches: Sequence[Patch], likely: Sequence[float]) -> list[list[int]]:
    """Put walls that run through neighbouring slices together.

    Each chain grows from its likeliest wall, a slice at a time in both directions, and holds one
    wall of a slice.

    Parameters
    ----------
    patches : sequence of Patch
        All of one sort: missing, or drawn.
    likely : sequence of float
        How likely each is an error.

    Returns
    -------
    list of list of int
        Indices, the likeliest of each chain first.
    """
    order = sorted(range(len(patches)), key=lambda i: (-likely[i], i))
    by_slice: dict[int, list[int]] = {}
    for i in order:
        by_slice.setdefault(patches[i].z, []).append(i)
    boxes = np.array(
        [(p.top, p.left, p.top + p.height, p.left + p.width) for p in patches], float
    ).reshape(-1, 4)
    places: dict[int, np.ndarray] = {}
    taken: set[int] = set()
    chains = []
    for head in order:
        if head in taken:
            continue
        chain = [head]
        taken.add(head)
        ends = {1: head, -1: head}
        ways = [1, -1]
        while ways and len(chain) < LONGEST:
            way = ways.pop(0)
            end = ends[way]
            over = _over(end, by_slice.get(patches[end].z + way, []), patches, boxes, places)
            over = [i for i in over if i not in taken and likely[i] >= _AS_LIKELY * likely[head]]
            if over:
                ends[way] = over[0]
                chain.append(over[0])
                taken.add(over[0])
                ways.append(way)
        chains.append(chain)
    return chains


def _over(
    wall: int,
    others: Sequence[int],
    patches: Sequence[Patch],
    boxes: np.ndarray,
    places: dict[int, np.ndarray],
) -> list[int]:
    """Return which of some walls lie over a wall, the best first."""
    if not others:
        return []
    near = np.array(others)
    low, high = boxes[near, :2], boxes[near, 2:]
    meet = ((low <= boxes[wall, 2:] + _NEAR) & (high >= boxes[wall, :2] - _NEAR)).all(axis=1)
    found = []
    for other in near[meet].tolist():
        small, large = sorted((wall, other), key=lambda i: patches[i].count)
        for i in (small, large):
            if i not in places:
                places[i] = np.argwhere(patches[i].mask) + boxes[i, :2]
        distance, _ = cKDTree(places[large]).query(places[small], distance_upper_bound=_NEAR)
        share = float(np.isfinite(distance).mean())
        if share >= _MOST:
            # Of two that lie over it alike, the one of the same length.
            found.append((share * len(places[small]) / len(places[large]), other))
    return [other for _, other in sorted(found, reverse=True)]
