"""Judge a run from what is known without the true cells.

Some pairs of neighbouring slices, spread through the stack, are measured block by block, of large
slices the middle. So a verdict takes seconds, whatever the size of the run, and little memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.progress import Progress, Steps
from napari_copnet.store.blocks import over_blocks
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import Cells, Closing, Preprocessed, Stack
from napari_copnet.verdict.estimate import expected_labelled
from napari_copnet.verdict.measures import NAMES, RunSlice, slice_measures
from napari_copnet.verdict.reasons import reasons
from napari_copnet.verdict.types import AMBER, GREEN, RED, SIZES, TEACH, Reason, Verdict

# Pairs of slices that are looked at, and the side of the middle of large slices, px.
PAIRS, WINDOW = 6, 1536
# Runs of which fewer cells are expected to be right are red; from the second share on green.
RED_UNDER, GREEN_FROM = 0.15, 0.42
# Where Step 1 is unsure in two ways or more, under this share.
UNSURE, UNSURE_RED_UNDER = frozenset({"parting", "certainty", "decided"}), 0.2
# Every so many pixels of a slice are looked at for its grey values.
_PIXELS = 500_000


@dataclass(frozen=True)
class JudgedRun:
    """What blocks need to measure slices; arrays (Z, Y, X), of the processed frame but `given`."""

    given: Any
    ready: Preprocessed
    contours: Any
    closed: Any
    cells: Any

    def slice(self, z: int, window: tuple[slice, slice]) -> RunSlice:
        """Return a slice, or its part."""
        return RunSlice(
            np.asarray(self.ready.data[z], np.float32)[window],
            np.asarray(self.contours[z], np.float32)[window],
            np.asarray(self.closed[z])[window] > 0,
            np.asarray(self.cells[z])[window],
            ~np.asarray(self.ready.margin[z])[window],
        )


def judge(
    stack: Stack,
    ready: Preprocessed,
    contours: Any,
    closing: Closing,
    cells: Cells,
    stage: Stage,
) -> Steps[Verdict]:
    """Judge a finished run.

    Parameters
    ----------
    stack : Stack
        As it was given.
    ready, contours, closing, cells
        What the steps made.
    stage : Stage
        Where what is measured is kept.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    Verdict
    """
    depth = ready.data.shape[0]
    blocks = chosen_pairs(depth, ready.blank)
    shared = JudgedRun(stack.data, ready, contours, closing.mask, cells.labels)
    # The stack as given may be an open file, which no other process can be sent.
    found = yield from over_blocks(
        stage, "measures", measure_block, blocks, shared, "verdict", here=True
    )
    rows = [row for values in found for row in values["measures"]]
    names = (*NAMES, "clipped")
    medians = {
        name: _median([float(row[index]) for row in rows]) for index, name in enumerate(names)
    }
    medians |= _of_stack(ready, closing, cells)
    looked_at = tuple(z for block in blocks for z in block)
    return verdict_of(medians, looked_at, max(ready.frame.processed_shape[1:]))


def verdict_of(measures: Mapping[str, float], slices: Sequence[int] = (), size: int = 0) -> Verdict:
    """Return the verdict that measures lead to.

    Parameters
    ----------
    measures : mapping
        Medians of `measures.slice_measures`, with ``clipped`` (share of pixels at the first or
        last grey value), ``cells_per_slice``, ``empty`` (share of slices without cells) and
        ``unsettled`` (share of slices that closing left before they converged).
    slices : sequence of int
        That were looked at.
    size : int
        Longer side that the networks saw, px.
    """
    against = reasons(measures)
    expected = expected_labelled(measures)
    unsure = sum(reason.measure in UNSURE for reason in against) > 1
    least = UNSURE_RED_UNDER if unsure else RED_UNDER
    red = any(reason.light == RED for reason in against) or expected < least
    green = not against and expected >= GREEN_FROM
    light = RED if red else GREEN if green else AMBER
    if light != GREEN and not any(reason.light == light for reason in against):
        against = (_as_a_whole(light, against), *against)
    return Verdict(light, _SAYS[light], against, expected, dict(measures), tuple(slices), size)


_SAYS = {
    GREEN: "The run looks good: correct the cells that are left.",
    AMBER: "The run is doubtful: look at the cells before you use or correct them.",
    RED: "The run looks wrong: do not use or correct its cells before you have tried another way.",
}


def _as_a_whole(light: str, against: Sequence[Reason]) -> Reason:
    """Return the reason where no single measure is out of range as far as all together."""
    few = "few" if light == RED else "not many"
    ways = {reason.next for reason in against}
    way = TEACH if TEACH in ways and SIZES not in ways else SIZES
    return Reason(
        "expected",
        light,
        f"In runs that look like this one, {few} cells are right: try smaller and larger sizes, or "
        "teach the networks this tissue.",
        way,
    )


def chosen_pairs(
    depth: int, blank: Sequence[int] = (), pairs: int = PAIRS
) -> list[tuple[int, ...]]:
    """Return pairs of neighbouring slices spread through a stack, without blank ones.

    Parameters
    ----------
    depth : int
        Slices of the stack.
    blank : sequence of int
    pairs : int
        The most.

    Returns
    -------
    list of tuple of int
        Disjoint; a slice whose neighbour is blank, or taken, is alone.
    """
    there = [z for z in range(depth) if z not in set(blank)]
    blocks = [tuple(there[at : at + 2]) for at in range(0, len(there), 2)]
    if len(blocks) > pairs:
        middles = ((2 * np.arange(pairs) + 1) * len(blocks)) // (2 * pairs)
        blocks = [blocks[at] for at in middles]
    return blocks


def measure_block(block: tuple[int, ...], shared: JudgedRun) -> Steps[Values]:
    """Measure the slices of a block, each with the next one where that is its neighbour."""
    window = _window(np.asarray(shared.ready.margin[block[0]]))
    seen = [shared.slice(z, window) for z in block]
    rows = []
    for index, z in enumerate(block):
        after = index + 1 < len(block) and block[index + 1] == z + 1
        measured = slice_measures(seen[index], seen[index + 1] if after else None)
        grey = clipped(np.asarray(shared.given[z]), shared.ready.original_padding(z))
        rows.append([*measured.values(), grey])
        yield Progress("verdict", index + 1, len(block), "slices")
    return {"measures": np.array(rows, np.float64).reshape(len(block), len(NAMES) + 1)}


def clipped(image: np.ndarray, padding: np.ndarray | None = None) -> float:
    """Return the share of pixels at the first or last grey value of a slice, the larger of the two.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    padding : ndarray, shape (Y, X), bool, optional
        Pixels to leave out: a constant border is no sign of a clipped contrast.
    """
    flat = image.ravel() if padding is None else image[~padding]
    values = flat[:: max(1, flat.size // _PIXELS)]
    values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if values.size == 0 or values.min() == values.max():
        return math.nan
    return float(max(np.mean(values == values.min()), np.mean(values == values.max())))


def _of_stack(ready: Preprocessed, closing: Closing, cells: Cells) -> dict[str, float]:
    """Return what is known of every slice already."""
    there = np.ones(ready.data.shape[0], bool)
    there[list(ready.blank)] = False
    if not there.any():
        return {"cells_per_slice": 0.0, "empty": 1.0, "unsettled": 0.0}
    left = 0.0 if closing.settled else float(np.mean(~closing.converged[there]))
    counts = np.asarray(cells.counts)[there]
    return {
        "cells_per_slice": float(counts.mean()),
        "empty": float(np.mean(counts == 0)),
        "unsettled": left,
    }


def _window(margin: np.ndarray) -> tuple[slice, slice]:
    """Return the middle of where a slice has tissue, at most `WINDOW` px a side."""
    box = []
    for axis in (1, 0):
        there = np.flatnonzero(~margin.all(axis=axis))
        low, high = (
            (int(there[0]), int(there[-1]) + 1) if there.size else (0, margin.shape[1 - axis])
        )
        start = int(low + max(0, high - low - WINDOW) // 2)
        box.append(slice(start, int(min(high, start + WINDOW))))
    return box[0], box[1]


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan
