"""What a session begins with: the results of a run, in the frame in which they are edited."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.io.raw import is_lazy, lazy_above
from napari_copnet.io.read import read_image, read_iterations, read_stack
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import CellParams, Settings, from_dict
from napari_copnet.pipeline import RunResult
from napari_copnet.restored import Restored
from napari_copnet.runs.generation import REPEAT, read_generation
from napari_copnet.runs.known_files import RECORD
from napari_copnet.runs.run_folder import PADDING, read_run
from napari_copnet.runs.run_input import read_input
from napari_copnet.runs.run_record import is_described, padding_mask, run_record
from napari_copnet.steps.frame import to_original
from napari_copnet.types import Frame, Stack

# How many times larger than processed slices, or smaller, the original ones can be.
_MOST_SCALED = 1 << 14
# Images of a run with more bytes are read slice by slice.
EAGER_BYTES = 32 << 20


@dataclass(frozen=True)
class Start:
    """What a session begins with; all arrays in one frame.

    Attributes
    ----------
    contour : array, shape (Z, Y, X)
        Closed contour; anything above 0 is contour. This and the others may be lazy: index them
        slice by slice.
    step1 : array, shape (Z, Y, X), float
        Contour probability of Step 1, 0 to 1.
    stack : Stack or None
        The image.
    iterations : array, shape (I, Z, Y, X), float, or None
        Contour probability by iteration, Step 1 first.
    converged : ndarray, shape (Z,), bool, or None
        Whether closing converged in each slice, where it is known.
    excluded : array, shape (Z, Y, X), bool, or None
        Where there can be no cells: blank slices, padding, and what alignment moved out of
        sight.
    cells : CellParams
        Sizes are in pixels of this frame.
    record : dict
        The run's record, as in ``run.json``.
    shifts : ndarray, shape (Z, 2), int, or None
        How far along y, x alignment moves each slice, px of this frame; None where all lie as they
        are. Cells are linked where they then lie, as in the run.
    labels : array, shape (Z, Y, X), unsigned int, or None
        Cells whose numbers say which slice cells are one; None where overlap says so.
    """

    contour: Any
    step1: Any
    stack: Stack | None = None
    iterations: Any = None
    converged: np.ndarray | None = None
    excluded: Any = None
    cells: CellParams = CellParams()
    record: dict[str, Any] = field(default_factory=dict)
    shifts: np.ndarray | None = None
    labels: Any = None


def from_result(
    result: RunResult, restored: Restored | None, settings: Settings = Settings()
) -> Start:
    """Return what a session begins with, from the result of a run.

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
            _excluded(ready.frame, ready.blank, ready.padding, processed=True),
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
        _excluded(frame, ready.blank, None if ready.padding_bits is None else padding_mask(ready)),
        scaled_params(settings.cells, frame.original_shape[1:], frame.processed_shape[1:]),
        run_record(result, settings, "original"),
        _shifts(frame),
    )


def from_run_folder(folder: Path | str) -> Start:
    """Return what lies in the folder of a run.

    Parameters
    ----------
    folder : path
        With ``contours`` and ``closed``; ``iterations``, ``image`` and ``run.json`` are taken when
        there. The image is else looked for where the record says it was. What is large stays on
        disk and is read slice by slice.

    Raises
    ------
    InputError
        No such folder, no closed contours in it, or images that do not belong together.
    """
    with lazy_above(EAGER_BYTES):
        return _from_run_folder(Path(folder))


def _from_run_folder(folder: Path) -> Start:
    found = read_run(folder)
    if "closed" not in found:
        raise InputError(
            f"The folder {folder.name} contains no closed contours.",
            "Choose the folder of a complete run.",
        )
    framed = read_image(found["closed"])
    closed = framed.data
    step1 = _as_float(read_image(found["contours"]).data if "contours" in found else closed)
    record: dict[str, Any] = read_generation(folder) or {}
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
    _check_frame(folder, frame, closed.shape)
    processed = frame.get("results") == "processed"
    params = _cell_params(record)
    excluded = shifts = None
    if frame:
        whole = Frame(
            tuple(frame["original_shape"]),
            tuple(frame["processed_shape"]),
            np.array(frame["shifts"], float).reshape(-1, 2),
        )
        blank = tuple(record.get("blank_slices", ()))
        excluded = _excluded(whole, blank, _padding_file(found, closed.shape), processed)
        if not processed:
            params = scaled_params(params, whole.original_shape[1:], whole.processed_shape[1:])
            shifts = _shifts(whole)
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
        shifts,
    )


def _shifts(frame: Frame) -> np.ndarray | None:
    """Return shifts in pixels of the original, or None where there are none."""
    if not len(frame.shifts) or not np.any(frame.shifts):
        return None
    scale = np.divide(frame.original_shape[1:], frame.processed_shape[1:])
    return np.round(frame.shifts * scale).astype(np.int64)


def _check_frame(folder: Path, frame: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Check that a record's frame belongs to results of a shape."""
    if not frame:
        return
    there = {"original_shape", "processed_shape", "shifts"} <= set(frame)
    name = "processed_shape" if frame.get("results") == "processed" else "original_shape"
    if there and tuple(frame[name]) == shape and len(frame["shifts"]) in (0, shape[0]):
        areas = [frame[one][1] * frame[one][2] for one in ("original_shape", "processed_shape")]
        depths = {frame[one][0] for one in ("original_shape", "processed_shape")}
        if depths == {shape[0]} and max(areas) <= _MOST_SCALED * min(areas):
            return
    raise InputError(f"The frame in {folder / RECORD} does not match the results.", REPEAT)


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


def _excluded(
    frame: Frame, blank: tuple[int, ...], padding: Any = None, processed: bool = False
) -> Any:
    """Return where there are no results, shape (Z, Y, X), bool, or None where there are everywhere.

    It is lazy where it is large.
    """
    shape = frame.processed_shape if processed else frame.original_shape
    is_moved = not processed and bool(np.any(frame.shifts))
    if not blank and not is_moved and padding is None:
        return None

    def plane(z: int) -> np.ndarray:
        excluded = np.full(shape[1:], z in blank)
        if is_moved and np.any(frame.shifts[z]):
            one = Frame(
                (1, *frame.original_shape[1:]),
                (1, *frame.processed_shape[1:]),
                frame.shifts[z : z + 1],
            )
            seen = to_original(np.ones(one.processed_shape, np.uint8), one, "labels")
            excluded |= seen[0] == 0
        if padding is not None:
            excluded |= np.asarray(padding[z]) > 0
        return excluded

    excluded = LazyArray(shape, bool, plane)
    if excluded.nbytes > EAGER_BYTES:
        return excluded
    found = np.asarray(excluded)
    return found if found.any() else None


def _as_float(values: Any) -> Any:
    """Return an array as float32; a large one is converted slice by slice."""
    if not is_lazy(values.shape, values.dtype):
        return np.asarray(values, np.float32)
    return LazyArray(values.shape, np.float32, lambda z: np.asarray(values[z]))


def _padding_file(found: dict[str, Path], shape: tuple[int, ...]) -> Any:
    """Return the padding a run found; an earlier run's, of other slices, does not count."""
    if PADDING not in found:
        return None
    padding = read_image(found[PADDING]).data
    return padding if padding.shape == shape else None


def _cell_params(record: dict[str, Any]) -> CellParams:
    values = record.get("settings", {}).get("cells", {})
    try:
        return from_dict(CellParams, values)
    except (CopnetError, TypeError, ValueError):
        # The record of another version; contours and cells do not depend on it.
        return CellParams()


def _converged(record: dict[str, Any], depth: int) -> np.ndarray | None:
    settled = record.get("converged_by_slice", [])
    return np.array(settled, bool) if len(settled) == depth else None


def _image(folder: Path, record: dict[str, Any], shape: tuple[int, ...]) -> Stack | None:
    there = [path for path in sorted(folder.glob("image.*")) if not path.name.startswith(".")]
    for candidate in there:
        if candidate.is_file() or candidate.is_dir():
            stack = read_stack(candidate)
            if stack.shape == shape:
                return stack
    told = record.get("inputs", {}).get("stack", {})
    if told.get("path") and is_described(path := Path(told["path"]), told):
        stack = read_input(path, record)
        if stack.shape == shape:
            return stack
    return None
