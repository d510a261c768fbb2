"""Padding masks, as they are passed to steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.lazy_array import LazyArray


def broadcast(mask: Any, shape: tuple[int, ...]) -> Any:
    """Return a mask of one slice or all slices as a mask of the stack, bool; None if it is empty.

    Parameters
    ----------
    mask : array, shape (Y, X) or (Z, Y, X), or None
        Values above 0 are padding. A `LazyArray` of the shape of the stack is returned as it is.
    shape : tuple of int
        Shape of the stack, (Z, Y, X).

    Raises
    ------
    InputError
        The mask has another shape.
    """
    if mask is None:
        return None
    if isinstance(mask, LazyArray) and mask.shape == tuple(shape):
        return mask
    mask = np.asarray(mask) > 0
    if mask.shape not in (shape, shape[1:]):
        raise InputError(
            f"The padding mask has the shape {mask.shape}, but the stack {tuple(shape)}.",
            "Give a mask of the same shape, such as the file padding written by a step.",
        )
    return np.broadcast_to(mask, shape) if mask.any() else None
