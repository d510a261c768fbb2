"""Contour maps from files: probability 0 to 1, the same in 8 or 16 bits, or a mask."""

from __future__ import annotations

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.contour_kinds import probability_of
from napari_copnet.types import Stack


def as_probability(stack: Stack) -> np.ndarray:
    """Return a stack of contour maps as probability.

    Parameters
    ----------
    stack : Stack
        float in 0 to 1; 8-bit or 16-bit integers whose full range stands for 0 to 1; or a mask
        of two values, of which the higher is contour.

    Returns
    -------
    ndarray, shape (Z, Y, X), float32
        In 0 to 1.

    Raises
    ------
    InputError
        Values outside 0 to 1 that are not an 8-bit or 16-bit image's.
    """
    data = np.asarray(stack.data[:])
    values = probability_of(data)
    low, high = (float(values.min()), float(values.max())) if data.size else (0.0, 0.0)
    if low >= 0 and high <= 1:
        return values
    raise InputError(
        f"{stack.name} holds values from {low:g} to {high:g}, not contour probabilities.",
        "Give a probability from 0 to 1, an 8- or 16-bit image of it, or a mask of 0 and 1.",
    )
