"""Contour maps from files: probability 0 to 1, the same as 0 to 255, or a mask."""

from __future__ import annotations

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.types import Stack


def as_probability(stack: Stack) -> np.ndarray:
    """Return a stack of contour maps as probability.

    Parameters
    ----------
    stack : Stack
        float in 0 to 1; an unsigned integer type whose full range stands for 0 to 1; or a
        mask with the values 0 and 1.

    Returns
    -------
    ndarray, shape (Z, Y, X), float32
        In 0 to 1.

    Raises
    ------
    InputError
        Values outside 0 to 1 that are not an unsigned integer image's.
    """
    data = np.asarray(stack.data[:])
    low, high = (float(data.min()), float(data.max())) if data.size else (0.0, 0.0)
    if low >= 0 and high <= 1:
        return data.astype(np.float32)
    if data.dtype in (np.uint8, np.uint16):
        return data.astype(np.float32) / np.iinfo(data.dtype).max
    raise InputError(
        f"{stack.name} holds values from {low:g} to {high:g}, not contour probabilities.",
        "Give a probability from 0 to 1, an 8- or 16-bit image of it, or a mask of 0 and 1.",
    )
