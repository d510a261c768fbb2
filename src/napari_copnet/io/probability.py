"""Contour maps from files: probability 0 to 1, the same in 8 or 16 bits, or a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.contour_kinds import (
    MOST_CONTOUR,
    image_kind,
    image_values,
    marked,
    probability_of,
    scaled,
    share_equal,
)
from napari_copnet.lazy_array import by_slice
from napari_copnet.types import Stack, is_contour


def as_probability(stack: Stack) -> np.ndarray:
    """Return a stack of contour maps as probability, in memory.

    Parameters and errors are those of `probability_slices`.

    Returns
    -------
    ndarray, shape (Z, Y, X), float32
        In 0 to 1.
    """
    return np.asarray(probability_slices(stack))


def probability_slices(stack: Stack, *, masks: bool = True) -> Any:
    """Return a stack of contour maps as probability, lazy if the stack is.

    Parameters
    ----------
    stack : Stack
        float in 0 to 1; 8-bit or 16-bit integers whose full range stands for 0 to 1; or a mask
        of two values, of which the higher is contour. What it is, all of its slices decide.
    masks : bool
        Whether masks are taken too, and images of one value.

    Returns
    -------
    ndarray or LazyArray, shape (Z, Y, X), float32
        In 0 to 1.

    Raises
    ------
    InputError
        Values outside 0 to 1 that are not an 8-bit or 16-bit image's; cell labels; a mask of
        cells, or, without `masks`, any mask.
    """
    values = image_values(stack.data)
    kind = "probability" if values.low == values.high else image_kind(stack.data, values)
    if not masks and values.low == values.high:
        raise InputError(
            f"{stack.name} has the value {values.low:g} everywhere: it shows no contours.",
            "Give the probability of each pixel to be contour.",
        )
    if not masks and kind == "mask":
        raise InputError(
            f"{stack.name} is a mask, not a contour probability.",
            "Give the probability of each pixel to be contour. copnet close takes a mask of "
            "contours, and copnet session create --contours starts proofreading from one.",
        )
    if kind == "labels" and not _is_flat_probability(stack.data):
        raise InputError(
            f"{stack.name} seems to hold cell labels, not contours.",
            "Give a contour probability, or a mask in which contours have the higher value."
            if masks
            else "Give the probability of each pixel to be contour. "
            "copnet session create --contours starts proofreading from labels.",
        )
    if kind == "mask":
        contour = by_slice(stack.data, lambda plane: marked(plane, values), np.float32)
        share = sum(float(plane.mean()) for plane in contour) / max(len(contour), 1)
        if share > MOST_CONTOUR:
            raise InputError(
                f"{share:.0%} of {stack.name} would be contour: it seems to be a mask of cells.",
                "Invert it, so that contours have the higher value.",
            )
        return contour
    ends = probability_of(np.array([values.low, values.high], stack.data.dtype), values)
    low, high = map(float, ends)
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"{stack.name} holds values from {low:g} to {high:g}, not contour probabilities.",
            "Give a probability from 0 to 1, an 8- or 16-bit image of it, or a mask of 0 and 1.",
        )
    return by_slice(stack.data, lambda plane: probability_of(plane, values), np.float32)


def _is_flat_probability(image: Any) -> bool:
    """Whether what looks like labels can be a probability with wide areas of low values."""
    if image.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)) or share_equal(image) > 0.9:
        return False
    return any(is_contour(scaled(np.asarray(plane))).any() for plane in image)
