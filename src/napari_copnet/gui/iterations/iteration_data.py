"""The data of an iterations layer, and what is computed from it in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.score_names import CELL_SCORES
from napari_copnet.evaluation.scores import evaluate
from napari_copnet.gui.viewer.layer_roles import shape_text
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.runs.united import is_united
from napari_copnet.steps.cells import label_slice
from napari_copnet.steps.iteration_history import changed_share, contour_after


def as_stack(data: Any) -> Any:
    """Return the data of an iterations layer with its z axis, which a single image has not."""
    if data.ndim == 4:
        return data
    if isinstance(data, np.ndarray):
        return data[:, None]
    shape = (data.shape[0], 1, *data.shape[1:])
    return LazyArray(shape, data.dtype, lambda number, _: data[number])


@dataclass(frozen=True)
class IterationsData:
    """What is known of an iterations layer.

    Attributes
    ----------
    numbers : list of int
        Number of the iteration at each position of the layer, 0 for Step 1.
    changed : dict of int to float
        Share of pixels that each iteration changed, as far as the run has told.
    unite : bool
        Whether the contour of Step 1 belongs to closed contours.
    cells : CellParams
        With which cells are labelled.
    values : array, shape (I, Z, Y, X)
        Contour probability as the networks saw it, where it is held; else the layer's data.
    running : bool
        More iterations may come.
    """

    numbers: list[int]
    changed: dict[int, float]
    unite: bool
    cells: CellParams
    values: Any
    running: bool = False


def iterations_data_of(layer: Any, panel: Any = None) -> IterationsData:
    """Return what the workflow dock, else the layer's own metadata, says of its iterations.

    Parameters
    ----------
    layer : napari.layers.Image
        Of shape (I, Z, Y, X).
    panel : WorkflowPanel, optional
        The dock that may have made it.
    """
    source = None
    if panel is not None:
        made = (s for s in panel.sources if s.layers.layer("iterations") == layer)
        source = next(made, None)
    if source is not None and source.layers.iterations is not None:
        held = source.layers.iterations
        settings = [part for parts in source.done.values() for part in parts]
        cells = next((p for p in settings if isinstance(p, CellParams)), CellParams())
        count = min(len(held), layer.data.shape[0])
        depth = source.layers.preprocessed.data.shape[0]
        slices = [[held.slice(i, z) for z in range(depth)] for i in range(count)]
        shape = (count, depth, *slices[0][0].shape)
        return IterationsData(
            list(held.numbers[:count]),
            dict(source.changed),
            source.layers.unite,
            cells,
            LazyArray(shape, np.float16, lambda i, z: slices[i][z]),
            panel.job is not None,
        )
    told = layer.metadata.get("copnet") or {}
    changed = {int(n): float(v) for n, v in (told.get("changed") or {}).items()}
    data = as_stack(layer.data)
    return IterationsData(
        list(range(data.shape[0])),
        changed,
        bool(told["unite"]) if "unite" in told else is_united(None),
        _cell_params(told.get("cells") or {}),
        data,
    )


def count_cells(known: IterationsData, missing: list[int]) -> Steps[None]:
    """Count the cells of iterations, and the share each changed where the run has not told.

    Parameters
    ----------
    known : IterationsData
    missing : list of int
        Positions in the layer.

    Yields
    ------
    Progress
        `partial` is (iteration, changed or None, cells in all slices).
    """
    for done, at in enumerate(missing, start=1):
        number = known.numbers[at]
        changed = known.changed.get(number)
        if changed is None and at:
            changed = changed_share(known.values, at)
        cells = 0
        for z in range(known.values.shape[1]):
            contour = contour_after(known.values, at, z, known.unite)
            cells += int(label_slice(contour.astype(np.uint8), known.cells).max(initial=0))
            yield Progress("count", done - 1, len(missing), "iterations")
        yield Progress("count", done, len(missing), "iterations", partial=(number, changed, cells))


def truth_stack(layer: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the truth that a labels layer holds, shape (Z, Y, X).

    Parameters
    ----------
    layer : napari.layers.Labels
    shape : tuple of int
        Of the stack it shall be the truth of.

    Raises
    ------
    InputError
        It has another shape.
    """
    true = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    true = true if true.ndim == 3 else true[None]
    if true.shape != shape:
        raise InputError(
            f"{layer.name} has the shape {shape_text(true.shape)}, the iterations "
            f"{shape_text(shape)}.",
            "Choose the ground truth of this stack.",
        )
    return true


def score_iterations(data: Any, numbers: list[int], unite: bool, truth: np.ndarray) -> Steps[None]:
    """Score the closed contour of each iteration against a truth in the same pixels.

    Parameters
    ----------
    data : array, shape (I, Z, Y, X)
        Contour probability by iteration. May be lazy.
    numbers : list of int
        Of the iterations.
    unite : bool
        See `steps.iteration_history.contour_after`.
    truth : ndarray, shape (Z, Y, X)
        True cells, or a mask of true contours.

    Yields
    ------
    Progress
        `partial` is (iteration, scores by name) after each iteration.

    Raises
    ------
    InputError
        Truth and iterations differ in shape.
    """
    depth = data.shape[1]
    for at, number in enumerate(numbers):
        contour = np.stack([contour_after(data, at, z, unite) for z in range(depth)])
        steps = evaluate(contour.astype(np.uint8), truth)
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                result = end.value
                break
            done = at + progress.done / progress.total
            yield Progress("score", done, len(numbers), "iterations")
        scores = {name: result.mean(name) for name in CELL_SCORES}
        yield Progress("score", at + 1, len(numbers), "iterations", partial=(number, scores))


def _cell_params(values: Mapping[str, Any]) -> CellParams:
    """Return cell settings from a run's record; names not known here are left out."""
    names = CellParams.__dataclass_fields__
    return CellParams(**{name: value for name, value in values.items() if name in names})
