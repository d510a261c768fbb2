"""What a session begins with: the results of a run, in the frame in which they are edited."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.io.read import read_image, read_iterations, read_stack
from napari_copnet.params import CellParams, Settings, from_dict
from napari_copnet.pipeline import RunResult
from napari_copnet.restored import Restored
from napari_copnet.runs.run_folder import PADDING, read_run
from napari_copnet.runs.run_record import padding_mask, run_record
from napari_copnet.steps.frame import to_original
from napari_copnet.types import Frame, Stack


@dataclass(frozen=True)
class Start:
    """What a session begins with; all arrays in one frame.

    Attributes
    ----------
    contour : ndarray, shape (Z, Y, X)
        Closed contour; anything above 0 is contour.
    step1 : ndarray, shape (Z, Y, X), float
        Contour probability of Step 1, 0 to 1.
    stack : Stack or None
        The image.
    iterations : array, shape (I, Z, Y, X), float, or None
        Contour probability by iteration, Step 1 first.
    converged : ndarray, shape (Z,), bool, or None
        Whether closing converged in each slice, where it is known.
    excluded : ndarray, shape (Z, Y, X), bool, or None
        Where there can be no cells: blank slices, padding, and what alignment moved out of
        sight.
    cells : CellParams
        Sizes are in pixels of this frame.
    record : dict
        The run's record, as in ``run.json``.
    """

    contour: np.ndarray
    step1: np.ndarray
    stack: Stack | None = None
    iterations: Any = None
    converged: np.ndarray | None = None
    excluded: np.ndarray | None = None
    cells: CellParams = CellParams()
    record: dict[str, Any] = field(default_factory=dict)


def from_result(
    result: RunResult, restored: Restored | None, settings: Settings = Settings()
) -> Start:
    """Return what a run made.

    Parameters
    ----------
    result : RunResult
        From `pipeline.run`.
    restored : Restored or None
        From `restored.restore`: the session then has the frame of the original stack. None keeps
        the processed frame.
    settings : Settings
        Of the run.
    """
    ready, closing = result.preprocessed, result.closing
    if restored is None:
        stack = dataclasses.replace(result.stack, data=ready.data, voxel_size=ready.voxel_size)
        return Start(
            closing.mask,
            result.contours,
            stack,
            closing.iterations,
            closing.converged,
            _with_padding(_unseen(ready.frame, ready.blank, processed=True), ready.padding),
            settings.cells,
            run_record(result, settings, "processed"),
        )
    frame = ready.frame
    return Start(
        restored.closed,
        restored.contours,
        result.stack,
        restored.iterations,
        closing.converged,
        _with_padding(
            _unseen(frame, ready.blank),
            None if ready.padding_bits is None else np.asarray(padding_mask(ready)),
        ),
        scaled_params(settings.cells, frame.original_shape[1:], frame.processed_shape[1:]),
        run_record(result, settings, "original"),
    )


def from_run_folder(folder: Path | str) -> Start:
    """Return what lies in the folder of a run.

    Parameters
    ----------
    folder : path
        With ``contours`` and ``closed``; ``iterations``, ``image`` and ``run.json`` are taken when
        there. The image is else looked for where the record says it was.

    Raises
    ------
    InputError
        No such folder, no closed contours in it, or images that do not belong together.
    """
    folder = Path(folder)
    found = read_run(folder)
    if "closed" not in found:
        raise InputError(
            f"The folder {folder.name} contains no closed contours.",
            "Choose the folder of a complete run.",
        )
    framed = read_image(found["closed"])
    closed = np.asarray(framed.data)
    step1 = closed.astype(np.float32)
    if "contours" in found:
        step1 = np.asarray(read_image(found["contours"]).data, np.float32)
    record: dict[str, Any] = json.loads(found["run"].read_text()) if "run" in found else {}
    iterations = read_iterations(found["iterations"]) if "iterations" in found else None
    shapes = {"contours": step1.shape}
    if iterations is not None:
        shapes["iterations"] = iterations.shape[1:]
    for name, shape in shapes.items():
        if shape != closed.shape:
            raise InputError(
                f"In the folder {folder.name}, closed and {name} differ in size.",
                "Run it again.",
            )
    frame = record.get("frame", {})
    processed = frame.get("results") == "processed"
    params = _cell_params(record)
    excluded = None
    if frame:
        whole = Frame(
            tuple(frame["original_shape"]),
            tuple(frame["processed_shape"]),
            np.array(frame["shifts"], float).reshape(-1, 2),
        )
        excluded = _unseen(whole, tuple(record.get("blank_slices", ())), processed)
        excluded = _with_padding(excluded, _padding_file(found, closed.shape))
        if not processed:
            params = scaled_params(params, whole.original_shape[1:], whole.processed_shape[1:])
    stack = _image(folder, record, closed.shape)
    if stack is not None:
        # The results know the voxel size, also where the user had to give it.
        stack = dataclasses.replace(
            stack, voxel_size=framed.voxel_size, translate=framed.translate, axes=framed.axes
        )
    return Start(
        closed,
        step1,
        stack,
        iterations,
        _converged(record, len(closed)),
        excluded,
        params,
        record,
    )


def scaled_params(
    params: CellParams, original: tuple[int, ...], processed: tuple[int, ...]
) -> CellParams:
    """Return cell settings, given in processed pixels, in pixels of the original.

    Parameters
    ----------
    params : CellParams
    original, processed : tuple of int
        In-plane shapes.
    """
    area = (original[0] * original[1]) / (processed[0] * processed[1])
    return dataclasses.replace(
        params,
        min_size=round(params.min_size * area),
        dilation=round(params.dilation * area**0.5),
        grow=round(params.grow * area**0.5),
    )


def _unseen(frame: Frame, blank: tuple[int, ...], processed: bool = False) -> np.ndarray | None:
    """Return where there are no results, or None where there are results everywhere."""
    shape = frame.processed_shape if processed else frame.original_shape
    excluded = np.zeros(shape, bool)
    excluded[list(blank)] = True
    if not processed and np.any(frame.shifts):
        for z in range(shape[0]):
            if np.any(frame.shifts[z]):
                one = Frame(
                    (1, *frame.original_shape[1:]),
                    (1, *frame.processed_shape[1:]),
                    frame.shifts[z : z + 1],
                )
                seen = to_original(np.ones(one.processed_shape, np.uint8), one, "labels")
                excluded[z] |= seen[0] == 0
    return excluded if excluded.any() else None


def _with_padding(excluded: np.ndarray | None, padding: np.ndarray | None) -> np.ndarray | None:
    if padding is None or not np.any(padding):
        return excluded
    return (padding > 0) if excluded is None else excluded | (padding > 0)


def _padding_file(found: dict[str, Path], shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the padding a run found; an earlier run's, of other slices, does not count."""
    if PADDING not in found:
        return None
    padding = np.asarray(read_image(found[PADDING]).data)
    return padding if padding.shape == shape else None


def _cell_params(record: dict[str, Any]) -> CellParams:
    values = record.get("settings", {}).get("cells", {})
    try:
        return from_dict(CellParams, values)
    except (CopnetError, TypeError):
        # The record of another version; contours and cells do not depend on it.
        return CellParams()


def _converged(record: dict[str, Any], depth: int) -> np.ndarray | None:
    settled = record.get("converged_by_slice", [])
    return np.array(settled, bool) if len(settled) == depth else None


def _image(folder: Path, record: dict[str, Any], shape: tuple[int, ...]) -> Stack | None:
    there = [path for path in sorted(folder.glob("image.*")) if not path.name.startswith(".")]
    path = record.get("inputs", {}).get("stack", {}).get("path")
    if path:
        there.append(Path(path))
    for candidate in there:
        if candidate.exists():
            stack = read_stack(candidate)
            if stack.shape == shape:
                return stack
    return None
