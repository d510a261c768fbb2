"""The steps of a run, each with its place in a store."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.networks.model_on_disk import ModelOnDisk
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage
from napari_copnet.params import (
    ContourParams,
    DeviceParams,
    PreprocessParams,
    Settings,
    as_dict,
)
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.steps.cells import label_cells
from napari_copnet.steps.closing import close
from napari_copnet.steps.contours import predict_contours
from napari_copnet.steps.contrast import light_membranes
from napari_copnet.steps.fixed_size import fixed_size, size_for_membranes
from napari_copnet.steps.given_contours import place_contours
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.steps.size_choice import choose_size
from napari_copnet.steps.slice_views import Inverted, without_cells
from napari_copnet.steps.threshold import stack_at_threshold, told_at_threshold
from napari_copnet.store.blocks import once
from napari_copnet.store.stage import RunStore, Stage, Values
from napari_copnet.types import CONTOUR_ABOVE, Cells, Closing, Preprocessed, SizeChoice, Stack
from napari_copnet.verdict.judge import judge
from napari_copnet.verdict.types import Verdict

Value = TypeVar("Value")
INVERTED = (
    "Membranes look light, so dark and light were exchanged: the contour network is clearly more "
    "certain this way. If this is wrong, set Invert to no."
)


@dataclass
class RunSteps:
    """A run on its way through the steps.

    Attributes
    ----------
    key : str
        Made of all that went into the steps so far.
    seconds : dict
        Time of each step that did any work.
    given : array, shape (Z, Y, X), float32, or None
        Contour probability in place of Step 1, in the frame of the stack.
    given_key : str
        Tells it from others.
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
    given: Any = None
    given_key: str = ""

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
        self,
        name: str,
        parts: tuple[Any, ...],
        work: Callable[[Stage], Steps[Value]],
        place: str = "",
    ) -> Generator[Progress, None, Value]:
        """Do a step, or take it from its place in the store, which is called as it by default."""
        self.key = key_of(self.key, name, parts)
        stage = self.store.stage(place or name, self.key)
        kept = stage.value
        if kept is None:
            start = time.monotonic()
            kept = yield from work(stage)
            stage.finish(kept)
            if stage.worked:
                self.seconds[name] = time.monotonic() - start
        yield Progress(name, 1, 1, partial=kept)
        return kept

    def size(self, settings: Settings, before: str, place: str = "sizes") -> Steps[SizeChoice]:
        """Choose the size, where the settings do not give it."""
        params, stack = settings.preprocess, self.stack
        if params.membrane_width is not None:
            fixed_size(stack, params)
            card = (self.models.get("contours") or self.models["closing"]).card
            return SizeChoice(*size_for_membranes(stack, params.membrane_width, card))
        digests = {kind: model.sha256 for kind, model in self.models.items()}
        parts: tuple[Any, ...] = (
            params,
            self._asking,
            settings.closing,
            settings.device,
            digests,
        )
        if self.given is not None:
            parts += (self.given_key,)
        stage = self.store.stage(place, key_of(before, "sizes", parts))
        found: SizeChoice | None = stage.value
        if found is None:
            start = time.monotonic()
            work = choose_size(
                stack, params, self._asking, settings.closing, self.network, self.given
            )
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

    def preprocessed(
        self, params: PreprocessParams, place: str = "preprocess"
    ) -> Steps[Preprocessed]:
        """Preprocess, and let the contour network decide whether to invert if that is auto."""
        # Whether the image is inverted, contours from elsewhere do not depend on.
        is_asked = params.invert == "auto" and self.given is None
        by_network = self._asked() if is_asked else ()

        def work(stage: Stage) -> Steps[Preprocessed]:
            ready = yield from preprocess(
                self.stack, params, stage=stage, block=self.block, reopen=self.reopen
            )
            if not is_asked or len(ready.blank) == ready.data.shape[0]:
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

        return (yield from self.stage("preprocess", (params, *by_network), work, place))

    @property
    def _asking(self) -> ContourParams:
        """What the contour network is asked with, whatever becomes contour."""
        return replace(self.settings.contours, threshold=CONTOUR_ABOVE)

    def _asked(self) -> tuple[Any, ...]:
        """Return what the contour network's answers depend on."""
        return self._asking, self.settings.device, self.models["contours"].sha256

    def _light(self, ready: Preprocessed, params: PreprocessParams) -> Steps[Values]:
        """Ask the contour network whether membranes are light."""
        asked = light_membranes(
            ready.data,
            self.network("contours"),
            self._asking,
            blank=ready.blank,
            padding=ready.padding,
            normalised=params.normalise,
        )
        depth = ready.data.shape[0]
        light = yield from mapped(
            asked, lambda told: Progress("preprocess", depth, depth, "slices", told.note)
        )
        return {"light": np.array(light)}

    def contours(self, ready: Preprocessed, first: int) -> Steps[Any]:
        """Do Step 1, or put what is given in its place; then move it to the threshold."""
        threshold = self.settings.contours.threshold
        made = yield from mapped(
            self._step1(ready, first), lambda told: told_at_threshold(told, threshold)
        )
        if threshold != CONTOUR_ABOVE:
            self.key = key_of(self.key, "threshold", threshold)
        return stack_at_threshold(made, threshold)

    def _step1(self, ready: Preprocessed, first: int) -> Steps[Any]:
        if self.given is not None:
            given = ("given", self.given_key)
            return (
                yield from self.stage(
                    "contours",
                    given,
                    lambda stage: place_contours(self.given, ready, stage=stage, block=self.block),
                )
            )
        asked = self._asked()
        made = yield from self.stage(
            "contours",
            asked,
            lambda stage: predict_contours(
                ready.data,
                self.for_blocks("contours", stage),
                self._asking,
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
                    threshold=self.settings.contours.threshold,
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

    def verdict(
        self, ready: Preprocessed, contours: Any, closing: Closing, cells: Cells
    ) -> Steps[Verdict]:
        """Judge what came out; the key of the run stays as it is.

        How sure Step 1 is does not depend on the threshold: a low one must not look like certainty.
        """
        key = self.key
        predicted = stack_at_threshold(contours, 1 - self.settings.contours.threshold)
        made: Verdict = yield from self.stage(
            "verdict",
            (),
            lambda stage: judge(self.stack, ready, predicted, closing, cells, stage),
        )
        self.key = key
        return made


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


def key_of(*parts: Any) -> str:
    """Return a hash of all parts."""
    text = json.dumps(parts, sort_keys=True, default=as_dict)
    return hashlib.sha256(text.encode()).hexdigest()
