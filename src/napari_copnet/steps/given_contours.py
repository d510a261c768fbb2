"""Contour probability from elsewhere in place of Step 1, brought into the frame of the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.probability import probability_slices
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.frame import shift_mirrored
from napari_copnet.steps.resize import resize_linear
from napari_copnet.store.blocks import block_length, blocks_of, over_blocks
from napari_copnet.store.memory import MemoryStage
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import Preprocessed, Stack


def given_probability(contours: Stack, stack: Stack) -> Any:
    """Return a contour probability that was made elsewhere, once it is known to fit a stack.

    Parameters
    ----------
    contours : Stack
        Fractions from 0 to 1, or integers of 8 or 16 bits whose full range stands for them. May be
        lazy.
    stack : Stack
        What the probability was made of.

    Returns
    -------
    array, shape (Z, Y, X), float32
        0 to 1; lazy if `contours` is.

    Raises
    ------
    InputError
        Another shape, a mask, labels, the same value everywhere, or values that are no probability.
    """
    if contours.shape != stack.shape:
        raise InputError(
            f"The contours {contours.name} have the shape {contours.shape}, the stack "
            f"{stack.shape}.",
            "Give the probability of every pixel of this stack.",
        )
    return probability_slices(contours, masks=False)


def place_contours(
    probability: Any, ready: Preprocessed, *, stage: Stage | None = None, block: int = 0
) -> Steps[Any]:
    """Resize and move a contour probability as preprocessing did with its stack.

    Parameters
    ----------
    probability : array, shape (Z, Y, X), float32
        Of the original stack, 0 to 1. May be lazy.
    ready : Preprocessed
        The stack as the networks see it.
    stage : Stage, optional
        Where arrays of the size of the stack lie; in memory by default.
    block : int
        Slices at once; 0 chooses. Results do not depend on it.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    array, shape (Z, Y, X), float32
        In the processed frame. 0 in padding and in blank slices, as Step 1 leaves them; what a
        shift uncovers is mirrored, as in the image.
    """
    stage = stage or MemoryStage()
    shape = ready.frame.processed_shape
    result = stage.array("contours", shape, np.float32)
    shown = [z for z in range(shape[0]) if z not in set(ready.blank)]
    blocks = blocks_of(shown, block or block_length(shape[1:]))
    shared = _Shared(probability, ready, result)
    # Less work than to hand an open file to other processes.
    yield from over_blocks(stage, "placed", _place, blocks, shared, "contours", here=True)
    return result


@dataclass(frozen=True)
class _Shared:
    probability: Any
    ready: Preprocessed
    result: Any


def _place(block: tuple[int, ...], shared: _Shared) -> Steps[Values]:
    frame, padding = shared.ready.frame, shared.ready.padding
    for index, z in enumerate(block):
        image = np.asarray(shared.probability[z], np.float32)
        image = resize_linear(image, frame.processed_shape[1:])
        dy, dx = (int(shift) for shift in frame.shifts[z])
        if dy or dx:
            image = shift_mirrored(image, (dy, dx))
        if padding is not None:
            image = np.where(np.asarray(padding[z]), np.float32(0), image)
        shared.result[z] = image
        yield Progress("contours", index + 1, len(block), "slices")
    return {}
