"""Fill padding so that no edge remains."""

from __future__ import annotations

import numpy as np

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
    # Not before it is needed: it loads numba.
    from napari_copnet.padding.nearest import mirror, nearest_valid

    count = np.count_nonzero(padding)
    rows, columns = np.empty(count, np.intp), np.empty(count, np.intp)
    mirror(np.ascontiguousarray(padding), nearest_valid(padding), BOUNCES, rows, columns)
    return rows, columns


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
