"""Fill padding so that no edge remains."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# A point mirrored into padding is mirrored again, this often at most; then the nearest one counts.
BOUNCES = 8


def mirrored_source(padding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the source of the value of each padding pixel.

    A pixel p, whose nearest valid pixel is q, takes the value at 2 q - p, on the other side of the
    edge. Points outside the slice are mirrored at its border, and points in padding are mirrored
    again at their nearest valid pixel.

    Parameters
    ----------
    padding : ndarray, shape (Y, X), bool
        Must not cover the whole slice.

    Returns
    -------
    rows, columns : ndarray, shape (N,), int
        For each padding pixel, in memory order; all are valid pixels.
    """
    nearest = ndimage.distance_transform_edt(padding, return_distances=False, return_indices=True)
    at = np.stack(np.nonzero(padding))
    for _ in range(BOUNCES):
        stuck = np.flatnonzero(padding[tuple(at)])
        if not stuck.size:
            break
        point = at[:, stuck]
        beyond = 2 * nearest[(slice(None), *point)] - point
        for axis, length in enumerate(padding.shape):
            # Reflected repeatedly: from deep padding, a point may lie many slice widths outside.
            index = beyond[axis] % (2 * length)
            beyond[axis] = np.where(index < length, index, 2 * length - 1 - index)
        at[:, stuck] = beyond
    stuck = np.flatnonzero(padding[tuple(at)])
    at[:, stuck] = nearest[(slice(None), *at[:, stuck])]
    return at[0], at[1]


def fill_mirrored(image: np.ndarray, padding: np.ndarray | None) -> np.ndarray:
    """Return a slice whose padding is filled by mirroring.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    padding : ndarray, shape (Y, X), bool, or None

    Returns
    -------
    ndarray, shape (Y, X), of the dtype of `image`
        `image` itself if there is no padding, or nothing but padding.
    """
    if padding is None or not padding.any() or padding.all():
        return image
    out = image.copy()
    out[padding] = image[mirrored_source(padding)]
    return out
