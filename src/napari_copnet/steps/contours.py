"""Step 1: the contour probability of a preprocessed stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.padding.mask import broadcast
from napari_copnet.params import ContourParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import SliceResult


def predict_contours(
    data: np.ndarray,
    network: Any,
    params: ContourParams = ContourParams(),
    *,
    first: int = 0,
    skip: tuple[int, ...] = (),
    padding: np.ndarray | None = None,
) -> Steps[np.ndarray]:
    """Predict the contour probability u of every slice.

    Parameters
    ----------
    data : ndarray, shape (Z, Y, X), float32
        Preprocessed (z-scored) slices.
    network : networks.nnunet.Network
        2D: each slice is an image. 3D: the stack is one image.
    params : ContourParams
        Mirroring, overlap and batch.
    first : int
        2D: the slice in view; slices are computed from it outwards.
    skip : tuple of int
        Blank slices: their probability is 0.
    padding : ndarray, shape (Y, X) or (Z, Y, X), bool, optional
        Pixels to leave out; the probability is 0 there.

    Returns
    -------
    ndarray, shape (Z, Y, X), float32
        0 to 1. With a 2D network `Progress.partial` is a `SliceResult` as a slice becomes ready.

    Raises
    ------
    InputError
        Not three axes, NaN or infinite values (the slices are named), or padding of another shape.
    ModelError
        The network takes another number of channels.
    """
    data = np.asarray(data)
    if data.ndim != 3 or 0 in data.shape:
        raise InputError(
            f"Contours need a stack with axes (Z, Y, X), not an array of shape {data.shape}.",
            "Read the file as a stack first.",
        )
    padding = broadcast(padding, data.shape)
    blank = sorted({index for index in skip if 0 <= index < len(data)})
    if blank:
        # Blank slices may hold anything (NaN too); the network shall not see it.
        data = np.array(data, np.float32)
        data[blank] = 0
    settings = {"mirror": params.mirror, "overlap": params.overlap, "batch": params.batch}
    if network.plan.dimensions == 3:
        work = network.predict(data[None], **settings)
    else:
        order = view_first([z for z in range(len(data)) if z not in blank], first)
        work = network.predict(data[:, None], order=order, **settings)
    result = yield from _renamed(work, padding)
    result[blank] = 0
    if padding is not None:
        result[padding] = 0
    return result


def view_first(slices: Sequence[int], first: int) -> list[int]:
    """Order slices by their distance from the one in view, later ones before earlier ones."""
    return sorted(slices, key=lambda z: (abs(z - first), z < first))


def _renamed(work: Steps[np.ndarray], padding: np.ndarray | None) -> Steps[np.ndarray]:
    """Pass on progress under the name of this step, and slices with 0 in padding."""
    try:
        while True:
            try:
                progress: Progress = next(work)
            except StopIteration as end:
                return end.value
            partial = progress.partial
            if padding is not None and isinstance(partial, SliceResult):
                shown = np.where(padding[partial.index], np.float32(0), partial.values)
                progress = replace(progress, partial=SliceResult(partial.index, shown))
            yield replace(progress, step="contours")
    finally:
        work.close()
