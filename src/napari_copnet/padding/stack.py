"""Padding in slices that were preprocessed elsewhere."""

from __future__ import annotations

import numpy as np

from napari_copnet.padding.detect import find_padding
from napari_copnet.padding.fill import fill_mirrored
from napari_copnet.padding.grey import z_score


def without_padding(
    stack: np.ndarray, known: np.ndarray | None, blank: tuple[int, ...] = ()
) -> tuple[np.ndarray, np.ndarray | None]:
    """Find and fill the padding of slices that were z-scored together with it.

    Parameters
    ----------
    stack : ndarray, shape (Z, Y, X), float32
        Not changed.
    known : ndarray, shape (Z, Y, X), bool, or None
        Known padding. It is added to what is found, and filled where it is constant.
    blank : tuple of int
        Slices without content.

    Returns
    -------
    stack : ndarray, shape (Z, Y, X), float32
        Filled and z-scored again where padding was found; `stack` itself if none was.
    padding : ndarray, shape (Z, Y, X), bool, or None
        All padding now known.
    """
    padding = None if known is None else np.array(known, bool)
    filled = None
    for z, image in enumerate(stack):
        found = None if z in blank else find_padding(image)
        if found is None:
            continue
        if filled is None:
            filled = stack.copy()
        if padding is None:
            padding = np.zeros(stack.shape, bool)
        padding[z] |= found
        filled[z] = fill_mirrored(z_score(image, padding[z]), padding[z])
    return (stack if filled is None else filled), padding
