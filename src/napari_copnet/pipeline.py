"""All steps in order: the Python API behind the command line and the window.

`run` takes a stack once through preprocess, contours, closing and cells, in the processed frame.
`restore` brings the results back into the frame of the stack that was given.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from napari_copnet.cache import MemoryCache, StageCache
from napari_copnet.io.check import check_pixels
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import (
    CellParams,
    ClosingParams,
    ContourParams,
    DeviceParams,
    PreprocessParams,
    as_dict,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import label_cells
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.contrast import light_membranes
from napari_copnet.steps.fixed_size import fixed_size, size_for_membranes
from napari_copnet.steps.frame import (
    cells_to_original,
    clear_padding,
    soft_contour,
    to_original,
)
from napari_copnet.steps.preprocess import inverted, preprocess
from napari_copnet.steps.size_choice import choose_size
from napari_copnet.types import Cells, Closing, Preprocessed, SizeChoice, Stack

Value = TypeVar("Value")
INVERTED = (
    "Membranes look light, so dark and light were exchanged: the contour network is clearly more "
    "certain this way. If this is wrong, set Invert to no."
)


@dataclass(frozen=True)
class Settings:
    """The settings of every step of a run."""

    preprocess: PreprocessParams = PreprocessParams()
    device: DeviceParams = DeviceParams()
    contours: ContourParams = ContourParams()
    closing: ClosingParams = ClosingParams()
    cells: CellParams = CellParams()

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the settings as plain values, one group for each step."""
        return {name: as_dict(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class RunResult:
    """What a run made, in the processed frame.

    Attributes
    ----------
    stack : Stack
        The stack that was given.
    preprocessed : Preprocessed
        What the networks saw, its frame and margin.
    contours : ndarray, shape (Z, Y, X), float32
        Contour probability of Step 1.
    closing : Closing
        Closed contours and how they came about.
    cells : Cells
        Instance labels.
    models : dict
        The model of each of ``"contours"`` and ``"closing"``.
    seconds : dict
        Time each step took; a step taken from an earlier run has none.
    notes : tuple of str
        Sentences for the user.
    size : SizeChoice or None
        How the size was chosen; None if it was given.
    """

    stack: Stack
    preprocessed: Preprocessed
    contours: np.ndarray
    closing: Closing
    cells: Cells
    models: dict[str, ModelPackage]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    size: SizeChoice | None = None

    def settings(self, given: Settings) -> Settings:
        """Return the settings of the run, with the chosen size in place of auto."""
        if self.size is None:
            return given
        params = replace(given.preprocess, size=self.size.size, membrane_width=None)
        return replace(given, preprocess=params)


@dataclass(frozen=True)
class Restored:
    """Results in the frame and size of the original stack: arrays of shape (Z, Y, X)."""

    contours: np.ndarray
    closed: np.ndarray
    cells: np.ndarray
    iterations: np.ndarray | None = None


def run(
    stack: Stack,
    settings: Settings = Settings(),
    *,
    cache: StageCache | None = None,
    repair: bool = False,
    first: int = 0,
    load: Callable[[ModelPackage, DeviceParams], Network] = Network.load,
) -> Steps[RunResult]:
    """Take a stack through all steps.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X); never changed.
    settings : Settings
        Of every step.
    cache : StageCache, optional
        Where steps' results are kept; only the steps behind a changed setting run again.
    repair : bool
        Fill NaN and infinite pixels instead of stopping.
    first : int
        Slice whose surroundings are predicted first.
    load : callable
        Loads a network on a device.

    Yields
    ------
    Progress
        Of each step in turn; `Progress.partial` grows as `SliceResult` and `Iteration`, and is
        the finished `Preprocessed`, `Closing` or `Cells` at the end of a step.

    Raises
    ------
    CopnetError
        A stack that can't be used, an unknown model, a device that is absent; before work starts.
    """
    cache = cache if cache is not None else MemoryCache()
    models = {
        "contours": find_model(settings.contours.contour_model, "contours"),
        "closing": find_model(settings.closing.closing_model, "closing"),
    }
    seconds: dict[str, float] = {}
    yield Progress("check", 0, 1, "stacks")
    stack = check_pixels(stack, repair)
    key = _key(stack_hash(stack), stack.voxel_size, stack.axes)
    loaded: dict[str, Network] = {}

    def network(kind: str) -> Network:
        if kind not in loaded:
            loaded[kind] = load(models[kind], settings.device)
        return loaded[kind]

    def stage(
        name: str, parts: tuple[Any, ...], work: Callable[[], Steps[Value]]
    ) -> Generator[Progress, None, Value]:
        nonlocal key
        key = _key(key, name, parts)
        kept = cache.get(name, key)
        if kept is None:
            start = time.monotonic()
            kept = yield from work()
            seconds[name] = time.monotonic() - start
            cache.put(name, key, kept)
        yield Progress(name, 1, 1, partial=kept)
        return kept

    asked = (settings.contours, settings.device, models["contours"].sha256)

    def prepare(params: PreprocessParams) -> Generator[Progress, None, Preprocessed]:
        by_network = asked if params.invert == "auto" else ()
        return (
            yield from stage(
                "preprocess",
                (params, *by_network),
                lambda: _prepared(stack, params, settings.contours, lambda: network("contours")),
            )
        )

    params, size = settings.preprocess, None
    begun = key
    if params.size is None or params.membrane_width is not None:
        size = yield from _size(stack, settings, models, network, cache, begun, seconds)
        # Later steps depend only on the size, however it was chosen.
        params = replace(params, size=size.size, membrane_width=None)
    ready = yield from prepare(params)
    if ready.inverted and size is not None and size.tried:
        # The sizes were tried on light membranes, which the networks were not trained on.
        turned = replace(settings, preprocess=replace(settings.preprocess, invert="yes"))
        size = yield from _size(stack, turned, models, network, cache, begun, seconds)
        key = begun
        ready = yield from prepare(replace(params, size=size.size, invert="yes"))
        ready = replace(ready, inverted=True, notes=(*ready.notes, INVERTED))
    contours = yield from stage(
        "contours",
        asked,
        lambda: predict_contours(
            ready.data,
            network("contours"),
            settings.contours,
            first=first,
            skip=ready.blank,
            padding=ready.padding,
        ),
    )
    # Device memory is kept for the network in use.
    loaded.pop("contours", None)
    closing = yield from stage(
        "closing",
        (settings.closing, settings.device, models["closing"].sha256),
        lambda: close(
            contours,
            network("closing"),
            settings.closing,
            skip=ready.blank,
            padding=ready.padding,
        ),
    )
    cells = yield from stage(
        "cells",
        (settings.cells,),
        lambda: label_cells(
            closing.mask,
            settings.cells,
            excluded=without_cells(ready),
        ),
    )
    notes = (*stack.notes, *([size.reason] if size else []), *ready.notes)
    return RunResult(stack, ready, contours, closing, cells, models, seconds, notes, size)


def _prepared(
    stack: Stack,
    params: PreprocessParams,
    contours: ContourParams,
    network: Callable[[], Network],
) -> Steps[Preprocessed]:
    """Preprocess, and let the contour network decide whether to invert if the setting is auto."""
    ready = yield from preprocess(stack, params)
    if params.invert != "auto" or len(ready.blank) == len(ready.data):
        return ready
    asked = light_membranes(
        ready.data,
        network(),
        contours,
        blank=ready.blank,
        padding=ready.padding,
        normalised=params.normalise,
    )
    depth = len(ready.data)
    with contextlib.closing(asked):
        while True:
            try:
                progress = next(asked)
            except StopIteration as end:
                light = end.value
                break
            yield Progress("preprocess", depth, depth, "slices", progress.note)
    if not light:
        return ready
    data = ready.data.copy()
    for z in range(depth):
        if z not in ready.blank:
            data[z] = inverted(data[z], params.normalise)
    yield Progress("preprocess", depth, depth, "slices", INVERTED)
    return replace(ready, data=data, inverted=True, notes=(*ready.notes, INVERTED))


def without_cells(ready: Preprocessed) -> np.ndarray | None:
    """Return the pixels of a processed stack without cells (Z, Y, X): blank slices and padding."""
    if not ready.blank:
        return ready.padding
    mask = np.zeros(ready.data.shape, bool) if ready.padding is None else ready.padding.copy()
    mask[list(ready.blank)] = True
    return mask


def restore(result: RunResult) -> Steps[Restored]:
    """Bring a run's results into the frame and size of the stack that was given.

    Cells are cleared under the closed contour, so that the two agree at any size, and all is 0 in
    padding.
    """
    ready = result.preprocessed
    frame = result.preprocessed.frame
    kept = result.closing.iterations
    total = 3 + (0 if kept is None else len(kept))
    yield Progress("restore", 0, total, "images")
    contours = clear_padding(to_original(result.contours, frame, "probability"), ready)
    yield Progress("restore", 1, total, "images")
    closing = result.closing
    soft = soft_contour(closing.mask, closing.probability, result.contours)
    cells, closed = cells_to_original(result.cells.labels, closing.mask, frame, soft)
    clear_padding(cells, ready)
    clear_padding(closed, ready)
    yield Progress("restore", 3, total, "images")
    iterations = None
    if kept is not None:
        iterations = np.empty((len(kept), *frame.original_shape), np.float16)
        for number, probability in enumerate(kept):
            original = to_original(probability.astype(np.float32), frame, "probability")
            iterations[number] = clear_padding(original, ready)
            yield Progress("restore", 4 + number, total, "images")
    return Restored(contours, closed, cells, iterations)


def stack_hash(stack: Stack) -> str:
    """Return the SHA-256 of a stack's grey values and shape, read slice by slice."""
    digest = hashlib.sha256(repr((stack.shape, str(stack.data.dtype))).encode())
    for z in range(stack.shape[0]):
        digest.update(np.ascontiguousarray(stack.data[z]).tobytes())
    return digest.hexdigest()


def _size(
    stack: Stack,
    settings: Settings,
    models: dict[str, ModelPackage],
    network: Callable[[str], Network],
    cache: StageCache,
    before: str,
    seconds: dict[str, float],
) -> Steps[SizeChoice]:
    """Choose the size of a run whose settings do not give it."""
    params = settings.preprocess
    if params.membrane_width is not None:
        fixed_size(stack, params)
        card = models["contours"].card
        return SizeChoice(*size_for_membranes(stack, params.membrane_width, card))
    digests = {kind: model.sha256 for kind, model in models.items()}
    parts = (params, settings.contours, settings.closing, settings.device, digests)
    key = _key(before, "sizes", parts)
    choice: SizeChoice | None = cache.get("sizes", key)
    if choice is None:
        start = time.monotonic()
        choice = yield from choose_size(stack, params, settings.contours, settings.closing, network)
        seconds["sizes"] = time.monotonic() - start
        cache.put("sizes", key, choice)
    else:
        yield Progress("sizes", 1, 1, "sizes", choice.reason)
    return choice


def _key(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=as_dict)
    return hashlib.sha256(text.encode()).hexdigest()
