"""Resize one image linearly, with anti-aliasing, as two products with narrow matrices.

A slice of 6,000 × 6,000 px is shrunk in the time it takes to read it. What comes out is what
`skimage.transform.resize` gives with ``order=1`` and ``mode="symmetric"``, to the rounding of
float32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Output rows that are computed together, of an axis that shrinks and of one that grows: few enough
# that they and the rows that they depend on stay in the cache of the processor.
_TOGETHER = (16, 64)
# The Gaussian filter ends at this many standard deviations, as in scipy.
_TRUNCATE = 4.0

# Output pixels, the input pixels they depend on, and the weights (output, input) of these.
_Band = tuple[slice, slice, np.ndarray]


def resize_linear(
    image: np.ndarray, shape: tuple[int, ...], out: np.ndarray | None = None
) -> np.ndarray:
    """Resize an image linearly, with anti-aliasing along axes that shrink.

    An axis that shrinks by a factor f is first smoothed by a Gaussian with a standard deviation of
    (f − 1) / 2 px. The image is mirrored at its border.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite, of any real dtype. Whole numbers are not copied as a whole to another type.
    shape : tuple of int
    out : ndarray, shape `shape`, float32, optional
        Where to write the result.

    Returns
    -------
    ndarray, shape `shape`, float32
        Within the range of `image`.
    """
    ends = np.float32(image.min()), np.float32(image.max())
    rows, columns = _bands(image.shape[0], shape[0]), _bands(image.shape[1], shape[1])
    out = np.empty(shape, np.float32) if out is None else out
    # Whatever is smaller in between.
    if shape[0] * image.shape[1] <= image.shape[0] * shape[1]:
        between = np.empty((shape[0], image.shape[1]), np.float32)
        _down(image, rows, ends, between)
        _across(between, columns, ends, out)
    else:
        between = np.empty((image.shape[0], shape[1]), np.float32)
        _across(image, columns, ends, between)
        _down(between, rows, ends, out)
    return out


def resize_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resize a mask: True where more than half of a pixel is set.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
    shape : tuple of int

    Returns
    -------
    ndarray, shape `shape`, bool
    """
    return without_rounding(resize_linear(mask, shape)) > 0.5


def without_rounding(soft: np.ndarray) -> np.ndarray:
    """Return resized values without the errors of rounding, which would decide what is a tie."""
    return np.round(soft, 6)


def _down(
    image: np.ndarray,
    bands: tuple[_Band, ...],
    ends: tuple[np.float32, np.float32],
    out: np.ndarray,
) -> None:
    for to, source, weights in bands:
        np.matmul(weights, image[source].astype(np.float32, copy=False), out=out[to])
        # Rounding may lead beyond them.
        np.clip(out[to], *ends, out=out[to])


def _across(
    image: np.ndarray,
    bands: tuple[_Band, ...],
    ends: tuple[np.float32, np.float32],
    out: np.ndarray,
) -> None:
    for to, source, weights in bands:
        part = image[:, source].astype(np.float32, copy=False) @ weights.T
        np.clip(part, *ends, out=out[:, to])


@lru_cache(maxsize=16)
def _bands(length: int, count: int) -> tuple[_Band, ...]:
    """Return the matrix that resizes an axis from `length` to `count` px, in pieces."""
    factor = length / count
    sigma = max(0.0, (factor - 1) / 2)
    reach = int(_TRUNCATE * sigma + 0.5)
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2) if reach else np.ones(1)
    kernel /= kernel.sum()
    centre = (np.arange(count) + 0.5) * factor - 0.5
    before = np.floor(centre).astype(np.int64)
    after = centre - before
    # A pixel between two others takes from both.
    taps = before[:, None] + np.arange(-reach, reach + 2)
    weights = (
        np.pad(kernel, (0, 1)) * (1 - after)[:, None] + np.pad(kernel, (1, 0)) * after[:, None]
    )
    taps %= 2 * length
    taps = np.where(taps < length, taps, 2 * length - 1 - taps)
    bands = []
    together = _TOGETHER[count > length]
    for first in range(0, count, together):
        to = slice(first, min(first + together, count))
        source = slice(int(taps[to].min()), int(taps[to].max()) + 1)
        matrix = np.zeros((to.stop - to.start, source.stop - source.start))
        at = np.broadcast_to(np.arange(len(matrix))[:, None], taps[to].shape)
        np.add.at(matrix, (at, taps[to] - source.start), weights[to])
        bands.append((to, source, matrix.astype(np.float32)))
    return tuple(bands)
