"""Fill padding so that no edge is left where it began."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# A mirrored pixel that lies in padding is mirrored on; so many times, then the nearest counts.
BOUNCES = 8


def mirrored_source(padding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return from where each pixel of padding takes its value.

    A pixel p, whose nearest valid pixel is q, takes that of the point 2 q - p on the other side of
    the border. What lies beyond the slice is mirrored at its border, and what lies in padding
    once more at the nearest valid pixel.

    Parameters
    ----------
    padding : ndarray, shape (Y, X), bool
        Not all of the slice.

    Returns
    -------
    rows, columns : ndarray, shape (N,), int
        For each pixel of padding, in memory order; all of them valid.
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
            # Not periodic: from deep padding a ray may leave the slice many times over.
            index = beyond[axis] % (2 * length)
            beyond[axis] = np.where(index < length, index, 2 * length - 1 - index)
        at[:, stuck] = beyond
    stuck = np.flatnonzero(padding[tuple(at)])
    at[:, stuck] = nearest[(slice(None), *at[:, stuck])]
    return at[0], at[1]


def fill_mirrored(image: np.ndarray, padding: np.ndarray | None) -> np.ndarray:
    """Return a slice whose padding mirrors what is beside it.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    padding : ndarray, shape (Y, X), bool, or None

    Returns
    -------
    ndarray, shape (Y, X), of the dtype of `image`
        `image` itself where there is no padding, or nothing else.
    """
    if padding is None or not padding.any() or padding.all():
        return image
    out = image.copy()
    out[padding] = image[mirrored_source(padding)]
    return out
