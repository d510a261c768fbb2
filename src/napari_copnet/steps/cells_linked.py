"""Cells of slices, linked through z; see `linking`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import SliceWork, label_block
from napari_copnet.steps.linking import best_mutual, last_with_cells, linked_labels
from napari_copnet.store.blocks import Block, over_blocks
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import Cells


@dataclass(frozen=True)
class _Links:
    """Labels of slices (Z, Y, X), and for each the slice to link it with, or -1."""

    labels: Any
    before: tuple[int, ...]
    link_overlap: float


@dataclass(frozen=True)
class _Relabelling:
    labels: Any
    lookups: tuple[np.ndarray, ...]
    target: Any


def label(
    closed: Any, barrier: Any, params: CellParams, stage: Stage, blocks: Sequence[Block]
) -> Steps[Cells]:
    """Label slices, each on its own, and link their cells; see `cells.label_cells`."""
    shape = tuple(closed.shape)
    by_slice = stage.array("slice-labels", shape, np.uint32)
    shared = SliceWork(closed, barrier, params, by_slice)
    found = yield from over_blocks(stage, "slices", label_block, blocks, shared, "cells")
    counts = np.concatenate([values["counts"] for values in found])
    before = last_with_cells(counts)
    links = _Links(by_slice, before, params.link_overlap)
    matched = yield from over_blocks(stage, "links", _match, blocks, links, "cells")
    table = np.concatenate([values["pairs"] for values in matched])
    pairs = {z: table[table[:, 0] == z, 1:] for z in range(shape[0])}
    lookups = linked_labels(counts, before, pairs)
    if params.remove_border:
        border = np.concatenate([values["border"] for values in found])
        lookups = _without(lookups, {int(lookups[z][label]) for z, label in border})
    target = stage.array("labels", shape, np.uint32)
    moving = _Relabelling(by_slice, tuple(lookups), target)
    yield from over_blocks(stage, "relabel", _relabel, blocks, moving, "cells")
    stage.drop("slice-labels")
    rows = [
        np.stack([np.full(one.size - 1, z), np.arange(1, one.size), one[1:]], axis=1)
        for z, one in enumerate(lookups)
    ]
    made = np.concatenate(rows).astype(np.int64)
    return Cells(
        target,
        np.array([np.count_nonzero(one) for one in lookups], np.int64),
        params.mode,
        made[made[:, 2] > 0],
        largest=int(made[:, 2].max(initial=0)),
    )


def _match(block: tuple[int, ...], shared: _Links) -> Steps[Values]:
    """Find the cells of a block's slices that are one with a cell of the slice before."""
    found = [np.zeros((0, 3), np.int64)]
    for index, z in enumerate(block):
        before = shared.before[z]
        if before >= 0:
            pairs = best_mutual(
                np.asarray(shared.labels[before]),
                np.asarray(shared.labels[z]),
                shared.link_overlap,
            )
            found.append(np.column_stack([np.full(len(pairs), z), pairs]).astype(np.int64))
        yield Progress("cells", index + 1, len(block), "slices")
    return {"pairs": np.concatenate(found)}


def _relabel(block: tuple[int, ...], shared: _Relabelling) -> Steps[Values]:
    for index, z in enumerate(block):
        shared.target[z] = shared.lookups[z][np.asarray(shared.labels[z])]
        yield Progress("cells", index + 1, len(block), "slices")
    return {}


def _without(lookups: Sequence[np.ndarray], gone: set[int]) -> list[np.ndarray]:
    """Take cells away, and number the others anew in the same order."""
    largest = max(int(one.max(initial=0)) for one in lookups)
    kept = np.ones(largest + 1, np.uint32)
    kept[[0, *gone]] = 0
    anew = (np.cumsum(kept) * kept).astype(np.uint32)
    return [anew[one] for one in lookups]
