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
    scores_by_threshold,
)
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.io.check import check_pixels
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import DeviceParams, ScoreParams, Settings
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.restored import restore
from napari_copnet.steps.given_contours import given_probability
from napari_copnet.steps.size_choice import choose_size
from napari_copnet.store.memory import MemoryStore
from napari_copnet.types import Stack


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

    Each slice is run on its own, at the size that a run of the whole stack has: a threshold changes
    neither the size nor Step 1.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X).
    truth : array, shape (Z, Y, X)
        True contours or cells; see `TrueStack`.
    slices : sequence of int
        Which to score.
    thresholds : sequence of float
        Above 0 and below 1.
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
        One for each threshold, in their order; none where over 60 % of the slices would be contour.

    Raises
    ------
    InputError
        There is no such slice, no threshold, or shapes differ; or all would be contour.
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
    if not thresholds or not all(0 < one < 1 for one in thresholds):
        raise InputError(
            "A threshold lies between 0 and 1.", "Give some, such as 0.2,0.35,0.5,0.65,0.8."
        )
    given = None
    if contours is not None:
        given = np.asarray(given_probability(check_pixels(contours, repair), stack))
    networks: dict[str, Network] = {}

    def once(model: ModelPackage, device: DeviceParams) -> Network:
        if model.sha256 not in networks:
            networks[model.sha256] = load(model, device)
        return networks[model.sha256]

    settings = yield from _with_size(stack, settings, given, once)
    chosen = list(slices)
    masks: dict[float, list[np.ndarray]] = {one: [] for one in thresholds}
    for number, z in enumerate(chosen):
        one = replace(stack, data=np.asarray(stack.data[z : z + 1]), source=None)
        step1 = None
        if contours is not None and given is not None:
            step1 = replace(contours, data=given[z : z + 1], source=None)
        store = MemoryStore()
        for threshold in thresholds:
            at = replace(settings, contours=replace(settings.contours, threshold=threshold))
            work = run(one, at, contours=step1, store=store, load=once, repair=repair)
            result = yield from mapped(work, partial(_quiet, number, len(chosen)))
            restored = yield from mapped(restore(result), lambda _: None)
            masks[threshold].append(restored.closed[0])
        yield Progress("thresholds", number + 1, len(chosen), "slices")
    out = None if exclude_pixels is None else np.stack([exclude_pixels[z] for z in chosen])
    true = TrueStack(np.stack([truth[z] for z in chosen]), score, exclude_pixels=out)
    stacks = {one: np.stack(planes) for one, planes in masks.items()}
    return (yield from scores_by_threshold(stacks, true))


def _with_size(
    stack: Stack, settings: Settings, given: Any, load: Callable[[ModelPackage, DeviceParams], Any]
) -> Steps[Settings]:
    """Return settings with the size that a run of the stack would choose, where it would."""
    params = settings.preprocess
    if params.size is not None or params.membrane_width is not None:
        return settings
    names = {
        "contours": settings.contours.contour_model,
        "closing": settings.closing.closing_model,
    }

    def network(kind: str) -> Any:
        return load(find_model(names[kind], kind), settings.device)

    choice = yield from choose_size(
        stack, params, settings.contours, settings.closing, network, given
    )
    return replace(settings, preprocess=replace(params, size=choice.size))


def _quiet(number: int, total: int, told: Progress) -> Progress:
    return Progress("thresholds", number, total, "slices", told.note)
