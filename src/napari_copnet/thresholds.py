"""Run a few annotated slices with several thresholds of Step 1, to find the one that suits.

Networks differ in how wide they draw membranes, and annotators too: the probability above which
most cells come out right is not the same on every tissue, and no map tells it without a truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.threshold_scores import (
    THRESHOLDS,
    ThresholdTried,
    refuse_neighbours,
    scores_by_threshold,
)
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.io.check import blank_slices, check_pixels
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import DeviceParams, ScoreParams, Settings, checked
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.restored import restore
from napari_copnet.steps.given_contours import given_probability
from napari_copnet.steps.size_choice import spread_slices
from napari_copnet.store.memory import MemoryStore
from napari_copnet.types import CONTOUR_ABOVE, Stack


def try_thresholds(
    stack: Stack,
    truth: Any,
    slices: Sequence[int],
    thresholds: Sequence[float] = THRESHOLDS,
    settings: Settings = Settings(),
    *,
    score: ScoreParams | None = None,
    exclude_pixels: Any = None,
    contours: Stack | None = None,
    load: Callable[[ModelPackage, DeviceParams], Network] = Network.load,
    repair: bool = False,
) -> Steps[list[ThresholdTried]]:
    """Take annotated slices through all steps at each of several thresholds, and score them.

    Each slice is run on its own, with the size and contrast of a run of the whole stack: a
    threshold changes neither these nor Step 1. 0.5 is always among the thresholds.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X).
    truth : array, shape (Z, Y, X)
        True contours or cells; see `TrueStack`.
    slices : sequence of int
        Which to score.
    thresholds : sequence of float
        From 0.01 to 0.99.
    settings : Settings
        All but the threshold.
    score : ScoreParams, optional
    exclude_pixels : array, shape (Z, Y, X), optional
        Pixels above 0 are not scored.
    contours, load, repair
        As for `pipeline.run`.

    Yields
    ------
    Progress
        Counted in slices.

    Returns
    -------
    list of ThresholdTried
        One for each threshold, the lowest first; none where over 60 % would be contour.

    Raises
    ------
    InputError
        There is no such slice or threshold, shapes differ, a model sees neighbouring slices, no
        true cell is scored, or all would be contour.
    """
    depth = stack.shape[0]
    if tuple(truth.shape) != stack.shape:
        raise InputError(
            f"The truth has the shape {tuple(truth.shape)}, the stack {stack.shape}.",
            "Both must be of the same slices and size.",
        )
    if not slices or not all(0 <= z < depth for z in slices):
        raise InputError(
            f"There are no such slices: the stack has slices 0 to {depth - 1}.",
            "Choose slices that are annotated.",
        )
    if not thresholds:
        raise InputError(
            "There is no threshold to try.", "Give some, such as 0.2,0.35,0.5,0.65,0.8."
        )
    for threshold in thresholds:
        checked(replace(settings.contours, threshold=threshold))
    compared = sorted({*thresholds, CONTOUR_ABOVE})
    refuse_neighbours(find_model(settings.closing.closing_model, "closing"))
    given: Stack | None = None
    stack = check_pixels(stack, repair)
    if contours is None:
        refuse_neighbours(find_model(settings.contours.contour_model, "contours"))
    else:
        contours = check_pixels(contours, repair)
        given = replace(contours, data=given_probability(contours, stack), source=None)
    blank = set(blank_slices(stack))
    chosen = [z for z in dict.fromkeys(slices) if z not in blank]
    if not chosen:
        raise InputError("These slices are blank.", "Choose slices that are annotated.")
    true = TrueStack(truth, score, exclude_pixels=exclude_pixels).chosen(chosen)
    networks: dict[str, Network] = {}

    def once(model: ModelPackage, device: DeviceParams) -> Network:
        if model.sha256 not in networks:
            networks[model.sha256] = load(model, device)
        return networks[model.sha256]

    settings = yield from _as_for_the_stack(stack, given, settings, once)
    masks: dict[float, list[np.ndarray]] = {one: [] for one in compared}
    for number, z in enumerate(chosen):
        one, step1 = (_some(part, [z]) for part in (stack, given))
        store = MemoryStore()
        assert one is not None
        for threshold in compared:
            at = replace(settings, contours=replace(settings.contours, threshold=threshold))
            work = run(one, at, contours=step1, store=store, load=once)
            result = yield from mapped(work, partial(_quiet, number, len(chosen)))
            restored = yield from mapped(restore(result), lambda _: None)
            masks[threshold].append(restored.closed[0])
        yield Progress("thresholds", number + 1, len(chosen), "slices")
    return (yield from scores_by_threshold({one: np.stack(m) for one, m in masks.items()}, true))


def _as_for_the_stack(
    stack: Stack,
    given: Stack | None,
    settings: Settings,
    load: Callable[[ModelPackage, DeviceParams], Network],
) -> Steps[Settings]:
    """Return settings with what a run of the stack would choose: the size, and to invert or not."""
    params = settings.preprocess
    asks_size = params.size is None and params.membrane_width is None
    asks_contrast = params.invert == "auto" and given is None
    slices = list(spread_slices(stack))
    if not slices or not (asks_size or asks_contrast):
        return settings
    part = _some(stack, slices)
    assert part is not None
    usual = replace(settings, contours=replace(settings.contours, threshold=CONTOUR_ABOVE))
    work = run(part, usual, contours=_some(given, slices), load=load)
    result = yield from mapped(work, partial(_quiet, 0, 1))
    settings = result.settings(settings)
    if asks_contrast:
        invert = "yes" if result.preprocessed.inverted else "no"
        settings = replace(settings, preprocess=replace(settings.preprocess, invert=invert))
    return settings


def _some(stack: Stack | None, slices: list[int]) -> Stack | None:
    """Return some slices of a stack, in memory."""
    if stack is None:
        return None
    return replace(stack, data=np.stack([np.asarray(stack.data[z]) for z in slices]), source=None)


def _quiet(number: int, total: int, told: Progress) -> Progress:
    """Tell only how far it is: notes of a run name slices of what it was given."""
    del told
    return Progress("thresholds", number, total, "slices")
