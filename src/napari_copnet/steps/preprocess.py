"""Make a stack ready for the contour network: z-score, resize, align."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.lazy_array import LazyArray
from napari_copnet.padding.grey import clean_slice, mean_and_deviation
from napari_copnet.params import PreprocessParams, checked
from napari_copnet.plane_size import is_strip, processed_plane
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.fixed_size import fixed_size
from napari_copnet.steps.registration import (
    align_shifts,
    copy_plane,
    pair_shift,
    registration_copy,
)
from napari_copnet.steps.resize import resize_linear, resize_mask
from napari_copnet.steps.slice_views import Margin, Shifted, inverted
from napari_copnet.store.blocks import block_length, blocks_of, over_blocks
from napari_copnet.store.memory import MemoryStage
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import Frame, Preprocessed, Stack, VoxelSize


@dataclass(frozen=True)
class _Shared:
    """What blocks of slices need to be preprocessed.

    Attributes
    ----------
    stack : callable
        Returns the stack, with slices that may be lazy.
    params : PreprocessParams
    plane : tuple of int
        Shape of a processed slice.
    align : bool
    resized : array, shape (Z, Y, X), float32
        Processed slices before they are shifted.
    bits : array, shape (Z, bytes), uint8
        Padding of the original, one bit a pixel.
    padding : array, shape (Z, Y, X), bool
        The same in processed slices before they are shifted.
    copies : array, shape (Z, Y, X), float32
        Small copies for registration.
    before : tuple of int
        For each slice the last one before it that is not blank, or -1.
    """

    stack: Callable[[], Stack]
    params: PreprocessParams
    plane: tuple[int, int]
    align: bool
    resized: Any
    bits: Any
    padding: Any
    copies: Any
    before: tuple[int, ...] = ()


def preprocess(
    stack: Stack,
    params: PreprocessParams | None = None,
    *,
    stage: Stage | None = None,
    block: int = 0,
    reopen: Callable[[], Stack] | None = None,
) -> Steps[Preprocessed]:
    """Normalise each slice without its padding, resize it in-plane and align it with the last one.

    Slices are read one at a time, so the stack may be lazy. Shifts are whole pixels, so
    nothing is blurred and they can be undone exactly. `align_shifts` decides which shifts count.

    Padding (`padding.detect.find_padding`) is left out of the mean and standard deviation, and is
    filled by mirroring, so that neither registration nor networks see its edge. Hot pixels are
    clipped (`padding.grey.without_hot_pixels`). Slices with neither are not changed.
    ``params.invert`` ``"auto"`` does not invert: this needs the contour network (`steps.contrast`).

    Parameters
    ----------
    stack : Stack
        Of any real dtype.
    params : PreprocessParams, optional
    stage : Stage, optional
        Where arrays of the size of the stack lie; in memory by default.
    block : int
        Slices at once; 0 chooses. Results do not depend on it.
    reopen : callable, optional
        Returns the same stack in another process, where blocks may run.

    Yields
    ------
    Progress
        One for each slice, with a note where something was skipped.

    Returns
    -------
    Preprocessed
        Its arrays are lazy unless the stage is in memory.

    Raises
    ------
    InputError
        No slices, a side under 2 px, or a slice with some NaN or infinite pixels. A slice
        without any finite pixel counts as blank.
    """
    params = checked(params or PreprocessParams())
    stage = stage or MemoryStage()
    shape = stack.shape
    if len(shape) != 3 or shape[0] < 1 or min(shape[1:]) < 2:
        raise InputError(
            f"The stack has shape {shape}: slices need at least 2 pixels a side.",
            "Give an image stack with axes z, y, x.",
        )
    size, size_note = fixed_size(stack, params)
    plane = processed_plane(shape[1:], size)
    depth = shape[0]
    align = params.align and depth > 1 and stack.axes != "tyx"
    copy = copy_plane(plane) if align else (1, 1)
    shared = _Shared(
        reopen or (lambda: stack),
        params,
        plane,
        align,
        stage.array("resized", (depth, *plane), np.float32),
        stage.array("padding-bits", (depth, -(-shape[1] * shape[2] // 8)), np.uint8),
        stage.array("padding", (depth, *plane), bool),
        stage.array("copies", (depth if align else 1, *copy), np.float32),
    )
    blocks = blocks_of(range(depth), block or block_length(plane))
    read = yield from over_blocks(stage, "slices", _prepare, blocks, shared, "preprocess")
    blank = np.concatenate([values["blank"] for values in read])
    areas = np.concatenate([values["padding"] for values in read])
    notes = [size_note] if size_note else []
    notes += [_blank_note(int(z)) for z in np.flatnonzero(blank)]
    pairs = np.zeros((depth, 2))
    if align:
        shared = replace(shared, before=_before(blank))
        found = yield from over_blocks(stage, "pairs", _register, blocks, shared, "preprocess")
        pairs = np.concatenate([values["pairs"] for values in found])
        notes += [str(note) for values in found for note in values["notes"] if note]
    shifts, drift = align_shifts(pairs, shape, plane)
    stage.drop("copies")
    told = (drift, _padding_note(areas, shape), _strip_note(shape, plane, size))
    for note in told:
        if note:
            notes.append(note)
            yield Progress("preprocess", depth, depth, "slices", note)
    frame = Frame(shape, (depth, *plane), shifts)
    voxel_size = _processed_voxel_size(stack.voxel_size, shape[1:], plane)
    padded = bool(areas.any())
    shown = Preprocessed(
        data=_shifted(shared.resized, shifts, mirrored=True, in_memory=stage.in_memory),
        frame=frame,
        margin=LazyArray((depth, *plane), bool, Margin(frame, None)),
        blank=tuple(int(z) for z in np.flatnonzero(blank)),
        voxel_size=voxel_size,
        notes=tuple(notes),
        inverted=params.invert == "yes",
    )
    if padded:
        padding = _shifted(shared.padding, shifts, mirrored=False, in_memory=stage.in_memory)
        margin_of = LazyArray((depth, *plane), bool, Margin(frame, padding))
        shown = replace(shown, padding=padding, padding_bits=shared.bits, margin=margin_of)
    if stage.in_memory:
        shown = replace(shown, margin=np.asarray(shown.margin))
    return shown


def _prepare(block: tuple[int, ...], shared: _Shared) -> Steps[Values]:
    """Read, clean, normalise and resize the slices of a block."""
    stack, params = shared.stack(), shared.params
    if params.padding:
        # Not before it is needed: it loads numba.
        from napari_copnet.padding.detect import find_padding
    blank = np.zeros(len(block), bool)
    areas = np.zeros(len(block), np.int64)
    for index, z in enumerate(block):
        image = _read(stack, z)
        note = ""
        if is_blank(image, z):
            blank[index] = True
            note = _blank_note(z)
        else:
            found = find_padding(image) if params.padding else None
            image = clean_slice(image, found)
            # Resizing first is the same, and less work on large slices.
            resized = resize_linear(image, shared.plane)
            if params.normalise:
                mean, deviation = mean_and_deviation(image, found)
                resized = ((resized - mean) / deviation).astype(np.float32)
            if params.invert == "yes":
                resized = inverted(resized, params.normalise)
            shared.resized[z] = resized
            if found is not None:
                shared.bits[z] = np.packbits(found)
                shared.padding[z] = resize_mask(found, shared.plane)
                areas[index] = np.count_nonzero(found)
            if shared.align:
                shared.copies[z] = registration_copy(resized)
        yield Progress("preprocess", index + 1, len(block), "slices", note)
    return {"blank": blank, "padding": areas}


def _read(stack: Stack, z: int) -> np.ndarray:
    """Return a slice; whole numbers of up to 16 bits as they are, which takes less memory."""
    image = np.asarray(stack.data[z])
    return image if image.dtype in (np.uint8, np.uint16) else image.astype(np.float32)


def _register(block: tuple[int, ...], shared: _Shared) -> Steps[Values]:
    """Register the slices of a block with the last good ones before them."""
    pairs = np.zeros((len(block), 2))
    notes = [""] * len(block)
    for index, z in enumerate(block):
        if shared.before[z] >= 0:
            last, current = shared.copies[shared.before[z]], shared.copies[z]
            largest = shared.params.max_shift
            pairs[index], notes[index] = pair_shift(last, current, shared.plane, largest, z)
        yield Progress("preprocess", index + 1, len(block), "slices", notes[index])
    return {"pairs": pairs, "notes": np.array(notes)}


def _blank_note(z: int) -> str:
    return f"Slice {z} is blank and was skipped."


def _before(blank: np.ndarray) -> tuple[int, ...]:
    """Return for each slice the last one before it that is not blank; -1 for none and for blank."""
    last, found = -1, []
    for z, skipped in enumerate(blank):
        found.append(-1 if skipped else last)
        last = last if skipped else z
    return tuple(found)


def _shifted(array: Any, shifts: np.ndarray, *, mirrored: bool, in_memory: bool) -> Any:
    """Return slices moved by their shifts: changed in place in memory, else when asked for."""
    moved = Shifted(array, shifts.astype(int), mirrored)
    if in_memory:
        for z in np.flatnonzero(shifts.any(axis=1)):
            array[z] = moved(int(z))
        return array
    return LazyArray(array.shape, array.dtype, moved)


def is_blank(image: np.ndarray, z: int) -> bool:
    """Whether a slice is constant or has no finite pixel.

    Raises
    ------
    InputError
        Some pixels are NaN or infinite.
    """
    low, high = image.min(), image.max()
    # Both are finite only if all pixels are.
    if np.isfinite(low) and np.isfinite(high):
        return bool(low == high)
    finite = np.count_nonzero(np.isfinite(image))
    if finite:
        raise InputError(
            f"Slice {z} has {image.size - finite} NaN or infinite pixels.",
            "Read the stack with the option repair, which fills them from their neighbours.",
        )
    return True


def _padding_note(by_slice: np.ndarray, shape: tuple[int, int, int]) -> str:
    areas = by_slice[by_slice > 0].tolist()
    if not areas:
        return ""
    share = sum(areas) / len(areas) / (shape[1] * shape[2])
    where = "1 slice has" if len(areas) == 1 else f"{len(areas)} slices have"
    return (
        f"{where} padding ({share:.0%} of a slice on average), which is left out. If it is "
        "tissue, turn off Find padding."
    )


def _strip_note(shape: tuple[int, int, int], plane: tuple[int, int], size: int) -> str:
    if size == 0 or max(plane) <= size or not is_strip(shape[1:]):
        return ""
    return (
        f"Slices are strips of {shape[1]} × {shape[2]} px. Networks see them at {plane[0]} × "
        f"{plane[1]} px, because cells would be too small at {size} px on the longer side."
    )


def _processed_voxel_size(
    size: VoxelSize, original: tuple[int, ...], plane: tuple[int, int]
) -> VoxelSize:
    y, x = (
        None if side is None else side * old / new
        for side, old, new in zip((size.y, size.x), original, plane, strict=True)
    )
    return VoxelSize(size.z, y, x)
