"""Open napari on a finished run."""

from __future__ import annotations

import weakref
from typing import Any

from napari_copnet.gui.viewer.add_stack import add_stack
from napari_copnet.gui.viewer.layer_source import Placement
from napari_copnet.gui.workflow.memory_estimate import iteration_bytes
from napari_copnet.gui.workflow.result_layers import ResultLayers
from napari_copnet.gui.workflow.run_stages import (
    Contours,
    IterationSlices,
    ShownClosed,
    packed,
    shown_cells,
)
from napari_copnet.pipeline import RunResult
from napari_copnet.restored import Restored

_kept: weakref.WeakKeyDictionary[Any, ResultLayers] = weakref.WeakKeyDictionary()


def show_run(result: RunResult, restored: Restored, block: bool = True) -> Any:
    """Open napari with a run's image, contour probability, closed contours and cells.

    The closed contour can be edited, and cells follow.

    Parameters
    ----------
    result : RunResult
        From `pipeline.run`.
    restored : Restored
        From `restored.restore`.
    block : bool
        Whether to return only when the window was closed.

    Returns
    -------
    napari.Viewer
    """
    import napari

    viewer = napari.Viewer(title=f"COp-Net: {result.stack.name}", show=block)
    layers = add_run(viewer, result, restored)
    # Without this the link between contour and cells would end with this function.
    _kept[viewer] = layers
    if block:
        napari.run()
    return viewer


def add_run(viewer: Any, result: RunResult, restored: Restored) -> ResultLayers:
    """Add a run's image and results to a viewer."""
    image = add_stack(viewer, result.stack)
    layers = ResultLayers(viewer, Placement.of(image), iteration_bytes())
    kept = result.closing.iterations
    iterations: list[Any] = []
    if kept is not None:
        iterations = [
            IterationSlices(number, dict(enumerate(stack)), 0.0)
            for number, stack in enumerate(kept)
        ]
    layers.show(
        [
            result.preprocessed,
            Contours.of(result.contours),
            *iterations,
            ShownClosed(result.closing, restored.closed.copy(), packed(restored.closed)),
            shown_cells(result.cells, restored.cells.copy()),
        ]
    )
    middle = image.data.shape[0] // 2
    viewer.dims.set_current_step(viewer.dims.ndim - 3, middle)
    return layers
