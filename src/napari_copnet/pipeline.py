"""All steps in order: the Python API behind the command line and the window.

`run` takes a stack once through preprocess, contours, closing and cells, in the processed frame.
`restored` brings the results back into the frame of the stack that was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from napari_copnet import __version__
from napari_copnet.fingerprint import fingerprint
from napari_copnet.io.check import check_pixels
from napari_copnet.networks.device import choose_device
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model
from napari_copnet.params import (
    DeviceParams,
    Settings,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.run_steps import INVERTED, RunSteps, key_of
from napari_copnet.steps.given_contours import given_probability
from napari_copnet.store.memory import MemoryStore
from napari_copnet.store.stage import RunStore
from napari_copnet.types import Cells, Closing, Preprocessed, SizeChoice, Stack
from napari_copnet.verdict.types import Verdict


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
        The model of each of ``"contours"`` and ``"closing"``; of the latter alone where contours
        were given.
    seconds : dict
        Time each step took; a step taken from an earlier run has none.
    notes : tuple of str
        Sentences for the user.
    size : SizeChoice or None
        How the size was chosen; None if it was given.
    key : str
        Made of all that went into the run: the same for equal stacks, settings and models.
    verdict : Verdict or None
        How far the cells can be trusted.
    given : Stack or None
        The contour probability that took the place of Step 1.
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
    verdict: Verdict | None = None
    given: Stack | None = None

    def settings(self, given: Settings) -> Settings:
        """Return the settings of the run, with the chosen size in place of auto.

        Whether to invert was asked before the size was chosen, and is no longer left open where
        another size was chosen for it.
        """
        if self.size is None:
            return given
        params = replace(given.preprocess, size=self.size.size, membrane_width=None)
        if self.preprocessed.inverted and self.size.tried:
            params = replace(params, invert="yes")
        return replace(given, preprocess=params)


def run(
    stack: Stack,
    settings: Settings = Settings(),
    *,
    contours: Stack | None = None,
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
    contours : Stack, optional
        Contour probability of the same stack from elsewhere, in place of Step 1: shape (Z, Y, X),
        0 to 1 or integers of 8 or 16 bits. No contour network is used then. It is resized and
        aligned like the slices; the size, if none is given, is the one that suits closing.
    store : RunStore, optional
        Where arrays of the size of the stack and the results of steps are kept; in memory by
        default. Only the steps that a changed setting affects run again.
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
        the finished `Preprocessed`, `Closing`, `Cells` or `Verdict` at the end of a step.

    Raises
    ------
    CopnetError
        A stack that can't be used, contours that are not a probability of it, an unknown model, a
        device that is missing; before work starts.
    """
    models = {"closing": find_model(settings.closing.closing_model, "closing")}
    if contours is None:
        models["contours"] = find_model(settings.contours.contour_model, "contours")
    store = store if store is not None else MemoryStore()
    yield Progress("check", 0, 1, "stacks")
    if store.workers is None:
        choose_device(settings.device)
    stack = check_pixels(stack, repair)
    given, given_key = None, ""
    if contours is not None:
        contours = check_pixels(contours, repair)
        given, given_key = given_probability(contours, stack), fingerprint(contours)
    yield Progress("check", 1, 1, "stacks")
    # Another version may do another thing with the same settings.
    begun = key_of(__version__, fingerprint(stack), stack.voxel_size, stack.axes, repair, block)
    work = RunSteps(
        stack=stack,
        settings=settings,
        models=models,
        store=store,
        load=load,
        reopen=reopen,
        block=block,
        key=begun,
        given=given,
        given_key=given_key,
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
        size = yield from work.size(turned, begun, "sizes-inverted")
        work.key = begun
        inverted = replace(params, size=size.size, invert="yes")
        ready = yield from work.preprocessed(inverted, "preprocess-inverted")
        ready = replace(ready, inverted=True, notes=(*ready.notes, INVERTED))
    step1 = yield from work.contours(ready, first)
    closing = yield from work.closing(ready, step1)
    cells = yield from work.cells(ready, closing)
    verdict = yield from work.verdict(ready, step1, closing, cells)
    notes = (*stack.notes, *_told_of(contours), *([size.reason] if size else []), *ready.notes)
    return RunResult(
        stack,
        ready,
        step1,
        closing,
        cells,
        models,
        work.seconds,
        notes,
        size,
        work.key,
        verdict,
        contours,
    )


def _told_of(contours: Stack | None) -> tuple[str, ...]:
    """Return what to tell of contours that were given."""
    if contours is None:
        return ()
    name = contours.name if contours.source is None else contours.source.name
    return (f"Step 1 was replaced by {name}.", *contours.notes)
