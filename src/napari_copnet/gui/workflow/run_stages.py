"""What the dock runs in a thread: the pipeline, and its results made ready to be shown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.gui.background.first_layers import load_layers
from napari_copnet.networks.nnunet import Network
from napari_copnet.params import CellParams, Settings
from napari_copnet.pipeline import RunResult, run
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import label_cells
from napari_copnet.steps.frame import clear_padding, soft_contour, to_original
from napari_copnet.steps.slice_views import without_cells
from napari_copnet.store.stage import RunStore
from napari_copnet.types import (
    Cells,
    Closing,
    Iteration,
    Preprocessed,
    SliceResult,
    Stack,
    is_contour,
)

# Leaves labels for cells that edits will make.
_MOST_UINT16 = 50_000
STAGES = ("preprocess", "contours", "closing", "cells")


@dataclass(frozen=True)
class Contours:
    """The finished contour probability, processed frame, shape (Z, Y, X), float32.

    `share` is that of contour pixels in some slices, 0 to 1; `given` the name of what took the
    place of Step 1.
    """

    probability: Any
    share: float
    given: str = ""

    @classmethod
    def of(cls, probability: Any, given: Stack | None = None) -> Contours:
        """Return it with its share, and the name of what was given in place of Step 1."""
        depth = probability.shape[0]
        some = range(0, depth, max(1, depth // 8))
        shares = [float(is_contour(probability[z]).mean()) for z in some]
        return cls(probability, sum(shares) / len(shares), "" if given is None else given.name)


@dataclass(frozen=True)
class IterationSlices:
    """The slices that took part in a closing iteration, float16, by index.

    `changed`, `changed_by_slice`, `likely_gaps` are as in `types.Iteration`; number 0 is Step 1.
    """

    number: int
    slices: dict[int, np.ndarray]
    changed: float
    changed_by_slice: np.ndarray | None = None
    likely_gaps: bool = False


@dataclass(frozen=True)
class ShownClosed:
    """The closed contour in the frame of the original stack, shape (Z, Y, X), uint8.

    `closing` is what it came from, None for a cancelled run; `shadow` is its copy from `packed`.
    Both arrays are None for a run on disk.
    """

    closing: Closing | None
    mask: np.ndarray | None
    shadow: np.ndarray | None


@dataclass(frozen=True)
class ShownCells:
    """Cells in the frame of the original stack, shape (Z, Y, X), and their largest label.

    `there` is `cells` with the numbers of those in the stack, None for a run on disk.

    uint16 where labels are few enough, which napari draws without compiling code first; else
    uint32. None for a run on disk.
    """

    cells: Cells
    labels: np.ndarray | None
    largest: int
    there: Cells | None = None


def run_stages(
    stack: Stack,
    settings: Settings,
    *,
    store: RunStore,
    contours: Stack | None = None,
    until: str = "cells",
    first: int = 0,
    repair: bool = False,
    load: Callable[..., Any] = Network.load,
) -> Steps[RunResult | None]:
    """Run the pipeline up to and with a stage.

    Parameters
    ----------
    stack, settings, store, contours, first, repair, load
        As for `pipeline.run`.
    until : str
        One of `STAGES`.

    Yields
    ------
    Progress
        As `pipeline.run`; `partial` is a `Preprocessed`, `SliceResult`, `Contours`,
        `IterationSlices`, `ShownClosed` or `ShownCells`, to be shown as it is.

    Returns
    -------
    RunResult or None
        None when it stopped before the last stage.
    """
    load_layers()
    ready: Preprocessed | None = None
    step1: np.ndarray | None = None
    closed: np.ndarray | None = None
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
                return end.value
            partial = progress.partial
            is_end = not progress.unit and partial is not None
            if isinstance(partial, Preprocessed):
                ready = partial
                yield progress
            elif isinstance(partial, Iteration):
                yield replaced(progress, _iteration(partial))
            elif isinstance(partial, Closing):
                assert ready is not None
                assert step1 is not None
                shown = shown_closing(partial, step1, ready)
                closed = shown.mask
                yield replaced(progress, shown)
            elif isinstance(partial, Cells):
                assert ready is not None
                assert closed is not None
                yield replaced(progress, cells_within(partial, closed, ready))
            elif is_end and progress.step == "contours":
                step1 = partial
                yield replaced(progress, Contours.of(partial, contours))
                yield Progress(
                    "contours", 1, 1, partial=IterationSlices(0, _half(partial), 0.0, None)
                )
            elif isinstance(partial, SliceResult):
                image = partial.values.astype(np.float16)
                yield replaced(progress, SliceResult(partial.index, image))
            else:
                yield progress
            if is_end and progress.step == until and until != STAGES[-1]:
                return None


def close_early(
    ready: Preprocessed, probability: np.ndarray, start: np.ndarray | None, cells: CellParams
) -> Steps[None]:
    """Make closed contours and cells of the last complete iteration of a cancelled run.

    Parameters
    ----------
    ready : Preprocessed
    probability : ndarray, shape (Z, Y, X)
        After that iteration.
    start : ndarray or None
        Step 1 probability, to unite with.
    cells : CellParams
    """
    mask = is_contour(probability)
    if start is not None:
        mask |= is_contour(start)
    mask = mask.astype(np.uint8)
    soft = probability if start is None else soft_contour(mask, probability, start)
    closed = _closed(mask, soft, ready)
    yield Progress("closing", 1, 1, partial=ShownClosed(None, closed, packed(closed)))
    made = yield from label_cells(mask, cells, excluded=without_cells(ready))
    yield Progress("cells", 1, 1, partial=cells_within(made, closed, ready))


def packed(mask: np.ndarray) -> np.ndarray:
    """Return a copy of a mask, shape (Z, Y, X), at one bit a pixel: shape (Z, bytes), uint8."""
    return np.packbits(mask.reshape(len(mask), -1) != 0, axis=1)


def shown_cells(cells: Cells, labels: np.ndarray) -> ShownCells:
    """Return cells for a layer; `labels` are in the frame of the original stack."""
    largest = int(labels.max(initial=0))
    there = cells.counted_in(labels)
    if largest <= _MOST_UINT16:
        return ShownCells(cells, labels.astype(np.uint16), largest, there)
    compile_colours()
    return ShownCells(cells, labels, largest, there)


def compile_colours() -> None:
    """Have napari compile the colours of uint32 labels: in a thread rather than in the window."""
    from napari.utils.colormaps import label_colormap

    for shape in ((2, 2), (2, 2, 2)):
        label_colormap().map(np.zeros(shape, np.uint32))


def shown_closing(closing: Closing, contours: np.ndarray, ready: Preprocessed) -> ShownClosed:
    """Return the closed contour for a layer; `contours` are those of Step 1."""
    soft = soft_contour(closing.mask, closing.probability, contours)
    closed = _closed(closing.mask, soft, ready)
    return ShownClosed(closing, closed, packed(closed))


def cells_within(cells: Cells, closed: np.ndarray, ready: Preprocessed) -> ShownCells:
    """Return cells for a layer; `closed` is the contour in the frame of the original stack."""
    labels = clear_padding(to_original(cells.labels, ready.frame, "labels"), ready)
    labels[closed > 0] = 0
    return shown_cells(cells, labels)


def _closed(mask: np.ndarray, soft: np.ndarray, ready: Preprocessed) -> np.ndarray:
    """Return the closed contour in the frame of the original stack."""
    return clear_padding(to_original(mask, ready.frame, "mask", soft), ready)


def replaced(progress: Progress, partial: Any) -> Progress:
    """Return progress with another partial result."""
    return Progress(
        progress.step, progress.done, progress.total, progress.unit, progress.note, partial
    )


def _half(stack: np.ndarray) -> dict[int, np.ndarray]:
    return {z: image.astype(np.float16) for z, image in enumerate(stack)}


def _iteration(iteration: Iteration) -> IterationSlices:
    active = np.flatnonzero(~np.isnan(iteration.changed_by_slice))
    slices = {int(z): iteration.probability[z].astype(np.float16) for z in active}
    return IterationSlices(
        iteration.number,
        slices,
        iteration.changed,
        iteration.changed_by_slice,
        iteration.likely_gaps,
    )
