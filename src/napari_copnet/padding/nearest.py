"""The nearest valid pixel of each padding pixel.

As `scipy.ndimage.distance_transform_edt` finds it, ties included, but in padding alone: there a
pixel is near the ends of its own run along the row, or what lies above and below between them.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def nearest_valid(padding: np.ndarray) -> np.ndarray:
    """Return row and column of the nearest valid pixel of each padding pixel.

    Of several, it is the one of the lowest column, and of those in that column the upper one.

    Parameters
    ----------
    padding : ndarray, shape (Y, X), bool
        Must not cover the whole slice.

    Returns
    -------
    ndarray, shape (2, Y, X), int16 or int32
        Of valid pixels, their own.
    """
    kind = np.int16 if max(padding.shape) < 2**15 else np.int32
    out = np.empty((2, *padding.shape), kind)
    _nearest(np.ascontiguousarray(padding), out[0], out[1])
    return out


@njit(cache=True, nogil=True)
def _nearest(padding, rows, columns):
    """Combine the nearest valid pixels of each column (Maurer, Qi and Raghavan 2003)."""
    height, width = padding.shape
    for x in range(width):
        rows[0, x] = -1 if padding[0, x] else 0
    for y in range(1, height):
        for x in range(width):
            rows[y, x] = rows[y - 1, x] if padding[y, x] else y
    below = np.full(width, -1, np.int64)
    site_rows, sites = np.empty(width, np.int64), np.empty(width, np.int64)
    for y in range(height - 1, -1, -1):
        for x in range(width):
            if not padding[y, x]:
                below[x] = y
        x = 0
        while x < width:
            if not padding[y, x]:
                columns[y, x] = x
                x += 1
                continue
            end = x
            while end < width and padding[y, end]:
                end += 1
            count = 0
            for column in range(max(x - 1, 0), min(end + 1, width)):
                row, under = np.int64(rows[y, column]), below[column]
                if row < 0 or (under >= 0 and under - y < y - row):
                    row = under
                if row < 0:
                    continue
                # A site between two others that is nowhere nearer than both is left out.
                while count >= 2 and _hidden(
                    y,
                    site_rows[count - 2],
                    sites[count - 2],
                    site_rows[count - 1],
                    sites[count - 1],
                    row,
                    column,
                ):
                    count -= 1
                site_rows[count], sites[count] = row, column
                count += 1
            at = 0
            for column in range(x, end):
                least = (site_rows[at] - y) ** 2 + (sites[at] - column) ** 2
                while at + 1 < count:
                    other = (site_rows[at + 1] - y) ** 2 + (sites[at + 1] - column) ** 2
                    if least <= other:
                        break
                    least = other
                    at += 1
                columns[y, column] = sites[at]
            # Rows above those of this line were needed until now.
            at = 0
            for column in range(x, end):
                while sites[at] != columns[y, column]:
                    at += 1
                rows[y, column] = site_rows[at]
            x = end


@njit(cache=True, nogil=True)
def _hidden(y, first_row, first, middle_row, middle, last_row, last):
    to_middle, to_last = middle - first, last - middle
    return (last - first) * (middle_row - y) ** 2 - to_last * (first_row - y) ** 2 - to_middle * (
        last_row - y
    ) ** 2 - to_middle * to_last * (last - first) > 0


@njit(cache=True, nogil=True)
def mirror(padding, nearest, bounces, rows, columns):
    """Write the source of each padding pixel, in memory order: see `fill.mirrored_source`."""
    height, width = padding.shape
    number = 0
    for y in range(height):
        for x in range(width):
            if not padding[y, x]:
                continue
            row, column = y, x
            for _ in range(bounces):
                if not padding[row, column]:
                    break
                down = 2 * np.int64(nearest[0, row, column]) - row
                along = 2 * np.int64(nearest[1, row, column]) - column
                row, column = _reflected(down, height), _reflected(along, width)
            if padding[row, column]:
                row, column = nearest[0, row, column], nearest[1, row, column]
            rows[number], columns[number] = row, column
            number += 1


@njit(cache=True, nogil=True)
def _reflected(index, length):
    # From deep padding, a point may lie many slice widths outside.
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index
