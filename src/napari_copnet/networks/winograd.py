"""Winograd's convolution with 3×3 kernels, in float32 on the CPU.

F(4×4, 3×3) turns tiles of 6×6 pixels into 4×4 pixels with a quarter of the multiplications
(Lavin & Gray 2016, arXiv:1509.09308): Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, summed over channels by 36
products of matrices. The points are 0, ±√½, ±√2 and ∞, which round less than the usual 0, ±1, ±2
and ∞. Maps and their reading are those of `direct`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from napari_copnet.networks.direct import pack, products
from napari_copnet.networks.vectors import (
    COLUMNS,
    LANES,
    ROWS,
    Code,
    Line,
    intrinsic,
    pixel_in,
    take,
    without_result,
)

TILE = 4  # px of output
STEPS = 36  # products of matrices

_A, _B = 0.5**0.5, 2.0**0.5
_AA, _BB = 0.5, 2.0


def winograd_weights(weight: np.ndarray) -> np.ndarray:
    """Transform and pack the weights of a convolution.

    Parameters
    ----------
    weight : ndarray, shape (N, K, 3, 3), float32

    Returns
    -------
    ndarray, flat, float32
        4 × as many numbers as `weight`, besides what `pack` fills up.
    """
    rows = [[1 / (_AA * _BB), 0, 0]]
    for point, other in ((_A, _BB), (-_A, _BB), (_B, _AA), (-_B, _AA)):
        scale = 2 * point**2 * (point**2 - other)
        rows.append([1 / scale, point / scale, point**2 / scale])
    g = np.array([*rows, [0, 0, 1]], np.float32)
    kernels = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
    # Not by `@`: the threads of numpy's BLAS would go on spinning while the results are packed.
    half = np.einsum("ia,abkn->ibkn", g, kernels)
    return pack(np.einsum("jb,ibkn->ijkn", g, half).reshape(STEPS, *kernels.shape[2:]))


def _spread_line(code: Code, d: Line) -> Line:
    """Return Bᵀd of 6 vectors."""
    even_a = code.subtract(d[4], code.multiply(d[2], _BB))
    odd_a = code.multiply(code.subtract(d[3], code.multiply(d[1], _BB)), _A)
    even_b = code.subtract(d[4], code.multiply(d[2], _AA))
    odd_b = code.multiply(code.subtract(d[3], code.multiply(d[1], _AA)), _B)
    return [
        code.add(code.subtract(d[4], code.multiply(d[2], _AA + _BB)), d[0]),
        code.add(even_a, odd_a),
        code.subtract(even_a, odd_a),
        code.add(even_b, odd_b),
        code.subtract(even_b, odd_b),
        code.add(code.subtract(d[5], code.multiply(d[3], _AA + _BB)), d[1]),
    ]


def _gather_line(code: Code, m: Line) -> Line:
    """Return Aᵀm, 4 vectors of 6."""
    plus_a, minus_a = code.add(m[1], m[2]), code.subtract(m[1], m[2])
    plus_b, minus_b = code.add(m[3], m[4]), code.subtract(m[3], m[4])
    return [
        code.add(m[0], plus_a, plus_b),
        code.add(code.multiply(minus_a, _A), code.multiply(minus_b, _B)),
        code.add(code.multiply(plus_a, _AA), code.multiply(plus_b, _BB)),
        code.add(code.multiply(minus_a, _A**3), code.multiply(minus_b, _B**3), m[5]),
    ]


def _tile_in(code: Code) -> None:
    source, target = code.pointer(0, 1), code.pointer(8, 9)
    scale, shift, slope = (code.load(code.pointer(array, 7)) for array in (4, 5, 6))
    columns = []
    for j in range(6):
        top = code.after(source, code.args[3], j)
        line = [code.load(code.after(top, code.args[2], i)) for i in range(6)]
        columns.append(
            _spread_line(code, [code.activated(value, scale, shift, slope) for value in line])
        )
    for i in range(6):
        for j, value in enumerate(_spread_line(code, [column[i] for column in columns])):
            code.store(value, code.after(target, code.args[10], 6 * i + j))


@intrinsic
def tile_in(
    _: Any,
    x: Any,
    x0: Any,
    row: Any,
    pixel: Any,
    scale: Any,
    shift: Any,
    slope: Any,
    channel: Any,
    v: Any,
    v0: Any,
    step: Any,
) -> Any:
    """Write Bᵀ d B of 6×6 pixels and 16 channels, activated; the 36 results lie `step` apart."""
    return without_result(_tile_in, x, x0, row, pixel, scale, shift, slope, channel, v, v0, step)


def _tile_out(code: Code) -> None:
    source, target = code.pointer(0, 1), code.pointer(3, 4)
    bias, centre, sums, squares = (code.pointer(array, 8) for array in (7, 9, 10, 11))
    columns = []
    for j in range(6):
        line = [code.load(code.after(source, code.args[2], 6 * i + j)) for i in range(6)]
        columns.append(_gather_line(code, line))
    offset = code.load(bias)
    results = []
    for i in range(TILE):
        left = code.after(target, code.args[5], i)
        for j, value in enumerate(_gather_line(code, [column[i] for column in columns])):
            results.append(code.add(value, offset))
            code.store(results[-1], code.after(left, code.args[6], j))
    code.tally(results, centre, sums, squares)


@intrinsic
def tile_out(
    _: Any,
    m: Any,
    m0: Any,
    step: Any,
    y: Any,
    y0: Any,
    row: Any,
    pixel: Any,
    bias: Any,
    channel: Any,
    centre: Any,
    sums: Any,
    squares: Any,
) -> Any:
    """Write Aᵀ m A plus bias, 4×4 pixels and 16 channels, of products `step` apart; tally them."""
    return without_result(
        _tile_out, m, m0, step, y, y0, row, pixel, bias, channel, centre, sums, squares
    )


@njit(nogil=True, cache=True)
def _tiles_in(source, height, width, first, count, v, v_step, block, blocks):
    """Write one of two maps into the rows of all steps, from `block` of `blocks`."""
    values, scale, shift, slope = source
    channels = scale.size
    across = (width + TILE - 1) // TILE
    edge = np.zeros(STEPS * LANES, np.float32)
    one, none = np.ones(LANES, np.float32), np.zeros(LANES, np.float32)
    for row in range(count):
        top = (first + row) // across * TILE - 1
        left = (first + row) % across * TILE - 1
        inside = top >= 0 and left >= 0 and top + 6 <= height and left + 6 <= width
        v0 = ((row // ROWS * blocks + block) * ROWS + row % ROWS) * LANES
        for c in range(0, channels, LANES):
            x, x0, line, pixel = values, (top * width + left) * channels + c, channels, channels
            line *= width
            gain, offset, lower, at = scale, shift, slope, c
            if not inside:
                # What lies outside is 0 after the activation.
                x, x0, line, pixel = edge, 0, 6 * LANES, LANES
                gain, offset, lower, at = one, none, one, 0
                for i in range(6):
                    for j in range(6):
                        e0 = (i * 6 + j) * LANES
                        if 0 <= top + i < height and 0 <= left + j < width:
                            e = ((top + i) * width + left + j) * channels + c
                            pixel_in(values, e, scale, shift, slope, c, edge, e0)
                        else:
                            edge[e0 : e0 + LANES] = 0
            tile_in(x, x0, line, pixel, gain, offset, lower, at, v, v0, v_step)
            v0 += ROWS * LANES


@njit(nogil=True, cache=True)
def _tiles_out(
    m, m_step, height, width, first, count, begin, end, bias, out, centre, sums, squares
):
    channels = bias.size
    across = (width + TILE - 1) // TILE
    groups = (count + ROWS - 1) // ROWS
    edge = np.empty(TILE * TILE * LANES, np.float32)
    unused, unused2 = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for row in range(count):
        top, left = (first + row) // across * TILE, (first + row) % across * TILE
        # The first tile of a part goes by the edge: it gives the number near the mean.
        whole = row > 0 and top + TILE <= height and left + TILE <= width
        for c in range(begin * COLUMNS, min(end * COLUMNS, channels), LANES):
            m0 = ((c // COLUMNS - begin) * groups * ROWS + row) * COLUMNS + c % COLUMNS
            y, y0, line, pixel = out, (top * width + left) * channels + c, channels, channels
            line *= width
            total, total_squares = sums, squares
            if not whole:
                y, y0, line, pixel = edge, 0, TILE * LANES, LANES
                total, total_squares = unused, unused2
            tile_out(m, m0, m_step, y, y0, line, pixel, bias, c, centre, total, total_squares)
            if whole:
                continue
            for lane in range(LANES):
                if row == 0:
                    centre[c + lane] = edge[lane]
                for i in range(min(TILE, height - top)):
                    for j in range(min(TILE, width - left)):
                        value = edge[(i * TILE + j) * LANES + lane]
                        out[((top + i) * width + left + j) * channels + c + lane] = value
                        away = value - centre[c + lane]
                        sums[c + lane] += away
                        squares[c + lane] += away * away


@njit(nogil=True, cache=True)
def winograd(counter, sources, height, width, weights, bias, out, chunk, splits, v, m, tallies):
    """Convolve with a 3×3 kernel in steps of 1 over borders of zeros, until all is done.

    Parameters are those of `direct.direct`, with these differences.

    Parameters
    ----------
    sources : tuple of tuple of ndarray
        All channels are multiples of 16, those of the output too.
    weights : ndarray
        Of `winograd_weights`.
    chunk : int
        Tiles of a part, which lie line by line.
    v, m : ndarray
        Room for the rows and products of a part: 36 times ``chunk * K + LANES`` and
        ``chunk * N + LANES``, with N rounded up to whole panels for each of the splits.
    """
    blocks = (sources[0][1].size + sources[1][1].size) // LANES
    panels = weights.size // (STEPS * blocks * LANES * COLUMNS)
    tiles = ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE)
    # A line of the cache between steps, because powers of 2 would all fall into the same places.
    v_step = chunk * blocks * LANES + LANES
    m_step = chunk * ((panels + splits - 1) // splits) * COLUMNS + LANES
    while True:
        item = take(counter)
        part, split = item // splits, item % splits
        first = part * chunk
        if first >= tiles:
            break
        count = min(chunk, tiles - first)
        begin, end = split * panels // splits, (split + 1) * panels // splits
        block = np.int64(0)  # not a literal, for which numba would compile once more
        for source in sources:
            _tiles_in(source, height, width, first, count, v, v_step, block, blocks)
            block += source[1].size // LANES
        products(v, v_step, weights, m, m_step, STEPS, count, blocks, panels, begin, end)
        centre, sums, squares = tallies[0, part], tallies[1, part], tallies[2, part]
        _tiles_out(
            m, m_step, height, width, first, count, begin, end, bias, out, centre, sums, squares
        )
