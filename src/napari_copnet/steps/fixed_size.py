"""The size of slices for the networks, where it follows from the settings alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.params import PreprocessParams
from napari_copnet.plane_size import size_of
from napari_copnet.types import Stack

# Used where no sizes can be tried: the size that the networks were trained at.
DEFAULT_SIZE = 512
# Width of membranes that networks expect, px, unless the model's card states another.
KNOWN_WIDTH = 4.0
SMALLEST, LARGEST = 32, 65536


def fixed_size(stack: Stack, params: PreprocessParams) -> tuple[int, str]:
    """Return the size of a stack without using a network, and a sentence on how it was chosen.

    Parameters
    ----------
    stack : Stack
    params : PreprocessParams
        Its `size` is used unchanged, without a sentence; otherwise the membrane width decides.

    Returns
    -------
    size : int
        Longer in-plane side, px; 0 keeps that of the stack.
    note : str

    Raises
    ------
    InputError
        A membrane width is given, but the pixel size is unknown.
    CopnetError
        Both a size and a membrane width are given.
    """
    if params.size is not None:
        if params.membrane_width is not None:
            raise CopnetError(
                "Both a size and a membrane width are given.",
                "Leave one of them out: each of them sets the size.",
            )
        return params.size, ""
    if params.membrane_width is not None:
        return size_for_membranes(stack, params.membrane_width)
    return DEFAULT_SIZE, (
        f"No size was given. Without the networks it can't be chosen automatically, so "
        f"{DEFAULT_SIZE} px is used."
    )


def size_for_membranes(
    stack: Stack, width: float, card: Mapping[str, Any] | None = None
) -> tuple[int, str]:
    """Return the size at which membranes are as wide as networks expect, and a sentence on it.

    Parameters
    ----------
    stack : Stack
        With a known pixel size.
    width : float
        Width of membranes in the tissue, nm.
    card : mapping, optional
        Card of the contour model; its ``membrane_width`` is the width it expects, px.

    Raises
    ------
    InputError
        The pixel size is unknown.
    """
    y, x = stack.voxel_size.y, stack.voxel_size.x
    if y is None or x is None:
        raise InputError(
            "A membrane width can't be used while the pixel size is unknown.",
            "Give the voxel size as well, or a size in px.",
        )
    known = float((card or {}).get("membrane_width") or KNOWN_WIDTH)
    # A slice keeps its proportions in pixels, so pixels that are not square are averaged.
    pixel = 1000 * (y + x) / 2
    exact = size_of(stack.shape[1:], max(stack.shape[1:]) * pixel * known / width)
    size = int(min(max(round(exact), SMALLEST), LARGEST))
    return size, (
        f"Size {size} px: at this size, membranes of {width:g} nm are {known:g} px wide, as the "
        "networks expect."
    )
