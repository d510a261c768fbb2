"""Square windows around each pixel of a slice: which are constant, which nearly so.

Compiled, because a slice may have 36 million pixels: each pixel is read once or twice, and nothing
larger than the answer is kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Sums over windows are begun anew after this many rows, before errors of rounding add up.
_AFRESH = 64


def constant_windows(image: np.ndarray, reach: int) -> np.ndarray:
    """Return where the window of ``2 reach + 1`` px around a pixel has one value.

    Beyond the border, the outermost pixels are repeated.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    reach : int

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    out = np.zeros(image.shape, bool)
    _constant(np.ascontiguousarray(image), reach, out)
    return out


def window_spread(image: np.ndarray, reach: int, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return standard deviation and mean in windows of ``2 reach + 1`` px.

    Beyond the border, the outermost pixels are repeated.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    reach : int
    step : int
        Only windows around every pixel of this number, along both axes, are looked at.

    Returns
    -------
    spread, mean : ndarray, shape of ``image[::step, ::step]``, float64
    """
    spread = np.empty(image[::step, ::step].shape)
    mean = np.empty_like(spread)
    middle = float(np.median(image[::step, ::step]))
    _spread(np.ascontiguousarray(image), middle, reach, step, spread, mean)
    return spread, mean


def quiet_windows(
    image: np.ndarray,
    reach: int,
    spread: float,
    value: float = 0.0,
    tolerance: float = np.inf,
) -> np.ndarray:
    """Return where the window of ``2 reach + 1`` px around a pixel is nearly constant.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    reach : int
    spread : float
        Its standard deviation is below this.
    value, tolerance : float
        Its mean is less than `tolerance` away from `value`.

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    out = np.empty(image.shape, bool)
    # Near its value, sums of nearly constant windows are small, and so are errors of rounding.
    middle = value if np.isfinite(tolerance) else float(np.median(image[::8, ::8]))
    _quiet(np.ascontiguousarray(image), middle, reach, spread**2, value, tolerance, out)
    return out


def within(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return which pixels a mask reaches in at most `reach` steps along rows and columns.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
    reach : int
        Below 255.

    Returns
    -------
    ndarray, shape (Y, X), bool
    """
    steps = np.where(mask, np.uint8(0), np.uint8(reach + 1))
    _steps(steps, np.uint8(reach))
    return steps <= reach


@njit(cache=True, nogil=True)
def _steps(steps, most):
    """Count the steps from pixels of 0, there and back; farther ones stay ``most + 1``."""
    height, width = steps.shape
    one = np.uint8(1)
    for y in range(height):
        for x in range(width):
            if y:
                steps[y, x] = min(steps[y, x], min(steps[y - 1, x], most) + one)
        for x in range(1, width):
            steps[y, x] = min(steps[y, x], min(steps[y, x - 1], most) + one)
    for y in range(height - 1, -1, -1):
        for x in range(width):
            if y < height - 1:
                steps[y, x] = min(steps[y, x], min(steps[y + 1, x], most) + one)
        for x in range(width - 2, -1, -1):
            steps[y, x] = min(steps[y, x], min(steps[y, x + 1], most) + one)


@njit(cache=True, nogil=True)
def _constant(image, reach, out):
    height, width = image.shape
    side = 2 * reach + 1
    equal = np.ones(width + 2 * reach, np.uint8)
    # Rows up to here whose windows along the row are constant, and of the same value.
    rows = np.zeros(width, np.uint8)
    across = np.empty(width, np.uint8)
    one, most = np.uint8(1), np.uint8(side - 1)
    for y in range(height):
        line = image[y]
        above = image[max(y - 1, 0)]
        for x in range(width - 1):
            equal[reach + x] = line[x] == line[x + 1]
        across[:] = 1
        for k in range(2 * reach):
            for x in range(width):
                across[x] &= equal[x + k]
        for x in range(width):
            kept = min(rows[x], most) * np.uint8(line[x] == above[x])
            rows[x] = (kept + one) * across[x]
        centre = y - reach
        if centre >= 0:
            needed = np.uint8(min(side, y + 1))
            for x in range(width):
                out[centre, x] = rows[x] >= needed
    for centre in range(max(height - reach, 0), height):
        needed = np.uint8(height - max(centre - reach, 0))
        for x in range(width):
            out[centre, x] = rows[x] >= needed


@njit(cache=True, nogil=True)
def _columns(image, middle, first, last, sums, squares):
    """Sum up rows `first` to `last`; those beyond the border are the outermost ones."""
    height, width = image.shape
    sums[:] = 0
    squares[:] = 0
    for row in range(first, last + 1):
        line = image[min(max(row, 0), height - 1)]
        for x in range(width):
            value = np.float64(line[x]) - middle
            sums[x] += value
            squares[x] += value * value


@njit(cache=True, nogil=True)
def _extended(values, reach, out):
    width = values.size
    out[:reach] = values[0]
    out[reach : reach + width] = values
    out[reach + width :] = values[-1]


@njit(cache=True, nogil=True)
def _spread(image, middle, reach, step, spread, mean):
    width = image.shape[1]
    side = 2 * reach + 1
    sums, squares = np.empty(width), np.empty(width)
    wide, wide_squares = np.empty(width + 2 * reach), np.empty(width + 2 * reach)
    for row in range(spread.shape[0]):
        _columns(image, middle, row * step - reach, row * step + reach, sums, squares)
        _extended(sums, reach, wide)
        _extended(squares, reach, wide_squares)
        for column in range(spread.shape[1]):
            total, power = 0.0, 0.0
            for x in range(column * step, column * step + side):
                total += wide[x]
                power += wide_squares[x]
            average = total / side**2
            spread[row, column] = np.sqrt(max(power / side**2 - average * average, 0.0))
            mean[row, column] = average + middle


@njit(cache=True, nogil=True)
def _quiet(image, middle, reach, variance, value, tolerance, out):
    height, width = image.shape
    side = 2 * reach + 1
    share = 1.0 / side**2
    sums, squares = np.empty(width), np.empty(width)
    wide, wide_squares = np.empty(width + 2 * reach), np.empty(width + 2 * reach)
    total, power = np.empty(width), np.empty(width)
    for y in range(height):
        if y % _AFRESH == 0:
            _columns(image, middle, y - reach, y + reach, sums, squares)
        else:
            new = image[min(y + reach, height - 1)]
            old = image[max(y - reach - 1, 0)]
            for x in range(width):
                more, less = np.float64(new[x]) - middle, np.float64(old[x]) - middle
                sums[x] += more - less
                squares[x] += more * more - less * less
        _extended(sums, reach, wide)
        _extended(squares, reach, wide_squares)
        total[:] = 0
        power[:] = 0
        for k in range(side):
            for x in range(width):
                total[x] += wide[x + k]
                power[x] += wide_squares[x + k]
        for x in range(width):
            average = total[x] * share
            near = abs(average + middle - value) < tolerance
            out[y, x] = near & (power[x] * share - average * average < variance)
