"""The length of borders in a slice, by the Cauchy–Crofton formula."""

from __future__ import annotations

import math

import numpy as np

# Steps (y, x) to the next pixel of a line, in the order of their angles on a half circle.
_STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))


def perimeters(labels: np.ndarray, count: int, pixel: tuple[float, float]) -> np.ndarray:
    """Return the length of the border of each label, holes included.

    Parameters
    ----------
    labels : ndarray, shape (Y, X), int
        0 to `count`.
    count : int
        The highest label.
    pixel : tuple of float
        Size of a pixel along y, x.

    Returns
    -------
    ndarray, shape (count + 1,), float64
        In the unit of `pixel`; that of label 0 means nothing.

    Notes
    -----
    A curve of length L is met by the lines of angle θ at distance p in n(θ, p) points, and
    L = ½ ∬ n dp dθ. Lines through pixel centres in four directions stand for the angles nearest to
    each; with square pixels this is `skimage.measure.perimeter_crofton`.
    """
    padded = np.pad(labels, 1)
    vectors = [(dy * pixel[0], dx * pixel[1]) for dy, dx in _STEPS]
    angles = [math.atan2(y, x) for y, x in vectors]
    length = np.zeros(count + 1)
    for number, (dy, dx) in enumerate(_STEPS):
        before = angles[number - 1] - (math.pi if number == 0 else 0)
        after = angles[(number + 1) % 4] + (math.pi if number == 3 else 0)
        spacing = pixel[0] * pixel[1] / math.hypot(*vectors[number])
        first, second = _along(padded, dy, dx)
        met = first != second
        crossings = np.bincount(first[met], minlength=count + 1) + np.bincount(
            second[met], minlength=count + 1
        )
        length += 0.5 * (after - before) / 2 * spacing * crossings
    return length


def _along(image: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel and the next one along a step, as two views."""
    height, width = image.shape
    first = image[: height - dy, max(0, -dx) : width - max(0, dx)]
    second = image[dy:, max(0, dx) : width - max(0, -dx)]
    return first, second
