"""Step 1: the contour probability of a preprocessed stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.networks.tiles import check_finite
from napari_copnet.padding.mask import broadcast
from napari_copnet.params import ContourParams
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.store.blocks import block_length, blocks_of, over_blocks
from napari_copnet.store.memory import MemoryStage
from napari_copnet.store.stage import Stage, Values
from napari_copnet.types import SliceResult


def predict_contours(
    data: Any,
    network: Any,
    params: ContourParams = ContourParams(),
    *,
    first: int = 0,
    skip: tuple[int, ...] = (),
    padding: Any = None,
    stage: Stage | None = None,
    block: int = 0,
) -> Steps[Any]:
    """Predict the contour probability u of every slice.

    Parameters
    ----------
    data : array, shape (Z, Y, X), float32
        Preprocessed (z-scored) slices. May be lazy.
    network : networks.nnunet.Network
        2D: each slice is an image. 3D: the stack is one image, in memory as a whole. Or a callable
        that returns it, with its ``plan``, which other processes can use.
    params : ContourParams
        Mirroring, overlap and batch.
    first : int
        2D: the slice in view; slices are computed from it outwards.
    skip : tuple of int
        Blank slices: their probability is 0.
    padding : array, shape (Y, X) or (Z, Y, X), bool, optional
        Pixels to leave out; the probability is 0 there.
    stage : Stage, optional
        Where arrays of the size of the stack lie; in memory by default.
    block : int
        Slices at once; 0 chooses. Results do not depend on it.

    Returns
    -------
    array, shape (Z, Y, X), float32
        0 to 1. With a 2D network `Progress.partial` is a `SliceResult` as a slice becomes ready.

    Raises
    ------
    InputError
        Not three axes, NaN or infinite values (the slices are named), or padding of another shape.
    ModelError
        The network takes another number of channels.
    """
    stage = stage or MemoryStage()
    data = data if hasattr(data, "shape") else np.asarray(data)
    shape = tuple(data.shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(
            f"Contours need a stack with axes (Z, Y, X), not an array of shape {shape}.",
            "Read the file as a stack first.",
        )
    padding = broadcast(padding, shape)
    shown = [z for z in range(shape[0]) if z not in set(skip)]
    result = stage.array("contours", shape, np.float32)
    shared = _Shared(data, network, params, padding, result)
    if network.plan.dimensions == 3:
        # One image: its tiles overlap in z too.
        blocks, work = [tuple(range(shape[0]))], _predict_volume
        shared = replace(shared, blank=tuple(z for z in range(shape[0]) if z in set(skip)))
    else:
        order = view_first(shown, first)
        blocks, work = blocks_of(order, block or block_length(shape[1:])), _predict_slices
    yield from over_blocks(stage, "contours", work, blocks, shared, "contours")
    return result


@dataclass(frozen=True)
class _Shared:
    """What blocks need to be predicted; arrays (Z, Y, X)."""

    data: Any
    network: Any
    params: ContourParams
    padding: Any
    result: Any
    blank: tuple[int, ...] = ()

    def predict(self, images: np.ndarray) -> Steps[np.ndarray]:
        network = self.network if hasattr(self.network, "predict") else self.network()
        settings: dict[str, Any] = {
            "mirror": self.params.mirror,
            "overlap": self.params.overlap,
            "batch": self.params.batch,
        }
        if network.plan.dimensions == 2:
            settings["order"] = range(len(images))
        return network.predict(images, **settings)

    def put(self, z: int, values: np.ndarray) -> np.ndarray:
        """Write a slice with 0 in padding, and return it."""
        if self.padding is not None:
            values = np.where(np.asarray(self.padding[z]), np.float32(0), values)
        self.result[z] = values
        return values


def _predict_slices(block: tuple[int, ...], shared: _Shared) -> Steps[Values]:
    images = np.stack([np.asarray(shared.data[z], np.float32) for z in block])
    check_finite(images, names=block)
    put = set()

    def change(progress: Progress) -> Progress:
        partial = progress.partial
        if not isinstance(partial, SliceResult):
            return progress
        z = block[partial.index]
        put.add(z)
        return replace(progress, partial=SliceResult(z, shared.put(z, partial.values)))

    result = yield from mapped(shared.predict(images[:, None]), change)
    for index, z in enumerate(block):
        if z not in put:
            shared.put(z, result[index])
    return {}


def _predict_volume(block: tuple[int, ...], shared: _Shared) -> Steps[Values]:
    volume = np.stack([np.asarray(shared.data[z], np.float32) for z in block])
    # Blank slices may hold anything (NaN too); the network shall not see it.
    volume[list(shared.blank)] = 0

    def change(progress: Progress) -> Progress:
        share = progress.done / progress.total if progress.total else 0.0
        return replace(progress, done=share * len(block), unit="slices", partial=None)

    result = yield from mapped(shared.predict(volume[None]), change)
    for z in block:
        shared.put(z, np.zeros_like(result[z]) if z in shared.blank else result[z])
    return {}


def view_first(slices: Sequence[int], first: int) -> list[int]:
    """Order slices by their distance from the one in view, later ones before earlier ones."""
    return sorted(slices, key=lambda z: (abs(z - first), z < first))
