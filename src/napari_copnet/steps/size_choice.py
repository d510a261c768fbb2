"""Choose the size of slices for the networks, by trying sizes on a few slices; no truth is needed.

The size of the slices decides how wide membranes look to a network. If they are wider or thinner
than those it was trained on, it misses some, or takes the content of cells for membranes; no
setting of a run matters more. `size_measures` compares the sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import psutil

from napari_copnet.params import ClosingParams, ContourParams, PreprocessParams
from napari_copnet.plane_size import processed_plane
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.fixed_size import DEFAULT_SIZE
from napari_copnet.steps.given_contours import place_contours
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.steps.size_measures import Seen, measure_sizes, membrane_width
from napari_copnet.types import SizeChoice, Stack

# Longer sides, px: in steps of about √2, and multiples of what networks can halve repeatedly.
SIZES = (128, 192, 256, 384, 512, 768, 1024, 1536)
SLICES = 3
# Slices with shorter sides may be enlarged more: their membranes are hardly a pixel wide.
SMALL = 400
ENLARGED, SMALL_ENLARGED = 2.05, 3.1
# Slices are shrunk by this factor at most; beyond it, membranes disappear.
SHRUNK = 8
# Only this much of the centre of larger slices is used, so that no size takes long.
WINDOW = 768
# Memory that a run needs for each processed pixel of a stack, bytes.
BYTES = 48
# A single pass shows which gaps a network would close.
CHEAP: dict[str, Any] = {
    "max_iterations": 1,
    "likely_gaps": False,
    "keep_iterations": False,
    "mirror": False,
    # sizes are compared by all cells that show, as the measures were chosen
    "whole_lines": False,
}


def sizes_worth_a_try(shape: Sequence[int], free: int | None = None) -> list[int]:
    """Return the sizes to try for a stack.

    Parameters
    ----------
    shape : sequence of int
        (Z, Y, X).
    free : int, optional
        Memory that may be used, bytes; by default the free memory of the machine.

    Returns
    -------
    list of int
        Those of `SIZES` to try (longer in-plane sides, px); may be empty.
    """
    longer = max(shape[1:])
    most = longer * (SMALL_ENLARGED if longer < SMALL else ENLARGED)
    free = int(psutil.virtual_memory().available) if free is None else free

    def fits(size: int) -> bool:
        height, width = processed_plane(tuple(shape[1:]), size)
        return shape[0] * height * width * BYTES <= max(free, 0)

    # The default size and smaller ones are always allowed.
    return [
        size
        for size in SIZES
        if longer / SHRUNK <= size <= most and (size <= DEFAULT_SIZE or fits(size))
    ]


def spread_slices(stack: Stack, count: int = SLICES) -> tuple[int, ...]:
    """Return slices spread through a stack, each in the middle of its part, without blank ones.

    Parameters
    ----------
    stack : Stack
    count : int

    Returns
    -------
    tuple of int
        Fewer than `count` if too few slices have content.
    """
    depth = stack.shape[0]
    count = min(count, depth)
    chosen: list[int] = []
    for part in range(count):
        low, high = part * depth // count, (part + 1) * depth // count
        middle = (2 * part + 1) * depth // (2 * count)
        nearest = sorted(range(low, high), key=lambda z: abs(z - middle))
        chosen += [z for z in nearest if not _shows_nothing(stack.data[z])][:1]
    return tuple(chosen)


def choose_size(
    stack: Stack,
    params: PreprocessParams,
    contours: ContourParams,
    closing: ClosingParams,
    network: Callable[[str], Any],
    given: Any = None,
) -> Steps[SizeChoice]:
    """Take a few slices through Step 1 and one closing pass at several sizes; choose one of them.

    Parameters
    ----------
    stack : Stack
    params, contours, closing : PreprocessParams, ContourParams, ClosingParams
        Settings of the run; slices are not aligned.
    network : callable
        Returns the loaded network of ``"contours"`` or ``"closing"``.
    given : array, shape (Z, Y, X), float32, optional
        Contour probability in place of Step 1; see `given_contours`.

    Yields
    ------
    Progress
        Counted in sizes; the note of the last gives the reason.

    Returns
    -------
    SizeChoice
    """
    sizes = sizes_worth_a_try(stack.shape)
    slices = spread_slices(stack)
    why = _why_not(stack, sizes, slices, network if given is None else None)
    if why:
        yield Progress("sizes", 1, 1, "sizes", why)
        return SizeChoice(DEFAULT_SIZE, why)
    yield Progress(
        "sizes",
        0,
        len(sizes),
        "sizes",
        f"Finding the best size for the networks: {_slices_in_words(slices)} "
        f"at {', '.join(map(str, sizes))} px.",
    )
    cheap = replace(closing, **CHEAP)
    quick = replace(contours, mirror=False)
    found: list[list[Seen]] = []
    for number, size in enumerate(sizes):
        found.append([])
        for index, z in enumerate(slices):
            one = replace(params, size=size, align=False)
            work = _seen(stack, z, one, quick, cheap, network, given)
            while True:
                try:
                    next(work)
                except StopIteration as end:
                    found[-1].append(end.value)
                    break
                yield Progress("sizes", number + index / len(slices), len(sizes), "sizes")
        yield Progress("sizes", number + 1, len(sizes), "sizes")
    tried = measure_sizes(sizes, found)
    choice = chosen_size(tried, slices)
    yield Progress("sizes", len(sizes), len(sizes), "sizes", choice.reason)
    return choice


def chosen_size(tried: Sequence[dict[str, float]], slices: Sequence[int]) -> SizeChoice:
    """Return the choice of the size with the best score, and why it is the best.

    Parameters
    ----------
    tried : sequence of dict
        From `size_measures.measure_sizes`.
    slices : sequence of int
    """
    best = max(tried, key=lambda one: one["score"])
    size = int(best["size"])
    wide = f", and membranes are {best['membrane']:.1f} px wide" if "membrane" in best else ""
    reason = (
        f"Size {size} px, chosen from {', '.join(str(int(one['size'])) for one in tried)}: "
        f"{best['steady']:.0f} cells per slice are found at the next smaller size too, "
        f"{best['parting']:.0%} of the contour length separates cells{wide}. "
        "Use Size to set another."
    )
    return SizeChoice(size, reason, tuple(slices), tuple(tried))


def _slices_in_words(slices: Sequence[int]) -> str:
    """Return their numbers as people count them."""
    numbers = ", ".join(str(z + 1) for z in slices)
    return f"slice{'s' if len(slices) > 1 else ''} {numbers}"


def _why_not(
    stack: Stack,
    sizes: list[int],
    slices: tuple[int, ...],
    network: Callable[[str], Any] | None,
) -> str:
    """Return why sizes can't be tried, or an empty text."""
    default = f"size {DEFAULT_SIZE} px is used."
    if len(sizes) < 2:
        return f"Slices of {max(stack.shape[1:])} px are too small to try sizes on: {default}"
    if not slices:
        return f"There is no slice to try sizes on: {default}"
    if network is not None and getattr(network("contours").plan, "dimensions", 2) == 3:
        return f"Sizes are tried on single slices, but the contour model needs stacks: {default}"
    return ""


def _seen(
    stack: Stack,
    z: int,
    params: PreprocessParams,
    contours: ContourParams,
    closing: ClosingParams,
    network: Callable[[str], Any],
    given: Any,
) -> Steps[Seen]:
    """Run both networks, or closing on what is given, on the centre of one slice."""
    one = replace(stack, data=np.asarray(stack.data[z : z + 1]), source=None)
    ready = yield from preprocess(one, params)
    plane = ready.data.shape[1:]
    box = (slice(None), *map(middle, plane))
    padding = None if ready.padding is None else ready.padding[box]
    image, out = ready.data[box], ready.margin[box]
    if padding is not None:
        out = out | padding
    if given is None:
        first = network("contours")
        probability = yield from predict_contours(image, first, contours, padding=padding)
    else:
        placed = yield from place_contours(np.asarray(given[z])[None], ready)
        probability = placed[box]
    closed = yield from close(probability, network("closing"), closing, padding=padding)
    share = tuple(seen / side for seen, side in zip(image.shape[1:], plane, strict=True))
    width = membrane_width(np.asarray(image[0]), probability[0])
    return Seen(probability[0], closed.mask[0] > 0, out[0], share, width)


def middle(side: int) -> slice:
    """Return the part of a side that is used, px."""
    start = max(0, (side - WINDOW) // 2)
    return slice(start, start + min(side, WINDOW))


def _shows_nothing(image: Any) -> bool:
    values = np.asarray(image)
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return finite.size == 0 or bool(finite.min() == finite.max())
