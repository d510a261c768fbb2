"""Check the pixels of a stack before work starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import Stack


def check_pixels(stack: Stack, repair: bool = False) -> Stack:
    """Return the stack when all its pixels are finite, or with the others filled.

    A pixel that is NaN or infinite takes the value of the nearest finite pixel of its slice; a
    slice without any takes the nearest slice that has some.

    Parameters
    ----------
    stack : Stack
        Not changed. Integer stacks are returned as they are; lazy ones stay lazy.
    repair : bool
        Fill instead of stopping.

    Raises
    ------
    InputError
        Names the slices with NaN or infinite pixels; or no pixel of the stack is finite.
    """
    if np.dtype(stack.data.dtype).kind != "f":
        return stack
    side = stack.shape[1] * stack.shape[2]
    counts = [side - np.count_nonzero(np.isfinite(np.asarray(part))) for part in stack.data]
    bad = [z for z, count in enumerate(counts) if count]
    if not bad:
        return stack
    word = "Slice" if len(bad) == 1 else "Slices"
    if not repair:
        raise InputError(
            f"{word} {numbered(bad)} of {stack.name} {'has' if len(bad) == 1 else 'have'} NaN or "
            f"infinite pixels ({sum(counts)} in all).",
            "Set repair (--repair) to fill them from their neighbours.",
        )
    good = [z for z, count in enumerate(counts) if count < side]
    if not good:
        raise InputError(f"{stack.name} has no finite pixels.", "Choose another stack.")

    def plane(index: int) -> np.ndarray:
        source = min(good, key=lambda z: abs(z - index)) if counts[index] == side else index
        return _filled(np.asarray(stack.data[source]))

    data: Any
    if isinstance(stack.data, np.ndarray) and not isinstance(stack.data, np.memmap):
        data = stack.data.copy()
        for z in bad:
            data[z] = plane(z)
    else:
        data = LazyArray(stack.shape, stack.data.dtype, plane)
    note = f"{sum(counts)} NaN or infinite pixels were filled ({word.lower()} {numbered(bad)})."
    return replace(stack, data=data, notes=(*stack.notes, note))


def _filled(values: np.ndarray) -> np.ndarray:
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return values[tuple(nearest)]


def blank_slices(stack: Stack) -> tuple[int, ...]:
    """Return the slices whose pixels all have one value (not counting NaN and infinity)."""
    blank = []
    for z in range(stack.shape[0]):
        values = np.asarray(stack.data[z])
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if values.size == 0 or values.min() == values.max():
            blank.append(z)
    return tuple(blank)


def numbered(indices: list[int]) -> str:
    """Write slice numbers as ``0, 3–5``."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    parts = [f"{a}" if a == b else f"{a}–{b}" for a, b in runs]
    return ", ".join(parts[:12]) + (" …" if len(parts) > 12 else "")
