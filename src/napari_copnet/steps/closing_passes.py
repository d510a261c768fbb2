"""What an iteration of closing does to a block of slices; `closing.close` says what it means."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_copnet.params import ClosingParams
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.steps.parting import parting_lines
from napari_copnet.store.stage import Values
from napari_copnet.types import CONTOUR_ABOVE, is_contour

# Contour in half precision too, in which iterations are kept.
SURELY = np.float32(0.501)
# Most slices converge within so many iterations; who adds later has to be surer.
EARLY = 3
# What is added stays so near to lines that part cells; gaps of up to twice the first are no gaps.
BRIDGE, REACH = 3.0, 2
# Tidying takes little of a pass's time.
_TIDYING = 0.05


@dataclass(frozen=True)
class Passes:
    """What the passes of all blocks need. Arrays have the shape (Z, Y, X).

    Attributes
    ----------
    network : Network, or a callable that returns one
    params : ClosingParams
    context : int
        Slices on either side that the network sees besides.
    contours : array, float
        Step 1 as it was given.
    padding : array, bool, or None
    start : array, float32
        u⁰: Step 1 as the network sees it.
    seen : tuple of array, float32
        uᵏ of even and of odd k, so that a pass never writes what it reads.
    result : array, float32
        rᵏ of each slice's last iteration.
    number : int
        Which iteration it is.
    kept : array, float16, or None
        Where rᵏ is kept.
    """

    network: Any
    params: ClosingParams
    context: int
    contours: Any
    padding: Any
    start: Any
    seen: tuple[Any, ...]
    result: Any
    number: int = 0
    kept: Any = None

    def inside(self, z: int, values: np.ndarray) -> np.ndarray:
        """Return values of a slice with 0 in its padding."""
        if self.padding is None:
            return values
        return np.where(np.asarray(self.padding[z]), values.dtype.type(0), values)

    def before(self, z: int) -> np.ndarray:
        """Return what the network sees of a slice in this iteration."""
        if self.number == 1:
            return np.asarray(self.start[z])
        return np.asarray(self.seen[(self.number - 1) % 2][z])

    def images(self, slices: Sequence[int], middle: np.ndarray) -> np.ndarray:
        """Return slices with their neighbours as channels, shape (N, 2 context + 1, Y, X).

        Neighbours are those of Step 1, so that slices converge each on its own; beyond the ends
        the first and last slices repeat.
        """
        images = np.empty((len(slices), 2 * self.context + 1, *middle.shape[1:]), np.float32)
        last = self.start.shape[0] - 1
        for index, z in enumerate(slices):
            for channel in range(images.shape[1]):
                at = min(max(z + channel - self.context, 0), last)
                own = channel == self.context
                images[index, channel] = middle[index] if own else self.start[at]
        return images

    def passed(self, slices: Sequence[int], before: np.ndarray) -> Steps[np.ndarray]:
        """Pass slices (N, Y, X) through the network; without what it is not sure enough to add."""
        network = self.network if hasattr(self.network, "predict") else self.network()
        images = self.images(slices, before)
        work = network.predict(images, mirror=self.params.mirror, batch=self.params.batch)
        with contextlib.closing(work):
            passed = yield from work
        return firm(before, passed, self.number, self.params.firmer)


def do_pass(block: tuple[int, ...], passes: Passes) -> Steps[Values]:
    """Pass a block of slices through the network once; return how many pixels flipped in each."""
    params, count = passes.params, len(block)
    tidies = params.hold and params.tidy
    before = np.stack([passes.before(z) for z in block])
    share = 1 - _TIDYING if tidies else 1.0
    passed = yield from mapped(
        passes.passed(block, before),
        lambda told: replace(told, done=share * told.done, total=count, partial=None),
    )
    held = held_back(before, passed) if params.hold else passed
    flipped = np.zeros(count, np.int64)
    for index, z in enumerate(block):
        flips = is_contour(held[index]) != is_contour(before[index])
        flipped[index] = np.count_nonzero(passes.inside(z, flips))
        passes.seen[passes.number % 2][z] = held[index]
        result = held[index]
        if tidies:
            result = tidied(passes, z, held[index], passed[index])
            done = count * (1 - _TIDYING) + _TIDYING * (index + 1)
            yield Progress("closing", done, count, "slices")
        passes.result[z] = result
        if passes.kept is not None:
            passes.kept[z] = passes.inside(z, result).astype(np.float16)
    return {"flipped": flipped}


def make_start(block: tuple[int, ...], arrays: tuple[Any, Any]) -> Steps[Values]:
    """Copy slices from an array to another."""
    source, target = arrays
    for index, z in enumerate(block):
        target[z] = source[z]
        yield Progress("closing", index + 1, len(block), "slices")
    return {}


def make_mask(block: tuple[int, ...], arrays: tuple[Any, Any, Any, Any]) -> Steps[Values]:
    """Round slices, unite them with Step 1 if it is given, and clear padding."""
    current, united, padding, mask = arrays
    for index, z in enumerate(block):
        contour = is_contour(current[z])
        if united is not None:
            contour |= is_contour(united[z])
        if padding is not None:
            contour &= ~np.asarray(padding[z])
        mask[z] = contour.astype(np.uint8)
        yield Progress("closing", index + 1, len(block), "slices")
    return {}


def firm(before: np.ndarray, passed: np.ndarray, number: int, firmer: float) -> np.ndarray:
    """Return what the network made of slices (N, Y, X), without what it is not sure enough to add.

    From iteration `EARLY` + 1 on a pixel that was no contour has to pass a probability that rises
    by `firmer` in each: what the network doubts for so long it adds where nothing is missing.
    """
    needed = min(CONTOUR_ABOVE + firmer * max(number - EARLY, 0), 1.0)
    if needed <= CONTOUR_ABOVE:
        return passed
    doubtful = ~is_contour(before) & is_contour(passed) & (passed <= needed)
    return np.where(doubtful, np.float32(CONTOUR_ABOVE), passed)


def held_back(before: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Return what the network made of slices (N, Y, X), but where they were contour no less."""
    return np.where(is_contour(before), np.maximum(before, passed), passed)


def tidied(passes: Passes, z: int, held: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Return what the network made of a slice (Y, X), and contour on lines that part cells.

    Such lines are looked for in all that is held or was in Step 1, down to a probability of
    ``params.faint``. With ``params.whole_lines``, what is neither contour in Step 1 nor near a line
    that parts cells, or would but for a small gap, is no contour: loose ends, and what makes lines
    thicker.
    """
    lines = parting_lines(np.maximum(passes.start[z], held) > passes.params.faint)
    result = np.where(lines, np.maximum(held, SURELY), passed)
    if not passes.params.whole_lines:
        return result
    first = is_contour(passes.contours[z])
    contour = is_contour(result)
    near = parting_lines(contour | first, bridge=BRIDGE, reach=REACH)
    return np.where(contour & ~first & ~near, np.float32(CONTOUR_ABOVE), result)
