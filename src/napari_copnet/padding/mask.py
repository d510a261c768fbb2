"""Masks of padding, as steps are given them."""

from __future__ import annotations

import numpy as np

from napari_copnet.errors import InputError


def broadcast(mask: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return a mask of one slice or of all as one of all, bool; None where nothing is set.

    Parameters
    ----------
    mask : ndarray, shape (Y, X) or (Z, Y, X), or None
        Above 0 is set.
    shape : tuple of int
        Of the stack, (Z, Y, X).

    Raises
    ------
    InputError
        Another shape.
    """
    if mask is None:
        return None
    mask = np.asarray(mask) > 0
    if mask.shape not in (shape, shape[1:]):
        raise InputError(
            f"The mask of padding has shape {mask.shape}, the stack {tuple(shape)}.",
            "Give a mask of the same size, such as the file padding that a step writes.",
        )
    return np.broadcast_to(mask, shape) if mask.any() else None
