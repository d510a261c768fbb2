"""Step 2, COp-Net: apply the closing network again and again until nearly nothing changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.errors import InputError, ModelError
from napari_copnet.padding.fill import fill_mirrored
from napari_copnet.padding.mask import broadcast
from napari_copnet.params import ClosingParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.certainty import Certainty, certainty
from napari_copnet.steps.likely_gaps import close_likely_gaps
from napari_copnet.steps.parting import parting_lines
from napari_copnet.types import CONTOUR_ABOVE, Closing, Iteration, is_contour

# Contour in half precision too, in which iterations are kept.
SURELY = np.float32(0.501)
# How sure of a likely gap's wall the network is told to be.
WALL = 0.9
# Most slices converge within so many iterations; who adds later has to be surer.
EARLY = 3
# A whole iteration is counted once it can be handed out.
NEARLY = 0.999


def close(
    contours: np.ndarray,
    network: Any,
    params: ClosingParams = ClosingParams(),
    *,
    skip: tuple[int, ...] = (),
    padding: np.ndarray | None = None,
) -> Steps[Closing]:
    """Close the gaps of contours (Robert et al. 2024, COp-Net).

    With u⁰ the Step 1 probability and N the closing network, uᵏ⁺¹ = N(uᵏ) slice by slice. With
    ``params.match_certainty`` u⁰ is σ(a logit p + b) instead of the probability p itself. The a and
    b, the same for the whole stack, bring its lines to the certainty of maps that the network was
    trained on; they are 1 and 0 where it has it (`certainty.certainty`). With
    ``params.hold``, which the paper has not, uᵏ⁺¹ = max(uᵏ, N(uᵏ)) where uᵏ is contour (> 0.5): a
    closed gap stays closed, as in closings of mathematical morphology, which only add. After
    `EARLY` iterations N(uᵏ) counts as contour where uᵏ is none only above
    0.5 + (k + 1 - `EARLY`) ``params.firmer``. What comes
    of an iteration is rᵏ = uᵏ; with ``params.tidy`` instead N(uᵏ⁻¹), raised above 0.5 on the lines
    that part cells (`parting.parting_lines`) of all that is above ``params.faint`` in uᵏ or u⁰:
    loose ends that the network gave up and too thick lines go, though they are held, and faint
    lines count where they are whole. A slice has converged, and takes no further part,
    when the share of its pixels whose round(uᵏ) changed is under ``params.tolerance``; the work
    ends when that share of all pixels of the stack is under it, or after
    ``params.max_iterations``. With ``params.likely_gaps`` one more iteration closes gaps that the
    shapes of cells and the slices around give away (`boundaries.gap_classifier`), and with
    ``params.redraw`` has the network draw these slices once more. The mask is round(rᵏ), united
    with round(u⁰) when ``params.unite``.

    Parameters
    ----------
    contours : ndarray, shape (Z, Y, X), float
        Step 1 probability, 0 to 1.
    network : networks.nnunet.Network
        The 2D closing network; anything with its ``predict`` does. With 2 c + 1 channels it sees
        the Step 1 maps of c slices on either side besides.
    params : ClosingParams
        Tolerance, iterations, union, mirroring, batch.
    skip : tuple of int
        Blank slices: they count as converged and keep their values.
    padding : ndarray, shape (Y, X) or (Z, Y, X), bool, optional
        Pixels without cells. The network sees neighbouring contours mirrored there, so that lines
        do not end at its edge. Results are 0 there, and the shares of changed pixels refer to all
        other pixels.

    Yields
    ------
    Progress
        In iterations, with fractions after each slice. At the end of an iteration `partial` is an
        `Iteration`. Who closes the generator within iteration k has all of k − 1.

    Returns
    -------
    Closing

    Raises
    ------
    InputError
        Not three axes, values that are not probabilities (the slices are named), or padding of
        another shape.
    ModelError
        The network is a 3D one or takes an even number of channels.
    """
    given = _checked(contours)
    padding = broadcast(padding, given.shape)
    if padding is not None:
        given = np.stack([fill_mirrored(u, out) for u, out in zip(given, padding, strict=True)])
    inside = _Inside(padding, given.shape)
    plan = getattr(network, "plan", None)
    if plan is not None and plan.dimensions != 2:
        raise ModelError(
            "Closing needs a 2D network, and this one is 3D.", "Choose another closing model."
        )
    context = _context(plan)
    known = certainty(given, skip) if params.match_certainty else Certainty()
    start = known.of(given)
    depth = len(start)
    # uᵏ, which the network sees next, and rᵏ, what comes of an iteration.
    seen = current = start.copy()
    converged = np.zeros(depth, bool)
    converged[[z for z in skip if 0 <= z < depth]] = True
    counts = np.zeros(depth, np.int64)
    history: list[np.ndarray] = []
    kept = [inside.of(given).astype(np.float16)] if params.keep_iterations else []
    number, most = 0, params.max_iterations
    settled = bool(converged.all())
    while number < most and not settled:
        number += 1
        active = np.flatnonzero(~converged)
        images = _with_neighbours(seen, start, active, context)
        work = network.predict(images, mirror=params.mirror, batch=params.batch)
        try:
            passed = yield from _within(work, number, most)
        finally:
            work.close()
        changed_by_slice = np.full(depth, np.nan)
        before = seen[active]
        passed = _firm(before, passed, number, params.firmer)
        held = _held(before, passed) if params.hold else passed
        flipped = is_contour(held) != is_contour(before)
        changed_by_slice[active] = inside.shares(flipped, active)
        # New arrays, so that an iteration handed out does not change afterwards.
        seen = seen.copy()
        seen[active] = held
        if params.hold and params.tidy:
            current = current.copy()
            for index, z in enumerate(active):
                current[z] = _tidied(start[z], held[index], passed[index], params.faint)
                yield Progress("closing", number - 1 + NEARLY, most, "iterations")
        else:
            current = seen
        counts[active] += 1
        converged[active] = changed_by_slice[active] < params.tolerance
        history.append(changed_by_slice)
        if params.keep_iterations:
            kept.append(inside.of(current).astype(np.float16))
        share = inside.share(changed_by_slice)
        settled = bool(converged.all()) or share < params.tolerance
        partial = Iteration(number, inside.of(current), share, changed_by_slice)
        total = number if settled else most
        yield Progress("closing", number, total, "iterations", partial=partial)
    closes = False
    if number and params.likely_gaps:
        before = current
        current = yield from _likely(current, given, start, network, params, skip, number, padding)
        number += 1
        flipped = inside.of(is_contour(current) != is_contour(before))
        closes = bool(flipped.any())
        if closes:
            changed_by_slice = inside.shares(flipped, np.arange(depth))
            history.append(changed_by_slice)
            if params.keep_iterations:
                kept.append(inside.of(current).astype(np.float16))
            share = inside.share(changed_by_slice)
            partial = Iteration(
                number, inside.of(current), share, changed_by_slice, likely_gaps=True
            )
            yield Progress("closing", number, number, "iterations", partial=partial)
        else:
            yield Progress("closing", number, number, "iterations")
    current, given = inside.of(current), inside.of(given)
    mask = is_contour(current)
    by_slice = np.array(history).reshape(-1, depth)
    return Closing(
        mask=(mask | is_contour(given) if params.unite else mask).astype(np.uint8),
        probability=current,
        changed=np.array([inside.share(one) for one in by_slice]),
        changed_by_slice=by_slice,
        iterations_by_slice=counts,
        converged=converged,
        iterations=np.stack(kept) if kept else None,
        settled=settled,
        likely_gaps=closes,
        certainty=known.as_dict(),
    )


class _Inside:
    """The pixels of a stack that are not padding.

    Parameters
    ----------
    padding : ndarray, shape (Z, Y, X), bool, or None
    shape : tuple of int
        (Z, Y, X).
    """

    def __init__(self, padding: np.ndarray | None, shape: tuple[int, ...]) -> None:
        self._padding = padding
        whole = shape[1] * shape[2]
        out = np.zeros(shape[0]) if padding is None else padding.sum(axis=(1, 2))
        # At least one, for slices that are nothing but padding.
        self._pixels = np.maximum(whole - out, 1).astype(np.int64)
        self._weights = self._pixels / whole

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return values (Z, Y, X) with 0 in padding; the same array if there is none."""
        if self._padding is None:
            return values
        return np.where(self._padding, values.dtype.type(0), values)

    def shares(self, flipped: np.ndarray, slices: np.ndarray) -> np.ndarray:
        """Return the share of flipped pixels (N, Y, X) in each of N slices."""
        if self._padding is not None:
            flipped = flipped & ~self._padding[slices]
        return flipped.sum(axis=(1, 2)) / self._pixels[slices]

    def share(self, by_slice: np.ndarray) -> float:
        """Return the share in the whole stack; slices without a number (NaN) count as 0."""
        return float(np.nansum(by_slice * self._weights)) / float(self._weights.sum())


def _context(plan: Any) -> int:
    """Return how many slices on either side a network sees besides the one that it closes."""
    channels = getattr(plan, "in_channels", 1)
    if channels % 2 == 0:
        raise ModelError(
            f"Closing needs a network with an odd number of channels, and this one takes "
            f"{channels}.",
            "Choose another closing model.",
        )
    return channels // 2


def _with_neighbours(
    seen: np.ndarray, start: np.ndarray, slices: np.ndarray, context: int
) -> np.ndarray:
    """Return slices with their neighbours as channels, shape (N, 2 context + 1, Y, X).

    Neighbours are those of Step 1, so that slices converge each on its own; beyond the ends the
    first and last slices repeat.
    """
    images = np.empty((len(slices), 2 * context + 1, *seen.shape[1:]), np.float32)
    for channel in range(2 * context + 1):
        of = start if channel != context else seen
        images[:, channel] = of[np.clip(slices + channel - context, 0, len(seen) - 1)]
    return images


def _firm(before: np.ndarray, passed: np.ndarray, number: int, firmer: float) -> np.ndarray:
    """Return what the network made of slices (Z, Y, X), without what it is not sure enough to add.

    From iteration `EARLY` + 1 on a pixel that was no contour has to pass a probability that rises
    by `firmer` in each: what the network doubts for so long it adds where nothing is missing.
    """
    needed = min(CONTOUR_ABOVE + firmer * max(number - EARLY, 0), 1.0)
    doubtful = ~is_contour(before) & is_contour(passed) & (passed <= needed)
    if needed <= CONTOUR_ABOVE:
        return passed
    return np.where(doubtful, np.float32(CONTOUR_ABOVE), passed)


def _held(before: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Return what the network made of slices (Z, Y, X), but where they were contour no less."""
    return np.where(is_contour(before), np.maximum(before, passed), passed)


def _tidied(start: np.ndarray, held: np.ndarray, passed: np.ndarray, faint: float) -> np.ndarray:
    """Return what the network made of a slice (Y, X), and contour on lines that part cells.

    Such lines are looked for in all that is held or was in Step 1, down to a probability `faint`.
    """
    lines = parting_lines(np.maximum(start, held) > faint)
    return np.where(lines, np.maximum(held, SURELY), passed)


def _likely(
    current: np.ndarray,
    given: np.ndarray,
    start: np.ndarray,
    network: Any,
    params: ClosingParams,
    skip: tuple[int, ...],
    number: int,
    padding: np.ndarray | None,
) -> Steps[np.ndarray]:
    """Close likely gaps after iteration `number`; return what comes of it, (Z, Y, X).

    Slices in which some are closed pass the network once more, from what came of the last
    iteration instead of all that is held: it draws the new lines as it draws others, and with the
    gaps closed gives up loose ends beside them. Cells end at padding as they do at a contour.
    Progress is that of one iteration.
    """
    contour = is_contour(current)
    if params.unite:
        contour |= is_contour(given)
    least = params.least_gain, params.least_chance
    redraws = params.redraw and params.hold and params.tidy
    half = 0.5 if redraws else 1.0
    ends = contour if padding is None else contour | padding
    search = close_likely_gaps(ends, start, current, *least, skip)
    walls = yield from _within(search, number + 1, number + 1, (0.0, half))
    if padding is not None:
        walls &= ~padding
    walls &= ~contour
    closed = np.where(walls, np.maximum(current, SURELY), current)
    slices = np.flatnonzero(walls.any(axis=(1, 2)))
    if not (redraws and slices.size):
        return closed
    shown = np.where(walls, np.maximum(current, np.float32(WALL)), current)
    images = _with_neighbours(shown, start, slices, _context(getattr(network, "plan", None)))
    work = network.predict(images, mirror=params.mirror, batch=params.batch)
    try:
        passed = yield from _within(work, number + 1, number + 1, (half, 1.0))
    finally:
        work.close()
    before = shown[slices]
    passed = _firm(before, passed, number + 1, params.firmer)
    held = _held(before, passed)
    for index, z in enumerate(slices):
        closed[z] = _tidied(start[z], held[index], passed[index], params.faint)
        yield Progress("closing", number + NEARLY, number + 1, "iterations")
    return closed


def _within(
    work: Steps[np.ndarray], number: int, most: int, part: tuple[float, float] = (0.0, 1.0)
) -> Steps[np.ndarray]:
    """Pass progress on as a fraction of iteration `number`, or of a part of it."""
    low, high = part
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value
        fraction = progress.done / progress.total if progress.total else 0.0
        done = number - 1 + min(low + (high - low) * fraction, NEARLY)
        yield Progress("closing", done, most, "iterations", note=progress.note)


def _checked(contours: np.ndarray) -> np.ndarray:
    contours = np.asarray(contours)
    if contours.ndim != 3 or 0 in contours.shape:
        raise InputError(
            f"Closing needs contours with axes (Z, Y, X), not an array of shape {contours.shape}.",
            "Give the contour probability of a stack.",
        )
    # NaN fails both comparisons.
    bad = [z for z, u in enumerate(contours) if not (u.min() >= 0 and u.max() <= 1)]
    if bad:
        raise InputError(
            f"Contours are probabilities from 0 to 1, but slice {', '.join(map(str, bad[:10]))} "
            f"{'is' if len(bad) == 1 else 'are'} not.",
            "Divide a mask of 255 by 255; for grey values predict contours first.",
        )
    return contours.astype(np.float32)
