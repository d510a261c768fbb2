"""Step 2: close the gaps of contours by applying the closing network again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from napari_copnet.errors import InputError, ModelError
from napari_copnet.lazy_array import LazyArray
from napari_copnet.padding.mask import broadcast
from napari_copnet.params import ClosingParams
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.steps.certainty import Certainty, certainty
from napari_copnet.steps.closing_passes import Passes, do_pass, make_mask, make_start
from napari_copnet.steps.closing_views import Now, OfIteration
from napari_copnet.steps.likely_gaps import close_likely_gaps
from napari_copnet.steps.slice_views import Cleared, Start
from napari_copnet.steps.threshold import stack_at_threshold
from napari_copnet.store.blocks import block_length, blocks_of, once, over_blocks
from napari_copnet.store.memory import MemoryStage
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import CONTOUR_ABOVE, Closing, Iteration

# A whole iteration is counted once it can be handed out.
NEARLY = 0.999


def close(
    contours: Any,
    network: Any,
    params: ClosingParams = ClosingParams(),
    *,
    skip: tuple[int, ...] = (),
    padding: Any = None,
    threshold: float = CONTOUR_ABOVE,
    stage: Stage | None = None,
    block: int = 0,
) -> Steps[Closing]:
    """Close the gaps of contours (Robert et al. 2024, COp-Net).

    With u⁰ the Step 1 probability and N the closing network, uᵏ⁺¹ = N(uᵏ), slice by slice, with
    these changes:

    - ``params.match_certainty``: u⁰ is σ(a logit p + b) instead of the probability p itself. The
      same a and b for the whole stack bring its lines to the certainty of the maps that the network
      was trained on; they are 1 and 0 if it is certain enough (`certainty.certainty`).
    - ``params.hold`` (not in the paper): uᵏ⁺¹ = max(uᵏ, N(uᵏ)) where uᵏ is contour (> 0.5). A
      closed gap stays closed, as in a morphological closing, which only adds.
    - ``params.firmer`` (not in the paper): after three iterations, new contour needs a probability
      N(uᵏ) above 0.5 + (k - 2) ``params.firmer``.
    - ``params.tidy`` (not in the paper): the result of an iteration is not rᵏ = uᵏ, but N(uᵏ⁻¹),
      raised above 0.5 on those lines that separate cells (`parting.parting_lines`), of all lines
      above ``params.faint`` in uᵏ or u⁰. Held lines that are loose ends or too thick disappear, and
      faint lines are added where they are complete.
    - ``params.whole_lines`` (not in the paper): when lines are tidied, of what is added to the
      contour of Step 1 only pixels within two of a line that separates cells, or would but for a
      gap of 6 px, stay above 0.5.

    A slice has converged, and takes no further part, when the share of its pixels whose round(uᵏ)
    changed is under ``params.tolerance``. The work ends when that share of all pixels of the stack
    is under it, or after ``params.max_iterations``. With ``params.likely_gaps`` one more iteration
    closes gaps that the shapes of cells and the neighbouring slices suggest
    (`boundaries.gap_classifier`), and with ``params.redraw`` these slices pass through the network
    once more. The mask is round(rᵏ), united with round(u⁰) if ``params.unite``.

    Parameters
    ----------
    contours : array, shape (Z, Y, X), float
        Step 1 probability, 0 to 1. May be lazy.
    network : networks.nnunet.Network
        The 2D closing network, or any object with its ``predict``. With 2 c + 1 channels it also
        sees the Step 1 maps of c slices on either side. Or a callable that returns it, with its
        ``plan``, which other processes can use.
    params : ClosingParams
        Tolerance, iterations, union, mirroring, batch.
    skip : tuple of int
        Blank slices: they count as converged and keep their values.
    padding : array, shape (Y, X) or (Z, Y, X), bool, optional
        Pixels without cells. The network sees neighbouring contours mirrored there, so that lines
        do not end at its edge. Results are 0 there, and the shares of changed pixels refer to all
        other pixels.
    threshold : float
        To which contours were moved by `threshold.at_threshold`: their certainty is that of the map
        before, or matching it would take the threshold back.
    stage : Stage, optional
        Where arrays of the size of the stack lie; in memory by default.
    block : int
        Slices at once; 0 chooses. Results do not depend on it.

    Yields
    ------
    Progress
        In iterations, with fractions after each slice. At the end of an iteration `partial` is an
        `Iteration`. If the generator is closed within iteration k, all of iteration k − 1 is there.

    Returns
    -------
    Closing
        Its arrays are lazy unless the stage is in memory.

    Raises
    ------
    InputError
        Not three axes, values that are not probabilities (the slices are named), or padding of
        another shape.
    ModelError
        The network is a 3D one or takes an even number of channels.
    """
    stage = stage or MemoryStage()
    contours = contours if hasattr(contours, "shape") else np.asarray(contours)
    yield from once(stage, "checked", _checked(contours))
    depth, height, width = (int(n) for n in contours.shape)
    shape = depth, height, width
    padding = broadcast(padding, shape)
    plan = getattr(network, "plan", None)
    if plan is not None and plan.dimensions != 2:
        raise ModelError(
            "Closing needs a 2D network, and this one is 3D.", "Choose another closing model."
        )
    length = block or block_length(shape[1:])
    every = blocks_of(range(depth), length)
    known = yield from _certainty(stage, contours, padding, params, skip, threshold)
    passes = Passes(
        network=network,
        params=params,
        context=_context(plan),
        contours=contours,
        padding=padding,
        start=contours,
        seen=tuple(stage.array(f"seen-{one}", shape, np.float32) for one in (0, 1)),
        result=stage.array("result", shape, np.float32),
    )
    if padding is not None or known.changes or contours.dtype != np.float32:
        made = stage.array("start", shape, np.float32)
        source = LazyArray(shape, np.float32, Start(contours, padding, known))
        yield from _quiet(over_blocks(stage, "start", make_start, every, (source, made), "closing"))
        passes = replace(passes, start=made)
    pixels = yield from _pixels(stage, padding, shape)
    converged = np.zeros(depth, bool)
    converged[[z for z in skip if 0 <= z < depth]] = True
    counts = np.zeros(depth, np.int64)
    history: list[np.ndarray] = []
    kept: list[Any] = []
    number, most = 0, params.max_iterations
    settled = bool(converged.all())
    while number < most and not settled:
        number += 1
        active = np.flatnonzero(~converged)
        kept += _iteration_array(stage, params, len(kept), shape)
        now = replace(passes, number=number, kept=kept[-1] if kept else None)
        done = over_blocks(
            stage, f"pass-{number}", do_pass, blocks_of(active, length), now, "closing"
        )
        values = yield from _within(done, number, most)
        flipped = np.concatenate([one["flipped"] for one in values])
        changed_by_slice = np.full(depth, np.nan)
        changed_by_slice[active] = flipped / pixels[active]
        counts[active] += 1
        converged[active] = changed_by_slice[active] < params.tolerance
        history.append(changed_by_slice)
        share = _share(changed_by_slice, pixels)
        settled = bool(converged.all()) or share < params.tolerance
        shown = _handed_out(stage, passes, counts)
        partial = Iteration(number, shown, share, changed_by_slice)
        total = number if settled else most
        yield Progress("closing", number, total, "iterations", partial=partial)
    current = LazyArray(shape, np.float32, Now(passes.start, passes.result, tuple(counts)))
    closes = False
    if number and params.likely_gaps:
        number += 1
        kept += _iteration_array(stage, params, len(kept), shape)
        now = replace(passes, number=number, kept=kept[-1] if kept else None)
        search = close_likely_gaps(current, now, skip, stage, every)
        current, flipped = yield from _within(search, number, number)
        closes = bool(flipped.any())
        if closes:
            changed_by_slice = flipped / pixels
            history.append(changed_by_slice)
            share = _share(changed_by_slice, pixels)
            shown = _probability(stage, current, padding)
            partial = Iteration(number, shown, share, changed_by_slice, likely_gaps=True)
            yield Progress("closing", number, number, "iterations", partial=partial)
        else:
            kept = kept[:-1]
            yield Progress("closing", number, number, "iterations")
    mask = stage.array("mask", shape, np.uint8)
    united = contours if params.unite else None
    masked = over_blocks(
        stage, "mask", make_mask, every, (current, united, padding, mask), "closing"
    )
    yield from _quiet(masked)
    by_slice = np.array(history).reshape(-1, depth)
    iterations: Any = None
    if params.keep_iterations:
        first = LazyArray(shape, np.float16, Cleared(contours, padding, np.float16))
        whole = tuple(kept[: len(history)])
        iterations = LazyArray(
            (len(history) + 1, *shape),
            np.float16,
            OfIteration(first, whole, tuple(counts), closes),
        )
        iterations = np.asarray(iterations) if stage.in_memory else iterations
    probability = _probability(stage, current, padding)
    stage.drop("seen-0", "seen-1")
    return Closing(
        mask=mask,
        probability=probability,
        changed=np.array([_share(one, pixels) for one in by_slice]),
        changed_by_slice=by_slice,
        iterations_by_slice=counts,
        converged=converged,
        iterations=iterations,
        settled=settled,
        likely_gaps=closes,
        certainty=known.as_dict(),
    )


def _certainty(
    stage: Stage,
    contours: Any,
    padding: Any,
    params: ClosingParams,
    skip: tuple[int, ...],
    threshold: float,
) -> Steps[Certainty]:
    """Measure the certainty of a map, once."""
    if not params.match_certainty:
        return Certainty()

    def measure() -> Steps[Values]:
        yield from ()
        shape = tuple(contours.shape)
        before = stack_at_threshold(contours, 1 - threshold)
        given = LazyArray(shape, np.float32, Start(before, padding, Certainty()))
        return {
            name: np.array(np.nan if value is None else value)
            for name, value in vars(certainty(given, skip)).items()
        }

    values = yield from once(stage, "certainty", measure())
    found = {name: float(value) for name, value in values.items()}
    return Certainty(
        found["gain"],
        found["offset"],
        *(None if np.isnan(found[name]) else found[name] for name in ("line", "edge")),
    )


def _pixels(stage: Stage, padding: Any, shape: tuple[int, int, int]) -> Steps[np.ndarray]:
    """Return how many pixels of each slice are not padding; at least one."""
    whole = shape[1] * shape[2]

    def count() -> Steps[Values]:
        yield from ()
        out = [0 if padding is None else np.count_nonzero(padding[z]) for z in range(shape[0])]
        return {"pixels": np.maximum(whole - np.array(out), 1)}

    values = yield from once(stage, "pixels", count())
    return values["pixels"]


def _share(by_slice: np.ndarray, pixels: np.ndarray) -> float:
    """Return the share in the whole stack; slices without a number (NaN) count as 0."""
    return float(np.nansum(by_slice * pixels)) / float(pixels.sum())


def _iteration_array(
    stage: Stage, params: ClosingParams, number: int, shape: tuple[int, int, int]
) -> list[Any]:
    """Return, in a list, an array for one more iteration, if iterations are kept."""
    if not params.keep_iterations:
        return []
    return [stage.array(f"iteration-{number + 1}", shape, np.float16)]


def _handed_out(stage: Stage, passes: Passes, counts: np.ndarray) -> Any:
    """Return what came of an iteration; in memory an array that does not change afterwards."""
    plane = Now(passes.start, passes.result, tuple(counts))
    current = LazyArray(passes.start.shape, np.float32, plane)
    return _probability(stage, current, passes.padding)


def _probability(stage: Stage, current: LazyArray, padding: Any) -> Any:
    """Return a probability with 0 in padding; as an array if the stage is in memory."""
    cleared = LazyArray(current.shape, np.float32, Cleared(current, padding))
    return np.asarray(cleared) if stage.in_memory else cleared


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


def _within(work: Steps[Any], number: int, most: int) -> Steps[Any]:
    """Pass progress on as a fraction of iteration `number`."""

    def change(progress: Progress) -> Progress:
        fraction = progress.done / progress.total if progress.total else 0.0
        done = number - 1 + min(fraction, NEARLY)
        return Progress("closing", done, most, "iterations", note=progress.note)

    return mapped(work, change)


def _quiet(work: Steps[Any]) -> Steps[Any]:
    """Run what takes little time, passing only its notes on."""
    return mapped(
        work,
        lambda told: Progress("closing", 0, 1, "iterations", told.note) if told.note else None,
    )


def _checked(contours: Any) -> Steps[Values]:
    """Raise an error if contours are not the probabilities of a stack."""
    yield from ()
    if len(contours.shape) != 3 or 0 in contours.shape:
        raise InputError(
            f"Closing needs contours with axes (Z, Y, X), not an array of shape {contours.shape}.",
            "Give the contour probability of a stack.",
        )
    bad = []
    for z in range(contours.shape[0]):
        u = np.asarray(contours[z])
        # NaN fails both comparisons.
        if not (u.min() >= 0 and u.max() <= 1):
            bad.append(z)
    if bad:
        raise InputError(
            f"Contours are probabilities from 0 to 1, but slice {', '.join(map(str, bad[:10]))} "
            f"{'is' if len(bad) == 1 else 'are'} not.",
            "Divide a mask of 0 and 255 by 255; for grey values, predict contours first.",
        )
    return {}
