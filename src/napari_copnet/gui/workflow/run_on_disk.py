"""A run of a stack that is too large for memory, in a thread: its arrays and results are files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.gui.background.first_layers import load_layers
from napari_copnet.gui.workflow.run_stages import (
    STAGES,
    Contours,
    IterationSlices,
    ShownCells,
    ShownClosed,
    compile_colours,
    replaced,
)
from napari_copnet.io.formats import FORMATS, FormatName
from napari_copnet.networks.nnunet import Network
from napari_copnet.params import ReadParams, Settings
from napari_copnet.pipeline import RunResult, run
from napari_copnet.progress import Steps
from napari_copnet.restored import restored_lazily
from napari_copnet.runs.finished_run import finished_run
from napari_copnet.runs.generation import check_results
from napari_copnet.runs.run_record import default_outputs
from napari_copnet.runs.saving import saving
from napari_copnet.steps.threshold import stack_at_threshold
from napari_copnet.store.folder import FolderStage, FolderStore
from napari_copnet.types import Cells, Closing, Iteration, SliceResult, Stack

FORMAT: FormatName = "tiff"
STORE = "store"


@dataclass(frozen=True)
class SliceOnDisk:
    """A slice of the contour probability was written; `probability` is the array it lies in."""

    index: int
    probability: Any


def run_on_disk(
    stack: Stack,
    settings: Settings,
    folder: Path,
    *,
    contours: Stack | None = None,
    read: ReadParams | None = None,
    read_contours: ReadParams | None = None,
    until: str = STAGES[-1],
    first: int = 0,
    repair: bool = False,
    load: Callable[..., Any] = Network.load,
) -> Steps[RunResult | None]:
    """Run the pipeline up to and with a stage; after the last one write the results.

    What was done in the folder before, and does not depend on settings changed since, is not done
    again.

    Parameters
    ----------
    stack, settings, contours, until, first, repair, load
        As for `run_stages.run_stages`.
    folder : Path
        For the results, as of `copnet run`; created if missing.
    read, read_contours : ReadParams, optional
        How stack and contours were read from their files, for the record.

    Yields
    ------
    Progress
        As `pipeline.run`; `partial` is a `Preprocessed`, `SliceOnDisk`, `Contours`,
        `IterationSlices` without slices, or `ShownClosed` and `ShownCells` without arrays.

    Returns
    -------
    RunResult or None
        None when it stopped before the last stage.
    """
    load_layers()
    compile_colours()
    outputs = default_outputs(stack.shape)
    check_results(folder, [name + FORMATS[FORMAT][0] for name in outputs], replaces="run")
    store = _KnownStages(folder / STORE)
    with store.alone():
        probability: Any = None
        with contextlib.closing(
            run(
                stack,
                settings,
                contours=contours,
                store=store,
                repair=repair,
                first=first,
                load=load,
            )
        ) as steps:
            while True:
                try:
                    progress = next(steps)
                except StopIteration as end:
                    result: RunResult = end.value
                    break
                partial = progress.partial
                is_end = not progress.unit and partial is not None
                if isinstance(partial, SliceResult):
                    if probability is None:
                        shape = (stack.shape[0], *partial.values.shape)
                        probability = stack_at_threshold(
                            store.stages["contours"].array("contours", shape, np.float32),
                            settings.contours.threshold,
                        )
                    yield replaced(progress, SliceOnDisk(partial.index, probability))
                elif isinstance(partial, Iteration):
                    yield replaced(progress, _numbers(partial))
                elif isinstance(partial, Closing):
                    yield replaced(progress, ShownClosed(partial, None, None))
                elif isinstance(partial, Cells):
                    yield replaced(progress, ShownCells(partial, None, partial.largest))
                elif is_end and progress.step == "contours":
                    yield replaced(progress, Contours.of(partial, contours))
                else:
                    yield progress
                if is_end and progress.step == until and until != STAGES[-1]:
                    return None
        known = None
        if not result.seconds:
            known = finished_run(folder, result.key, "original", FORMAT, outputs)
        if known is None:
            yield from saving(
                result,
                restored_lazily(result),
                settings,
                folder,
                FORMAT,
                outputs,
                read,
                read_contours,
            )
        return result


class _KnownStages(FolderStore):
    """Remembers the places of steps, to look at what a step has made so far."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stages: dict[str, FolderStage] = {}

    def stage(self, name: str, key: str) -> FolderStage:
        """Return the place of a step."""
        self.stages[name] = super().stage(name, key)
        return self.stages[name]


def _numbers(iteration: Iteration) -> IterationSlices:
    return IterationSlices(
        iteration.number,
        {},
        iteration.changed,
        iteration.changed_by_slice,
        iteration.likely_gaps,
    )
