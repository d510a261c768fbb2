"""Step 2, COp-Net: apply the closing network again and again until nearly nothing changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.errors import InputError, ModelError
from napari_copnet.params import ClosingParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import Closing, Iteration


def close(
    contours: np.ndarray,
    network: Any,
    params: ClosingParams = ClosingParams(),
    *,
    skip: tuple[int, ...] = (),
) -> Steps[Closing]:
    """Close the gaps of contours (Robert et al. 2024, COp-Net).

    With u⁰ the Step 1 probability and N the closing network, uᵏ⁺¹ = N(uᵏ) slice by slice. With
    ``params.hold``, which the paper has not, uᵏ⁺¹ = max(uᵏ, N(uᵏ)) where uᵏ is contour (> 0.5): a
    closed gap stays closed, as in closings of mathematical morphology, which only add. A slice
    has converged, and takes no further part, when the share of its pixels whose rounded value
    changed is under ``params.tolerance``; the work ends when that share of all pixels of the
    stack is under it, or after ``params.max_iterations``. The mask is round(uᵏ), united with
    round(u⁰) when ``params.unite``.

    Parameters
    ----------
    contours : ndarray, shape (Z, Y, X), float
        Step 1 probability, 0 to 1.
    network : networks.nnunet.Network
        The 2D closing network; anything with its ``predict`` does.
    params : ClosingParams
        Tolerance, iterations, union, mirroring, batch.
    skip : tuple of int
        Blank slices: they count as converged and keep their values.

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
        Not three axes, or values that are not probabilities (slices are named).
    ModelError
        The network is a 3D one or takes another number of channels.
    """
    start = _checked(contours)
    plan = getattr(network, "plan", None)
    if plan is not None and plan.dimensions != 2:
        raise ModelError(
            "Closing needs a 2D network, and this one is 3D.", "Choose another closing model."
        )
    depth, pixels = len(start), start[0].size
    current, mask = start.copy(), start > 0.5
    converged = np.zeros(depth, bool)
    converged[[z for z in skip if 0 <= z < depth]] = True
    counts = np.zeros(depth, np.int64)
    history: list[np.ndarray] = []
    kept = [start.astype(np.float16)] if params.keep_iterations else []
    number, most = 0, params.max_iterations
    settled = bool(converged.all())
    while number < most and not settled:
        number += 1
        active = np.flatnonzero(~converged)
        work = network.predict(current[active, None], mirror=params.mirror, batch=params.batch)
        try:
            passed = yield from _within(work, number, most)
        finally:
            work.close()
        changed_by_slice = np.full(depth, np.nan)
        if params.hold:
            before = current[active]
            passed = np.where(mask[active], np.maximum(before, passed), passed)
        after = passed > 0.5
        changed_by_slice[active] = (after != mask[active]).sum(axis=(1, 2)) / pixels
        # New arrays, so that an iteration handed out does not change afterwards.
        current, mask = current.copy(), mask.copy()
        current[active], mask[active] = passed, after
        counts[active] += 1
        converged[active] = changed_by_slice[active] < params.tolerance
        history.append(changed_by_slice)
        if params.keep_iterations:
            kept.append(current.astype(np.float16))
        share = float(np.nansum(changed_by_slice)) / depth
        settled = bool(converged.all()) or share < params.tolerance
        partial = Iteration(number, current, share, changed_by_slice)
        total = number if settled else most
        yield Progress("closing", number, total, "iterations", partial=partial)
    by_slice = np.array(history).reshape(-1, depth)
    return Closing(
        mask=(mask | (start > 0.5) if params.unite else mask).astype(np.uint8),
        probability=current,
        changed=np.nansum(by_slice, axis=1) / depth,
        changed_by_slice=by_slice,
        iterations_by_slice=counts,
        converged=converged,
        iterations=np.stack(kept) if kept else None,
        settled=settled,
    )


def _within(work: Steps[np.ndarray], number: int, most: int) -> Steps[np.ndarray]:
    """Pass a network's progress on as a fraction of iteration `number`."""
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value
        fraction = progress.done / progress.total if progress.total else 0.0
        # A whole iteration is counted once it can be handed out.
        done = number - 1 + min(fraction, 0.999)
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
