"""Cells as components in three dimensions, joined across blocks of slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cc3d
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import SliceWork, border_labels, filled, free_pixels, grown
from napari_copnet.store.blocks import Block, over_blocks
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import Cells


@dataclass(frozen=True)
class _Parts:
    """Parts of blocks on their way to cells of the stack; arrays (Z, Y, X).

    Attributes
    ----------
    slices : SliceWork
        Whose labels number the parts of each block from 1.
    first : dict of int to int
        What to add to the parts of a slice, so that no number occurs in two blocks.
    lookup : ndarray
        Cell of each part, 0 for those that are taken away.
    before : dict of int to int
        For the first slice of each block but the first, the slice before it.
    target : array, uint32
    """

    slices: SliceWork
    first: dict[int, int]
    before: dict[int, int]
    lookup: np.ndarray
    target: Any

    def numbered(self, z: int) -> np.ndarray:
        """Return the parts of a slice under numbers of the whole stack."""
        parts = np.asarray(self.slices.labels[z]).astype(np.int64)
        return np.where(parts > 0, parts + self.first[z], 0)


def fits_one_look(params: CellParams, stage: Stage, block: int) -> bool:
    """Whether `label_in_memory` does the same: nobody asked for blocks, and no label grows."""
    grows = params.rule == "scoring" and params.grow > 0
    return stage.in_memory and stage.workers is None and not block and not grows


def label_in_memory(closed: Any, barrier: Any, params: CellParams, stage: Stage) -> Steps[Cells]:
    """Label the components of a stack whose labels lie in memory.

    The same as `label`, in a tenth of the time: see `boundaries.stack_components`.
    """
    # Not before it is needed: it loads numba.
    from napari_copnet.boundaries.stack_components import StackComponents

    shape = tuple(closed.shape)
    work = SliceWork(closed, barrier, params, stage.array("labels", shape, np.uint32))
    parts = StackComponents(shape[1:])
    for z in range(shape[0]):
        parts.add(free_pixels(np.asarray(closed[z]), work.excluded(z), params))
        yield Progress("cells", 0.5 * (z + 1), shape[0], "slices")
    parts.number(params.min_size, params.remove_border)
    for z in range(shape[0]):
        parts.draw(z, work.labels[z])
        if params.fill_holes:
            # A hole never begins before the cell around it, so its filling changes no number.
            work.labels[z] = filled(work.labels[z])
            excluded = work.excluded(z)
            if excluded is not None:
                work.labels[z][excluded] = 0
        yield Progress("cells", 0.5 * (shape[0] + z + 1), shape[0], "slices")
    stage.keep("labels", "all", {})
    return Cells(work.labels, parts.counts, params.mode, largest=parts.count)


def label(
    closed: Any, barrier: Any, params: CellParams, stage: Stage, blocks: Sequence[Block]
) -> Steps[Cells]:
    """Label the components of a stack; see `cells.label_cells`."""
    shape = tuple(closed.shape)
    slices = SliceWork(closed, barrier, params, stage.array("parts", shape, np.uint32))
    found = yield from over_blocks(stage, "parts", _parts, blocks, slices, "cells")
    counts = [int(values["count"]) for values in found]
    starts = np.concatenate([[0], np.cumsum(counts)])
    first = {z: int(starts[n]) for n, block in enumerate(blocks) for z in block}
    before = {block[0]: block[0] - 1 for block in blocks if block[0] > 0}
    none = np.zeros(1, np.uint32)
    shared = _Parts(slices, first, before, none, None)
    joined = yield from over_blocks(stage, "joins", _joins, blocks, shared, "cells")
    pairs = np.concatenate([values["pairs"] for values in joined])
    shared = replace(
        shared,
        lookup=_united(pairs, int(starts[-1])),
        target=stage.array("grown", shape, np.uint32),
    )
    seen = yield from over_blocks(stage, "grown", _grow, blocks, shared, "cells")
    lookup = _kept(seen, params, int(shared.lookup.max(initial=0)))
    shared = replace(
        shared,
        slices=replace(slices, labels=shared.target),
        lookup=lookup,
        target=stage.array("filled", shape, np.uint32),
    )
    ended = yield from over_blocks(stage, "filled", _fill, blocks, shared, "cells")
    lookup = _by_first_pixel(ended, lookup.size)
    labels = stage.array("labels", shape, np.uint32)
    shared = replace(
        shared, slices=replace(slices, labels=shared.target), lookup=lookup, target=labels
    )
    yield from over_blocks(stage, "labels", _renumber, blocks, shared, "cells")
    stage.drop("parts", "grown", "filled")
    return Cells(
        labels,
        np.concatenate([values["counts"] for values in ended]),
        params.mode,
        largest=int(lookup.max(initial=0)),
    )


def _parts(block: tuple[int, ...], shared: SliceWork) -> Steps[Values]:
    """Number the components of a block."""
    free = []
    for index, z in enumerate(block):
        free.append(free_pixels(np.asarray(shared.closed[z]), shared.excluded(z), shared.params))
        yield Progress("cells", 0.5 * (index + 1), len(block), "slices")
    parts = cc3d.connected_components(np.stack(free), connectivity=6, out_dtype=np.uint32)
    for index, z in enumerate(block):
        shared.labels[z] = parts[index]
    yield Progress("cells", len(block), len(block), "slices")
    return {"count": np.array(parts.max(initial=0), np.int64)}


def _joins(block: tuple[int, ...], shared: _Parts) -> Steps[Values]:
    """Return which parts touch across the beginning of a block."""
    pairs = np.zeros((0, 2), np.int64)
    z = block[0]
    if z in shared.before:
        below, above = shared.numbered(shared.before[z]), shared.numbered(z)
        touching = (below > 0) & (above > 0)
        pairs = np.unique(np.stack([below[touching], above[touching]], axis=1), axis=0)
    yield Progress("cells", len(block), len(block), "slices")
    return {"pairs": pairs}


def _united(pairs: np.ndarray, count: int) -> np.ndarray:
    """Return the component of each part of 1 to `count`, from 1; 0 for 0."""
    links = sparse.coo_array(
        (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (count + 1, count + 1)
    )
    _, component = connected_components(links, directed=False)
    # Part 0 is alone, and the first.
    return component.astype(np.uint32)


def _grow(block: tuple[int, ...], shared: _Parts) -> Steps[Values]:
    """Join parts, and grow them back; return areas by slice, and what touches the border."""
    sizes, border = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for index, z in enumerate(block):
        labels = shared.lookup[shared.numbered(z)]
        labels = grown(labels, np.asarray(shared.slices.closed[z]), shared.slices.params)
        shared.target[z] = labels
        present, areas = np.unique(labels, return_counts=True)
        sizes.append(np.stack([present, areas], axis=1).astype(np.int64))
        border.append(border_labels(labels).astype(np.int64))
        yield Progress("cells", index + 1, len(block), "slices")
    return {"areas": np.concatenate(sizes), "border": np.concatenate(border)}


def _kept(seen: Sequence[Values], params: CellParams, count: int) -> np.ndarray:
    """Return the labels with 0 for cells too small, or at the border if those go."""
    largest = np.zeros(count + 1, np.int64)
    for values in seen:
        np.maximum.at(largest, values["areas"][:, 0], values["areas"][:, 1])
    lookup = np.arange(count + 1, dtype=np.uint32)
    lookup[largest < params.min_size] = 0
    if params.remove_border:
        lookup[np.concatenate([values["border"] for values in seen])] = 0
    return lookup


def _fill(block: tuple[int, ...], shared: _Parts) -> Steps[Values]:
    """Take cells away and fill holes; return the first pixel of each cell."""
    slices, first = shared.slices, [np.zeros((0, 2), np.int64)]
    counts = np.zeros(len(block), np.int64)
    for index, z in enumerate(block):
        labels = shared.lookup[np.asarray(slices.labels[z])]
        if slices.params.fill_holes:
            labels = filled(labels)
        excluded = slices.excluded(z)
        if excluded is not None:
            labels = np.where(excluded, np.uint32(0), labels)
        shared.target[z] = labels
        present, pixels = np.unique(labels, return_index=True)
        cells = present > 0
        counts[index] = np.count_nonzero(cells)
        at = pixels[cells] + z * labels.size
        first.append(np.stack([present[cells], at], axis=1).astype(np.int64))
        yield Progress("cells", index + 1, len(block), "slices")
    return {"first": np.concatenate(first), "counts": counts}


def _by_first_pixel(ended: Sequence[Values], count: int) -> np.ndarray:
    """Return numbers from 1 in the order of cells' first pixels."""
    first = np.concatenate([values["first"] for values in ended])
    order = np.argsort(first[:, 1], kind="stable")
    lookup = np.zeros(count, np.uint32)
    _, at = np.unique(first[order, 0], return_index=True)
    cells = first[order][np.sort(at), 0]
    lookup[cells] = np.arange(1, cells.size + 1)
    return lookup


def _renumber(block: tuple[int, ...], shared: _Parts) -> Steps[Values]:
    for index, z in enumerate(block):
        shared.target[z] = shared.lookup[np.asarray(shared.slices.labels[z])]
        yield Progress("cells", index + 1, len(block), "slices")
    return {}
