"""Where an image seems to have contours: local contrast and dark lines."""

from __future__ import annotations

import functools

import numpy as np
from scipy import fft, ndimage

# Grey values count in deviations of their surroundings, px.
SURROUNDINGS = 10.0
LIMIT = 4.0
# Log odds beyond these say no more about where a slice has come to.
LIKELY = (-6.0, 3.0)
# Half width and half length of the dark lines that are looked for, px, and in how many directions.
LINE_WIDTH, LINE_LENGTH, DIRECTIONS = 1.5, 4.0, 8


def local_contrast(image: np.ndarray, smooth: float = 1.0) -> np.ndarray:
    """Return grey values in deviations from the mean of their surroundings.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    smooth : float
        Standard deviation of the Gaussian that takes the noise off first, px.

    Returns
    -------
    ndarray, shape (Y, X), float32
        Between -`LIMIT` and `LIMIT`; 0 where the image is constant.
    """
    grey = ndimage.gaussian_filter(np.asarray(image, np.float32), smooth)
    grey -= grey.mean()
    mean = ndimage.gaussian_filter(grey, SURROUNDINGS)
    square = ndimage.gaussian_filter(grey * grey, SURROUNDINGS)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    # without a floor the noise of an empty area would look like contrast
    floor = 0.2 * float(np.median(deviation)) + 1e-6
    return np.clip((grey - mean) / (deviation + floor), -LIMIT, LIMIT)


def standardised(image: np.ndarray, smooth: float = 1.0) -> np.ndarray:
    """Return grey values of a slice, smoothed, in deviations from its mean: float32, (Y, X)."""
    grey = ndimage.gaussian_filter(np.asarray(image, np.float32), smooth)
    return np.clip((grey - grey.mean()) / (grey.std() + 1e-6), -LIMIT, LIMIT)


def dark_ridges(contrast: np.ndarray, width: float = LINE_WIDTH) -> np.ndarray:
    """Return how much a pixel lies on a dark line: the larger curvature of the grey values.

    Parameters
    ----------
    contrast : ndarray, shape (Y, X)
        From `local_contrast`.
    width : float
        Standard deviation of the Gaussian derivatives, px.

    Returns
    -------
    ndarray, shape (Y, X), float32
        At least 0, in deviations; at most `LIMIT`.
    """
    by_y, by_x, mixed = (
        ndimage.gaussian_filter(contrast, width, order=order) for order in ((2, 0), (0, 2), (1, 1))
    )
    half = (by_y - by_x) / 2
    larger = (by_y + by_x) / 2 + np.sqrt(half * half + mixed * mixed)
    return _in_deviations(np.maximum(larger, 0))


def oriented_ridges(contrast: np.ndarray) -> np.ndarray:
    """Return the strongest answer of line detectors in `DIRECTIONS` directions.

    Longer than they are wide, they see faint contours that `dark_ridges` loses in the noise.

    Parameters
    ----------
    contrast : ndarray, shape (Y, X)
        From `local_contrast`.

    Returns
    -------
    ndarray, shape (Y, X), float32
        At least 0, in deviations; at most `LIMIT`.
    """
    lines = _lines(LINE_WIDTH, LINE_LENGTH, DIRECTIONS)
    reach = lines.shape[1] // 2
    padded = np.pad(contrast, reach, mode="symmetric")
    shape = tuple(fft.next_fast_len(side + 2 * reach, True) for side in padded.shape)
    spectrum = fft.rfft2(padded, shape)
    inside = tuple(slice(2 * reach, 2 * reach + side) for side in contrast.shape)
    best = np.zeros(contrast.shape, np.float32)
    for line in lines:
        np.maximum(best, fft.irfft2(spectrum * fft.rfft2(line, shape), shape)[inside], out=best)
    return _in_deviations(best)


def likeness(image: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Return the values by which a slice is registered, shape (Y, X), float32.

    Local contrast, less dark ridges, less log odds of contour. Grey values as they are, or in
    deviations of the slice, moved the cells of sections of 30 nm worse than not at all.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    odds : ndarray, shape (Y, X)
        From `likely.ContourOdds`.
    """
    contrast = local_contrast(image)
    return contrast - dark_ridges(contrast) - np.clip(odds, *LIKELY) / 2


def agreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the local correlation of two registered slices, shape (Y, X), -1 to 1.

    Parameters
    ----------
    first, second : ndarray, shape (Y, X), float32
        From `likeness`.
    """
    mean, other = (ndimage.gaussian_filter(one, SURROUNDINGS) for one in (first, second))
    shared = ndimage.gaussian_filter(first * second, SURROUNDINGS) - mean * other
    power = [
        ndimage.gaussian_filter(one * one, SURROUNDINGS) - middle * middle
        for one, middle in ((first, mean), (second, other))
    ]
    return np.clip(shared / np.sqrt(np.maximum(power[0] * power[1], 1e-6)), -1, 1)


def _in_deviations(values: np.ndarray) -> np.ndarray:
    deviation = float(values.std())
    return np.minimum(values / (deviation + 1e-6), LIMIT).astype(np.float32)


@functools.lru_cache(maxsize=2)
def _lines(width: float, length: float, directions: int) -> np.ndarray:
    """Second derivatives across a line of Gaussian profile, shape (directions, side, side)."""
    reach = int(np.ceil(2.5 * length))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    lines = []
    for angle in np.arange(directions) * np.pi / directions:
        along = x * np.cos(angle) + y * np.sin(angle)
        across = (y * np.cos(angle) - x * np.sin(angle)) / width
        line = (across**2 - 1) * np.exp(-(across**2) / 2 - (along / length) ** 2 / 2)
        line -= line.mean()
        lines.append(line / np.abs(line).sum())
    return np.array(lines, np.float32)
