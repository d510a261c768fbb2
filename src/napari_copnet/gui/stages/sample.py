"""The sample with its result, which come with the package: nothing has to run."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.first_layers import load_layers
from napari_copnet.gui.napari_compat.line_dashes import compute_dashes
from napari_copnet.gui.samples import tissue
from napari_copnet.gui.viewer.add_stack import Opened, image_layer
from napari_copnet.gui.workflow.run_stages import (
    Contours,
    IterationSlices,
    cells_within,
    shown_closing,
)
from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel
from napari_copnet.networks.package import find_model
from napari_copnet.params import PreprocessParams, Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.steps.preprocess import preprocess
from napari_copnet.steps.slice_views import Margin, Shifted
from napari_copnet.types import Cells, Closing, Preprocessed, SizeChoice, Stack
from napari_copnet.verdict.types import Verdict


def open_sample(workflow: WorkflowPanel) -> None:
    """Open the sample in the workflow, in the background, and show its result."""
    workflow.open_with(read_sample, lambda layer: _show_result(workflow, layer))


def read_sample() -> Steps[Opened]:
    """Read the sample in a thread."""
    yield Progress("read", 0, 1, "files")
    opened = Opened(image_layer(tissue.sample()))
    yield Progress("read", 1, 1, "files")
    return opened


def _show_result(workflow: WorkflowPanel, layer: Any) -> None:
    stack = Stack(np.asarray(layer.data), tissue.VOXEL_SIZE, name=tissue.NAME)
    settings = workflow.settings()
    if _is_of(settings):
        workflow.show_finished(layer, settings, lambda: _result(stack))


def _is_of(settings: Settings) -> bool:
    """Whether a run with these settings would give the result that is kept."""
    plain = dataclasses.replace(settings, device=Settings().device)
    try:
        models = [
            find_model(settings.contours.contour_model, "contours").sha256,
            find_model(settings.closing.closing_model, "closing").sha256,
        ]
    except CopnetError:
        return False
    record = json.loads(str(tissue.kept("record")["record"]))
    return plain == Settings() and models == record["models"]


def _result(stack: Stack) -> Steps[RunResult]:
    """Give the result that is kept as a run would."""
    yield Progress("preprocess", 0, 1, "slices")
    compute_dashes()
    load_layers()
    kept = tissue.kept()
    record = json.loads(str(kept["record"]))
    size = SizeChoice(**{**record["size"], "slices": (), "tried": ()})
    ready = _preprocessed(stack, size.size, kept["shifts"])
    shape = ready.frame.processed_shape
    yield Progress("preprocess", 1, 1, partial=ready)
    steps = np.cumsum(kept["iterations"], axis=0, dtype=np.uint8)
    maps = [(step / np.float32(kept["levels"])).astype(np.float32) for step in steps]
    contours = maps[0]
    yield Progress("contours", 1, 1, partial=Contours.of(contours))
    for number, image in enumerate(maps):
        changed = kept["changed_by_slice"][number - 1] if number else None
        yield Progress(
            "closing",
            number,
            len(maps),
            "iterations",
            partial=IterationSlices(
                number,
                {z: plane.astype(np.float16) for z, plane in enumerate(image)},
                float(kept["changed"][number - 1]) if number else 0.0,
                changed,
                record["likely_gaps"] and number == len(maps) - 1,
            ),
        )
    mask = tissue.unpacked(kept["mask"], shape)
    closing = Closing(
        mask,
        maps[-1],
        kept["changed"],
        kept["changed_by_slice"],
        kept["iterations_by_slice"],
        kept["converged"],
        settled=record["settled"],
        likely_gaps=record["likely_gaps"],
        certainty=record["certainty"],
    )
    shown = shown_closing(closing, contours, ready)
    yield Progress("closing", 1, 1, partial=shown)
    labels = kept["cells"].astype(np.uint32)
    cells = Cells(labels, kept["counts"], record["mode"], kept["links"], int(labels.max()))
    assert shown.mask is not None
    yield Progress("cells", 1, 1, partial=cells_within(cells, shown.mask, ready))
    models = {
        "contours": find_model("default", "contours"),
        "closing": find_model("default", "closing"),
    }
    return RunResult(
        stack,
        ready,
        contours,
        closing,
        cells,
        models,
        notes=(size.reason,),
        size=size,
        verdict=Verdict.from_dict(record["verdict"]),
    )


def _preprocessed(stack: Stack, size: int, shifts: np.ndarray) -> Preprocessed:
    """Preprocess without registering slices: their shifts are kept.

    The sample has no padding, and to look for it takes as long as all the rest.
    """
    params = PreprocessParams(size=size, invert="no", align=False, padding=False)
    ready = finish(preprocess(stack, params))
    moved = Shifted(ready.data, shifts.astype(int), True)
    frame = dataclasses.replace(ready.frame, shifts=shifts)
    depth = range(len(ready.data))
    edge = Margin(frame, None)
    return dataclasses.replace(
        ready,
        frame=frame,
        data=np.stack([moved(z) for z in depth]),
        margin=np.stack([edge(z) for z in depth]),
    )
