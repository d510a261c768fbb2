"""Grey values of a slice without its padding: mean, spread, and pixels that are out of range."""

from __future__ import annotations

import numpy as np

from napari_copnet.padding.fill import fill_mirrored

# Percentiles between which grey values lie, and those to which hot pixels are brought.
USUAL = (1.0, 99.0)
ENDS = (0.1, 99.9)
# Hot are pixels beyond so many times the usual range.
FAR = 3.0


def z_score(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return an image of which the valid part has mean 0 and standard deviation 1, float32.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite and not constant.
    padding : ndarray, shape (Y, X), bool, optional
        Left out of mean and deviation.
    """
    valid = image if padding is None else image[~padding]
    mean = valid.mean(dtype=np.float64)
    deviation = valid.std(dtype=np.float64)
    return ((image - mean) / deviation).astype(np.float32)


def without_hot_pixels(image: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """Return an image whose hot (and dead) pixels are brought to the ends of the usual range.

    Only where it matters: when values lie beyond the 1 % to 99 % range by more than three times
    its width, they are brought to the 0.1 % or 99.9 % percentile, or one range beyond should that
    be less. Each end on its own; 8-bit images are hardly ever changed.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    padding : ndarray, shape (Y, X), bool, optional
        Left out of the percentiles.

    Returns
    -------
    ndarray, shape (Y, X)
        `image` itself where nothing is out of range.
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
    """Return a slice without hot pixels, its padding filled: itself where there are neither."""
    return fill_mirrored(without_hot_pixels(image, padding), padding)
