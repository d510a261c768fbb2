"""All steps in order: the Python API behind the command line and the window.

`run` takes a stack once through preprocess, contours, closing and cells, in the processed frame.
`restored` brings the results back into the frame of the stack that was given.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from napari_copnet.io.check import check_pixels
from napari_copnet.lazy_array import LazyArray
from napari_copnet.networks.device import choose_device
from napari_copnet.networks.model_on_disk import ModelOnDisk
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
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.steps.size_choice import choose_size
from napari_copnet.steps.slice_views import Inverted, WithoutCells
from napari_copnet.store.blocks import once
from napari_copnet.store.memory import MemoryStore
from napari_copnet.store.stage import RunStore, Stage, Values
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
    contours : array, shape (Z, Y, X), float32
        Contour probability of Step 1. This and the arrays of others are lazy where the run had a
        store in a folder.
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
    key : str
        Made of all that went into the run: the same for equal stacks, settings and models.
    """

    stack: Stack
    preprocessed: Preprocessed
    contours: Any
    closing: Closing
    cells: Cells
    models: dict[str, ModelPackage]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    size: SizeChoice | None = None
    key: str = ""

    def settings(self, given: Settings) -> Settings:
        """Return the settings of the run, with the chosen size in place of auto."""
        if self.size is None:
            return given
        params = replace(given.preprocess, size=self.size.size, membrane_width=None)
        return replace(given, preprocess=params)


def run(
    stack: Stack,
    settings: Settings = Settings(),
    *,
    store: RunStore | None = None,
    repair: bool = False,
    first: int = 0,
    load: Callable[[ModelPackage, DeviceParams], Network] = Network.load,
    reopen: Callable[[], Stack] | None = None,
    block: int = 0,
) -> Steps[RunResult]:
    """Take a stack through all steps.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X); never changed. May be lazy.
    settings : Settings
        Of every step.
    store : RunStore, optional
        Where arrays of the size of the stack lie, and steps' results are kept; in memory by
        default. Only the steps behind a changed setting run again.
    repair : bool
        Fill NaN and infinite pixels instead of stopping.
    first : int
        Slice whose surroundings are predicted first.
    load : callable
        Loads a network on a device, in this process.
    reopen : callable, optional
        Returns the same stack in another process, where blocks may run.
    block : int
        Slices at once; 0 chooses. Results do not depend on it.

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
    models = {
        "contours": find_model(settings.contours.contour_model, "contours"),
        "closing": find_model(settings.closing.closing_model, "closing"),
    }
    store = store if store is not None else MemoryStore()
    yield Progress("check", 0, 1, "stacks")
    if store.workers is None:
        choose_device(settings.device)
    stack = check_pixels(stack, repair)
    begun = _key(fingerprint(stack), stack.voxel_size, stack.axes, repair, block)
    work = _Run(
        stack=stack,
        settings=settings,
        models=models,
        store=store,
        load=load,
        reopen=reopen,
        block=block,
        key=begun,
    )
    params, size = settings.preprocess, None
    if params.size is None or params.membrane_width is not None:
        size = yield from work.size(settings, begun)
        # Later steps depend only on the size, however it was chosen.
        params = replace(params, size=size.size, membrane_width=None)
    ready = yield from work.preprocessed(params)
    if ready.inverted and size is not None and size.tried:
        # The sizes were tried on light membranes, which the networks were not trained on.
        turned = replace(settings, preprocess=replace(settings.preprocess, invert="yes"))
        size = yield from work.size(turned, begun)
        work.key = begun
        ready = yield from work.preprocessed(replace(params, size=size.size, invert="yes"))
        ready = replace(ready, inverted=True, notes=(*ready.notes, INVERTED))
    contours = yield from work.contours(ready, first)
    closing = yield from work.closing(ready, contours)
    cells = yield from work.cells(ready, closing)
    notes = (*stack.notes, *([size.reason] if size else []), *ready.notes)
    return RunResult(
        stack, ready, contours, closing, cells, models, work.seconds, notes, size, work.key
    )


@dataclass
class _Run:
    """A run on its way through the steps.

    Attributes
    ----------
    key : str
        Made of all that went into the steps so far.
    seconds : dict
        Time of each step that did any work.
    """

    stack: Stack
    settings: Settings
    models: dict[str, ModelPackage]
    store: RunStore
    load: Callable[[ModelPackage, DeviceParams], Network]
    reopen: Callable[[], Stack] | None
    block: int
    key: str
    seconds: dict[str, float] = field(default_factory=dict)
    loaded: dict[str, Network] = field(default_factory=dict)

    def network(self, kind: str) -> Network:
        """Return a network, loaded when it is first needed."""
        if kind not in self.loaded:
            self.loaded[kind] = self.load(self.models[kind], self.settings.device)
        return self.loaded[kind]

    def for_blocks(self, kind: str, stage: Stage) -> Any:
        """Return what gives blocks a network."""
        if stage.workers is not None:
            return ModelOnDisk(self.models[kind], self.settings.device)
        return _Later(self.models[kind].plan, lambda: self.network(kind))

    def stage(
        self, name: str, parts: tuple[Any, ...], work: Callable[[Stage], Steps[Value]]
    ) -> Generator[Progress, None, Value]:
        """Do a step, or take it from the store."""
        self.key = _key(self.key, name, parts)
        stage = self.store.stage(name, self.key)
        kept = stage.value
        if kept is None:
            start = time.monotonic()
            kept = yield from work(stage)
            stage.finish(kept)
            if stage.worked:
                self.seconds[name] = time.monotonic() - start
        yield Progress(name, 1, 1, partial=kept)
        return kept

    def size(self, settings: Settings, before: str) -> Steps[SizeChoice]:
        """Choose the size, where the settings do not give it."""
        params, stack = settings.preprocess, self.stack
        if params.membrane_width is not None:
            fixed_size(stack, params)
            card = self.models["contours"].card
            return SizeChoice(*size_for_membranes(stack, params.membrane_width, card))
        digests = {kind: model.sha256 for kind, model in self.models.items()}
        parts = (params, settings.contours, settings.closing, settings.device, digests)
        stage = self.store.stage("sizes", _key(before, "sizes", parts))
        found: SizeChoice | None = stage.value
        if found is None:
            start = time.monotonic()
            work = choose_size(stack, params, settings.contours, settings.closing, self.network)
            values = yield from once(stage, "choice", _described(work))
            choice = json.loads(str(values["choice"]))
            found = SizeChoice(
                choice["size"], choice["reason"], tuple(choice["slices"]), tuple(choice["tried"])
            )
            stage.finish(found)
            if stage.worked:
                self.seconds["sizes"] = time.monotonic() - start
        yield Progress("sizes", 1, 1, "sizes", found.reason)
        return found

    def preprocessed(self, params: PreprocessParams) -> Steps[Preprocessed]:
        """Preprocess, and let the contour network decide whether to invert if that is auto."""
        asked = (self.settings.contours, self.settings.device, self.models["contours"].sha256)
        by_network = asked if params.invert == "auto" else ()

        def work(stage: Stage) -> Steps[Preprocessed]:
            ready = yield from preprocess(
                self.stack, params, stage=stage, block=self.block, reopen=self.reopen
            )
            if params.invert != "auto" or len(ready.blank) == ready.data.shape[0]:
                return ready
            values = yield from once(stage, "contrast", self._light(ready, params))
            if not values["light"]:
                return ready
            turned = LazyArray(
                ready.data.shape,
                np.float32,
                Inverted(ready.data, ready.blank, params.normalise),
            )
            depth = ready.data.shape[0]
            yield Progress("preprocess", depth, depth, "slices", INVERTED)
            data = np.asarray(turned) if stage.in_memory else turned
            return replace(ready, data=data, inverted=True, notes=(*ready.notes, INVERTED))

        return (yield from self.stage("preprocess", (params, *by_network), work))

    def _light(self, ready: Preprocessed, params: PreprocessParams) -> Steps[Values]:
        """Ask the contour network whether membranes are light."""
        asked = light_membranes(
            ready.data,
            self.network("contours"),
            self.settings.contours,
            blank=ready.blank,
            padding=ready.padding,
            normalised=params.normalise,
        )
        depth = ready.data.shape[0]
        with contextlib.closing(asked):
            while True:
                try:
                    progress = next(asked)
                except StopIteration as end:
                    return {"light": np.array(end.value)}
                yield Progress("preprocess", depth, depth, "slices", progress.note)

    def contours(self, ready: Preprocessed, first: int) -> Steps[Any]:
        """Do Step 1."""
        asked = (self.settings.contours, self.settings.device, self.models["contours"].sha256)
        made = yield from self.stage(
            "contours",
            asked,
            lambda stage: predict_contours(
                ready.data,
                self.for_blocks("contours", stage),
                self.settings.contours,
                first=first,
                skip=ready.blank,
                padding=ready.padding,
                stage=stage,
                block=self.block,
            ),
        )
        # Device memory is kept for the network in use.
        self.loaded.pop("contours", None)
        return made

    def closing(self, ready: Preprocessed, contours: Any) -> Steps[Closing]:
        """Do Step 2."""
        asked = (self.settings.closing, self.settings.device, self.models["closing"].sha256)
        return (
            yield from self.stage(
                "closing",
                asked,
                lambda stage: close(
                    contours,
                    self.for_blocks("closing", stage),
                    self.settings.closing,
                    skip=ready.blank,
                    padding=ready.padding,
                    stage=stage,
                    block=self.block,
                ),
            )
        )

    def cells(self, ready: Preprocessed, closing: Closing) -> Steps[Cells]:
        """Label cells."""
        return (
            yield from self.stage(
                "cells",
                (self.settings.cells,),
                lambda stage: label_cells(
                    closing.mask,
                    self.settings.cells,
                    excluded=without_cells(ready),
                    stage=stage,
                    block=self.block,
                ),
            )
        )


class _Later:
    """A network that is loaded when a block needs it."""

    def __init__(self, plan: Any, load: Callable[[], Network]) -> None:
        self.plan = plan
        self._load = load

    def __call__(self) -> Network:
        return self._load()


def _described(work: Steps[SizeChoice]) -> Steps[Values]:
    """Return a choice of a size as values to keep."""
    with contextlib.closing(work):
        choice = yield from work
    return {"choice": np.array(json.dumps(asdict(choice)))}


def without_cells(ready: Preprocessed) -> Any:
    """Return the pixels of a processed stack without cells (Z, Y, X): blank slices and padding."""
    if not ready.blank:
        return ready.padding
    plane = WithoutCells(ready.frame.processed_shape, ready.blank, ready.padding)
    mask = LazyArray(ready.frame.processed_shape, bool, plane)
    return np.asarray(mask) if isinstance(ready.data, np.ndarray) else mask


def fingerprint(stack: Stack) -> str:
    """Return a hash that tells a stack from others, without reading all of a file.

    Of a stack that was read from disk, it is made of name, size and time of change of its files
    and of three slices; else of all grey values.
    """
    if stack.source is None or not stack.source.exists():
        return stack_hash(stack)
    digest = hashlib.sha256(repr((stack.shape, str(stack.data.dtype))).encode())
    source = stack.source
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    for path in files:
        found = path.stat()
        name = path.relative_to(source.parent).as_posix()
        digest.update(repr((name, found.st_size, found.st_mtime_ns)).encode())
    for z in sorted({0, stack.shape[0] // 2, stack.shape[0] - 1}):
        digest.update(np.ascontiguousarray(stack.data[z]).tobytes())
    return digest.hexdigest()


def stack_hash(stack: Stack) -> str:
    """Return the SHA-256 of a stack's grey values and shape, read slice by slice."""
    digest = hashlib.sha256(repr((stack.shape, str(stack.data.dtype))).encode())
    for z in range(stack.shape[0]):
        digest.update(np.ascontiguousarray(stack.data[z]).tobytes())
    return digest.hexdigest()


def _key(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=as_dict)
    return hashlib.sha256(text.encode()).hexdigest()
