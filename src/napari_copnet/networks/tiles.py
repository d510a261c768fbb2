"""The sliding window: where tiles lie, how they are weighted, and how inputs are prepared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from napari_copnet.errors import InputError


def tile_starts(size: int, tile: int, overlap: float = 0.5) -> list[int]:
    """Return where tiles begin along an axis, evenly spread, as nnU-Net places them.

    Parameters
    ----------
    size, tile : int
        Length of the axis and of a tile, px; ``size >= tile``.
    overlap : float
        Smallest overlap of neighbours as a share of the tile, 0 to below 1.
    """
    room = size - tile
    count = int(np.ceil(room / (tile * (1.0 - overlap)))) + 1
    if count == 1:
        return [0]
    return [int(np.round(room / (count - 1) * index)) for index in range(count)]


def tile_boxes(
    shape: tuple[int, ...], tile: tuple[int, ...], overlap: float = 0.5
) -> list[tuple[slice, ...]]:
    """Return the boxes of all tiles over `shape`, first axis slowest."""
    starts = [tile_starts(size, side, overlap) for size, side in zip(shape, tile, strict=True)]
    return [
        tuple(slice(start, start + side) for start, side in zip(corner, tile, strict=True))
        for corner in product(*starts)
    ]


def gaussian_weight(tile: tuple[int, ...]) -> np.ndarray:
    """Return the weight of a tile's pixels: a Gaussian of σ = side / 8 that never reaches 0.

    The same as ``compute_gaussian`` of nnU-Net (Isensee et al. 2021): its kernel ends at 4 σ, and
    pixels beyond take the smallest weight that is not 0.

    Returns
    -------
    ndarray, shape `tile`, float32
        1 at the pixel ``side // 2``.
    """
    weight = np.ones((), np.float64)
    for side in tile:
        distance = np.arange(side) - side // 2
        sigma = side / 8
        line = np.exp(-0.5 * (distance / sigma) ** 2)
        line[np.abs(distance) > int(4 * sigma + 0.5)] = 0
        weight = weight[..., None] * line
    weight[weight == 0] = weight[weight > 0].min()
    # Below what float32 holds a sum of weights would be 0.
    return np.maximum(weight, np.finfo(np.float32).tiny).astype(np.float32)


def padding(shape: tuple[int, ...], tile: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return (before, after) for each axis that makes `shape` at least a tile, content centred."""
    missing = [max(0, side - size) for size, side in zip(shape, tile, strict=True)]
    return [(count // 2, count - count // 2) for count in missing]


def normalised(image: np.ndarray, schemes: tuple[str, ...]) -> np.ndarray:
    """Normalise each channel of an image as nnU-Net does.

    Parameters
    ----------
    image : ndarray, shape (C, ...)
        Finite values.
    schemes : tuple of str
        For each channel ``"zscore"`` (mean 0, standard deviation 1), ``"rescale01"`` (smallest 0,
        largest 1) or ``"none"``.

    Returns
    -------
    ndarray, shape (C, ...), float32
        A copy.
    """
    result = np.array(image, np.float32)
    for channel, scheme in zip(result, schemes, strict=True):
        if scheme == "zscore":
            mean, deviation = channel.mean(), channel.std()
            channel -= mean
            channel /= max(deviation, 1e-8)
        elif scheme == "rescale01":
            channel -= channel.min()
            channel /= max(channel.max(), 1e-8)
    return result


def fitting_tile(
    shape: tuple[int, ...],
    tile: tuple[int, ...],
    patch: tuple[int, ...],
    total_stride: tuple[int, ...],
) -> tuple[int, ...]:
    """Return a tile no larger than an image needs, and no smaller than the trained patch.

    Parameters
    ----------
    shape : tuple of int
        Of an image, px.
    tile, patch : tuple of int
        The plan's.
    total_stride : tuple of int
        Sides are multiples of it.
    """
    return tuple(
        min(side, max(least, -(-size // step) * step))
        for size, side, least, step in zip(shape, tile, patch, total_stride, strict=True)
    )


def smaller_tile(tile: tuple[int, ...], total_stride: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return a tile with its longest possible side halved, or None when none can be.

    A side stays a multiple of the network's total stride and at least twice it, because the
    deepest stage normalises over its pixels and one pixel has no spread.
    """
    by_length = sorted(range(len(tile)), key=lambda axis: -tile[axis])
    for axis in by_length:
        half = tile[axis] // 2 // total_stride[axis] * total_stride[axis]
        if 2 * total_stride[axis] <= half < tile[axis] and half >= 2:
            return (*tile[:axis], half, *tile[axis + 1 :])
    return None


def check_finite(
    images: np.ndarray, what: str = "slice", names: Sequence[int] | None = None
) -> None:
    """Raise InputError when any of `images`, along the first axis, has NaN or infinite values.

    Parameters
    ----------
    images : ndarray
    what : str
        What an image is.
    names : sequence of int, optional
        Their numbers; counted from 0 if not given.
    """
    numbers = range(len(images)) if names is None else names
    bad = [
        number
        for number, image in zip(numbers, images, strict=True)
        if not np.isfinite(image).all()
    ]
    if bad:
        raise InputError(
            f"There are NaN or infinite values in {what} {', '.join(map(str, bad[:10]))}"
            f"{' and others' if len(bad) > 10 else ''}.",
            "Repair the input first (--repair).",
        )
