"""2D convolutions as one product of matrices, in float32 on the CPU.

Maps are flat arrays with axes (Y, X, C). What each output pixel sees becomes a row, rows are
multiplied with weights that were packed once, and products become pixels, for so few rows at a
time that all stays in a core's cache. A layer's input may be two maps, which spares copying them
together. Each value x is read as ``max(y, slope * y)`` with ``y = scale * x + shift`` of its
channel: so instance norm and leaky ReLU of the layer before are applied.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from napari_copnet.networks.vectors import (
    COLUMNS,
    LANES,
    ROWS,
    multiply,
    pixel_in,
    pixel_out,
    take,
)


def pack(matrices: np.ndarray) -> np.ndarray:
    """Order matrices for `products`.

    Parameters
    ----------
    matrices : ndarray, shape (F, K, N)

    Returns
    -------
    ndarray, flat, float32
        [F][N / COLUMNS][K][COLUMNS], filled with zeros where K is no multiple of LANES or N none
        of COLUMNS.
    """
    count, terms, columns = matrices.shape
    more = ((0, 0), (0, -terms % LANES), (0, -columns % COLUMNS))
    whole = np.pad(matrices, more) if terms % LANES or columns % COLUMNS else matrices
    parts = whole.reshape(count, whole.shape[1], -1, COLUMNS).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(parts, np.float32).ravel()


@njit(nogil=True, cache=True)
def products(v, v_step, weights, m, m_step, steps, rows, blocks, panels, begin, end):
    """Multiply rows [step][group][block][ROWS][LANES] with panels `begin` to `end` of weights.

    The products lie as [step][panel][group][ROWS][COLUMNS], steps `v_step` and `m_step` apart.
    """
    groups = (rows + ROWS - 1) // ROWS
    for step in range(steps):
        for panel in range(begin, end):
            w0 = (step * panels + panel) * blocks * LANES * COLUMNS
            for group in range(groups):
                v0 = step * v_step + group * ROWS * blocks * LANES
                m0 = step * m_step + ((panel - begin) * groups + group) * ROWS * COLUMNS
                multiply(v, v0, weights, w0, m, m0, blocks)


@njit(nogil=True, cache=True)
def _rows_in(source, height, width, kernel, stride, first, count, v, start, together, blocks):
    """Write one of two maps into the rows, from channel `start` of `together`."""
    x, scale, shift, slope = source
    channels = scale.size
    across = (width + stride[1] - 1) // stride[1]
    none = np.zeros(LANES, np.float32)
    for row in range(count):
        top = (first + row) // across * stride[0] - kernel[0] // 2
        left = (first + row) % across * stride[1] - kernel[1] // 2
        base = (row // ROWS * blocks * ROWS + row % ROWS) * LANES
        if channels % LANES:
            last = base + (blocks - 1) * ROWS * LANES
            pixel_in(none, 0, none, none, none, 0, v, last)  # what fills up the last block
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                inside = 0 <= top + i < height and 0 <= left + j < width
                x0 = ((top + i) * width + left + j) * channels
                term = (i * kernel[1] + j) * together + start
                if channels % LANES == 0:
                    v0 = base + term // LANES * ROWS * LANES
                    for c in range(0, channels, LANES):
                        if inside:
                            pixel_in(x, x0 + c, scale, shift, slope, c, v, v0)
                        else:
                            pixel_in(none, 0, none, none, none, 0, v, v0)
                        v0 += ROWS * LANES
                    continue
                for c in range(channels):
                    value = np.float32(0)
                    if inside:
                        value = scale[c] * x[x0 + c] + shift[c]
                        value = max(value, slope[c] * value)
                    v[base + (term + c) // LANES * ROWS * LANES + (term + c) % LANES] = value


@njit(nogil=True, cache=True)
def _rows_out(m, across, up, first, count, begin, end, bias, out, centre, sums, squares):
    channels = bias.size
    groups = (count + ROWS - 1) // ROWS
    last = min(end * COLUMNS, up[0] * up[1] * channels)
    for row in range(count):
        top, left = (first + row) // across * up[0], (first + row) % across * up[1]
        for column in range(begin * COLUMNS, last, LANES):
            tap, c = column // channels, column % channels
            m0 = ((column // COLUMNS - begin) * groups * ROWS + row) * COLUMNS + column % COLUMNS
            y0 = ((top + tap // up[1]) * across * up[1] + left + tap % up[1]) * channels + c
            if channels % LANES:
                # Without `up`, and few: the classes of the output.
                for lane in range(min(LANES, channels - c)):
                    out[y0 + lane] = m[m0 + lane] + bias[c + lane]
                continue
            if row == 0:
                for lane in range(LANES):
                    centre[c + lane] = m[m0 + lane] + bias[c + lane]
            pixel_out(m, m0, out, y0, bias, c, centre, sums, squares)


@njit(nogil=True, cache=True)
def direct(
    counter,
    sources,
    height,
    width,
    kernel,
    stride,
    up,
    weights,
    bias,
    out,
    chunk,
    splits,
    v,
    m,
    tallies,
):
    """Convolve over borders of zeros, until all is done.

    Threads that share `counter` share the work: parts of `chunk` pixels and of 1 / `splits` of
    the panels of weights.

    Parameters
    ----------
    counter : ndarray, shape (1,), int64
        0 at first.
    sources : tuple of tuple of ndarray, flat, float32
        Two inputs, each (values, scale, shift, slope) with slopes from 0 to 1; the second may be
        empty. Where there are two, their channels are multiples of 16.
    height, width : int
        Of the input, px.
    kernel, stride : tuple of int
        For (Y, X); kernels are odd and centred.
    up : tuple of int
        Pixels of the output, (Y, X), for one of the product: above 1 for a transposed
        convolution whose kernel is its stride; channels are multiples of 16 then.
    weights : ndarray
        Of `pack`, with rows [kernel Y][kernel X][C of input] and columns [up Y][up X][C].
    bias : ndarray, shape (C,), float32
    out : ndarray, flat, float32
        Gets the output.
    chunk, splits : int
        `chunk` is a multiple of ROWS.
    v, m : ndarray, flat, float32
        Room of this thread for the rows and products of a part.
    tallies : ndarray, shape (3, parts, C), float32
        Zeros at first. Gets for each part a number near the mean, and the sums of the differences
        from it and of their squares. Of no use with `up`, or unless C is a multiple of 16.
    """
    together = sources[0][1].size + sources[1][1].size
    blocks = (kernel[0] * kernel[1] * together + LANES - 1) // LANES
    panels = weights.size // (blocks * LANES * COLUMNS)
    across = (width + stride[1] - 1) // stride[1]
    pixels = (height + stride[0] - 1) // stride[0] * across
    while True:
        item = take(counter)
        part, split = item // splits, item % splits
        first = part * chunk
        if first >= pixels:
            break
        count = min(chunk, pixels - first)
        begin, end = split * panels // splits, (split + 1) * panels // splits
        start = np.int64(0)  # not a literal, for which numba would compile once more
        for source in sources:
            if source[1].size:
                _rows_in(
                    source,
                    height,
                    width,
                    kernel,
                    stride,
                    first,
                    count,
                    v,
                    start,
                    together,
                    blocks,
                )
            start += source[1].size
        products(v, 0, weights, m, 0, 1, count, blocks, panels, begin, end)
        centre, sums, squares = tallies[0, part], tallies[1, part], tallies[2, part]
        _rows_out(m, across, up, first, count, begin, end, bias, out, centre, sums, squares)
