"""Grey values of a slice without its padding: mean, spread and outliers."""

from __future__ import annotations

import numpy as np

from napari_copnet.padding.fill import fill_mirrored

# Percentiles of the usual range of grey values, and those to which hot pixels are clipped.
USUAL = (1.0, 99.0)
ENDS = (0.1, 99.9)
# Hot pixels lie outside the usual range by more than this multiple of its width.
FAR = 3.0


def z_score(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return an image whose valid part has mean 0 and standard deviation 1, float32.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite and not constant.
    padding : ndarray, shape (Y, X), bool, optional
        Left out of the mean and standard deviation.
    """
    valid = image if padding is None else image[~padding]
    mean = valid.mean(dtype=np.float64)
    deviation = valid.std(dtype=np.float64)
    return ((image - mean) / deviation).astype(np.float32)


def without_hot_pixels(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return an image whose hot (and dead) pixels are clipped.

    Only where it matters: an end of the values is clipped if it lies outside the range from the
    1st to the 99th percentile by more than three times its width. It is clipped to the 0.1th or
    99.9th percentile, but at most one width outside the range. 8-bit images hardly ever change.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    padding : ndarray, shape (Y, X), bool, optional
        Left out of the percentiles.

    Returns
    -------
    ndarray, shape (Y, X)
        `image` itself if nothing is out of range.
    """
    valid = image if padding is None else image[~padding]
    if not valid.size:
        return image
    low, high = (float(value) for value in np.percentile(valid, USUAL))
    width = high - low
    if width <= 0:
        return image
    smallest, largest = float(valid.min()), float(valid.max())
    if smallest >= low - FAR * width and largest <= high + FAR * width:
        return image
    bottom, top = (float(value) for value in np.percentile(valid, ENDS))
    least = max(bottom, low - width) if smallest < low - FAR * width else None
    most = min(top, high + width) if largest > high + FAR * width else None
    return np.clip(image, least, most).astype(image.dtype, copy=False)


def clean_slice(image: np.ndarray, padding: np.ndarray | None) -> np.ndarray:
    """Return a slice without hot pixels and with its padding filled; itself if it has neither."""
    return fill_mirrored(without_hot_pixels(image, padding), padding)
