"""Close gaps that the network leaves open, as suggested by shapes and neighbouring slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.boundaries.gap_classifier import (
    cell_areas,
    completed,
    medians,
    rows,
    usual_of,
    witnesses,
    worth_drawing,
)
from napari_copnet.boundaries.gaps import SlicePlane, gaps
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.steps.cells import label_slice
from napari_copnet.steps.closing_passes import SURELY, Passes, held_back, tidied
from napari_copnet.store.blocks import Block, over_blocks, recalled
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import is_contour

# How sure of a likely gap's wall the network is told to be.
WALL = 0.9


@dataclass(frozen=True)
class Evidence:
    """What is known of a stack; arrays (Z, Y, X), which may be lazy.

    Attributes
    ----------
    contour : array, bool
        Closed contour; cells end at padding as they do at it.
    step1, probability : array, float
        Contour probability of Step 1, and after closing.
    """

    contour: Any
    step1: Any
    probability: Any


@dataclass(frozen=True)
class Ends:
    """Where cells of a slice end: at the contour and at padding; bool."""

    current: Any
    united: Any
    padding: Any

    def __call__(self, z: int) -> np.ndarray:
        ends = is_contour(self.current[z])
        if self.united is not None:
            ends |= is_contour(self.united[z])
        return ends if self.padding is None else ends | np.asarray(self.padding[z])


def planes_of(
    contour: np.ndarray,
    step1: np.ndarray,
    probability: np.ndarray,
    slices: Iterable[int] | None = None,
) -> list[SlicePlane]:
    """Return what is known of slices of a stack.

    Parameters
    ----------
    contour : array, shape (Z, Y, X), bool
        Closed contour.
    step1, probability : array, shape (Z, Y, X), float
        Contour probability of Step 1, and after closing.
    slices : iterable of int, optional
        All by default.
    """
    return list(_planes(Evidence(contour, step1, probability), slices))


def _planes(evidence: Evidence, slices: Iterable[int] | None = None) -> Iterator[SlicePlane]:
    """Yield what is known of slices; those around are labelled when they are needed."""
    depth = evidence.contour.shape[0]
    contours: dict[int, np.ndarray] = {}
    cells: dict[int, np.ndarray] = {}
    for z in range(depth) if slices is None else slices:
        near = [at for at in (z - 1, z, z + 1) if 0 <= at < depth]
        for at in near:
            if at not in cells:
                contours[at] = np.asarray(evidence.contour[at])
                cells[at] = label_slice(contours[at], CellParams())
        first = np.asarray(evidence.step1[z])
        best = np.maximum(first, evidence.probability[z])
        around = [cells[at] for at in near if at != z]
        yield SlicePlane(contours[z], cells[z], first, best, around)
        for at in set(cells) - {z, z + 1}:
            del cells[at], contours[at]


def likely_walls(
    evidence: Evidence,
    least_gain: float,
    least_chance: float,
    stage: Stage,
    blocks: Sequence[Block],
    skip: Sequence[int] = (),
) -> Steps[dict[int, np.ndarray]]:
    """Find the walls that a closed contour most likely lacks.

    Parameters
    ----------
    evidence : Evidence
    least_gain : float
        Expected gain in labelled cells that a wall must bring.
    least_chance : float
        Least probability of such a gain, 0 to 1.
    stage : Stage
    blocks : sequence of tuple of int
        All slices.
    skip : sequence of int
        Blank slices: nothing is drawn in them.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    dict of int to ndarray
        By slice, the pixels to draw, flat; slices without any are left out.
    """
    # Of all walls of a large stack only what decides is in memory at once.
    wanted = ("areas", "witnesses")
    found = yield from over_blocks(
        stage, "gaps", _suspects, blocks, evidence, "likely gaps", wanted
    )
    usual = usual_of(np.concatenate([values["areas"] for values in found]))
    over_stack = medians(np.concatenate([values["witnesses"] for values in found]))
    walls: dict[int, np.ndarray] = {}
    for block in blocks:
        values = recalled(stage, "gaps", block)
        worth = worth_drawing(
            completed(values["rows"], usual, over_stack), least_gain, least_chance
        )
        ends = np.cumsum(values["lengths"])
        for index in np.flatnonzero(worth):
            z = block[int(values["slices"][index])]
            if z not in skip:
                last = int(ends[index])
                pixels = values["pixels"][last - int(values["lengths"][index]) : last]
                walls[z] = np.concatenate([walls[z], pixels]) if z in walls else pixels
    return walls


def _suspects(block: tuple[int, ...], evidence: Evidence) -> Steps[Values]:
    """Measure all walls that may be missing in a block of slices."""
    measured, areas, slices, lengths = [], [], [], []
    pixels: list[np.ndarray] = [np.zeros(0, np.int64)]
    for index, plane in enumerate(_planes(evidence, block)):
        here = list(gaps(plane)) if (plane.cells > 0).any() else []
        measured.append(rows(here))
        areas.append(cell_areas(plane.cells))
        slices += [index] * len(here)
        lengths += [suspect.pixels.size for suspect in here]
        pixels += [suspect.pixels for suspect in here]
        yield Progress("likely gaps", index + 1, len(block), "slices")
    values = np.concatenate(measured)
    return {
        "rows": values,
        "witnesses": witnesses(values),
        "areas": np.concatenate(areas),
        "slices": np.array(slices, np.int64),
        "lengths": np.array(lengths, np.int64),
        "pixels": np.concatenate(pixels),
    }


def drawn(walls: Mapping[int, np.ndarray], z: int, plane: tuple[int, ...]) -> np.ndarray:
    """Return the walls of a slice, three pixels wide, shape `plane`, bool."""
    mask = np.zeros(plane, bool)
    if z in walls:
        mask.ravel()[walls[z]] = True
        # A line of single pixels is easily overlooked, and lost where contours are resized.
        mask = ndimage.binary_dilation(mask)
    return mask


def close_likely_gaps(
    current: Any, passes: Passes, skip: Sequence[int], stage: Stage, blocks: Sequence[Block]
) -> Steps[tuple[LazyArray, np.ndarray]]:
    """Close likely gaps after the network's last iteration.

    Slices in which some are closed pass the network once more, from what came of the last
    iteration instead of all that is held: it draws the new lines as it draws others, and with the
    gaps closed gives up loose ends beside them. Cells end at padding as they do at a contour.

    Parameters
    ----------
    current : array, shape (Z, Y, X), float
        What came of that iteration.
    passes : Passes
        With the number of this one.
    skip, stage, blocks
        As for `likely_walls`.

    Yields
    ------
    Progress
        Of this one iteration as a whole.

    Returns
    -------
    current : LazyArray, shape (Z, Y, X), float32
        What comes of it.
    flipped : ndarray, shape (Z,), int64
        Pixels of each slice whose rounded value changed.
    """
    params, shape = passes.params, current.shape
    united = passes.contours if params.unite else None
    ends = LazyArray(shape, bool, Ends(current, united, passes.padding))
    redraws = params.redraw and params.hold and params.tidy
    search = likely_walls(
        Evidence(ends, passes.start, current),
        params.least_gain,
        params.least_chance,
        stage,
        blocks,
        skip,
    )
    walls = yield from _part(search, 0.0, 0.5 if redraws else 0.9)
    target = stage.array("with-likely-gaps", shape, np.float32)
    shared = _Drawing(passes, walls, current, ends, target, redraws)
    drawing = over_blocks(stage, "walls", _draw, blocks, shared, "likely gaps")
    values = yield from _part(drawing, 0.5 if redraws else 0.9, 1.0)
    flipped = np.concatenate([one["flipped"] for one in values])
    return LazyArray(shape, np.float32, _Of(target)), flipped


@dataclass(frozen=True)
class _Drawing:
    passes: Passes
    walls: dict[int, np.ndarray]
    current: Any
    ends: Any
    target: Any
    redraws: bool


@dataclass(frozen=True)
class _Of:
    array: Any

    def __call__(self, z: int) -> np.ndarray:
        return np.asarray(self.array[z])


def _draw(block: tuple[int, ...], shared: _Drawing) -> Steps[Values]:
    """Draw the walls of a block of slices, and have the network redraw these slices."""
    passes, count = shared.passes, len(block)
    flipped = np.zeros(count, np.int64)
    shown: dict[int, np.ndarray] = {}
    for index, z in enumerate(block):
        before = np.asarray(shared.current[z])
        after = before
        if z in shared.walls:
            walls = drawn(shared.walls, z, before.shape) & ~np.asarray(shared.ends[z])
            after = np.where(walls, np.maximum(before, SURELY), before)
            if walls.any() and shared.redraws:
                shown[z] = np.where(walls, np.maximum(before, np.float32(WALL)), before)
        _put(shared, z, index, before, after, flipped)
        yield Progress("likely gaps", 0.1 * (index + 1), count, "slices")
    if not shown:
        return {"flipped": flipped}
    slices, before = list(shown), np.stack(list(shown.values()))
    passed = yield from _part(passes.passed(slices, before), 0.1 * count, count, count)
    held = held_back(before, passed)
    for number, z in enumerate(slices):
        after = tidied(passes, z, held[number], passed[number])
        _put(shared, z, block.index(z), np.asarray(shared.current[z]), after, flipped)
    return {"flipped": flipped}


def _put(
    shared: _Drawing,
    z: int,
    index: int,
    before: np.ndarray,
    after: np.ndarray,
    flipped: np.ndarray,
) -> None:
    passes = shared.passes
    shared.target[z] = after
    flips = passes.inside(z, is_contour(after) != is_contour(before))
    flipped[index] = np.count_nonzero(flips)
    if passes.kept is not None:
        passes.kept[z] = passes.inside(z, after).astype(np.float16)


def _part(work: Steps[Any], low: float, high: float, whole: float = 1.0) -> Steps[Any]:
    """Pass progress on as the part from `low` to `high` of a whole."""

    def change(progress: Progress) -> Progress:
        share = progress.done / progress.total if progress.total else 0.0
        done = low + (high - low) * share
        return Progress("likely gaps", done, whole, "slices", note=progress.note)

    return mapped(work, change)
