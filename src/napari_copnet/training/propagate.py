"""Advance the degradation equation ∂u/∂t = α Δu − β u in time, without flux over the border.

The equation is kept as the paper writes it: α times the Laplacian (not the divergence of α ∇u).
Where α is above 0 the semi-discrete operator A = diag(α) L − diag(β) is similar to a symmetric
one, so its eigenvalues are real and lie in [−(8 max α + max β), 0]. That is what lets a Chebyshev
expansion of exp(T A) reach single precision in a few dozen stencil passes.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sparse
from numba import njit
from scipy.ndimage import find_objects, label
from scipy.sparse.linalg import splu
from scipy.special import ive

_TAIL = 1e-8  # Chebyshev coefficients below this are lost in single precision
_BLOCK = 16  # px: block size in which unchanged pixels are separated from changing ones


def propagate(
    u0: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
    duration: float,
    method: str = "chebyshev",
    time_step: float = 0.1,
) -> np.ndarray:
    """Return u after `duration` of ∂u/∂t = α Δu − β u with ∂u/∂n = 0 on the border.

    Parameters
    ----------
    u0 : ndarray, shape (Y, X)
        Start values.
    alpha : ndarray, shape (Y, X)
        Diffusion, px² per unit of time, at least 0.
    beta : ndarray, shape (Y, X)
        Absorption, 1 per unit of time, at least 0.
    duration : float
        Simulated time.
    method : str
        ``"chebyshev"``, exact in time and fast, or ``"crank-nicolson"``, as the paper computes.
    time_step : float
        Longest step of Crank–Nicolson.

    Returns
    -------
    ndarray, shape (Y, X), float32
    """
    if duration <= 0:
        return np.array(u0, np.float32)
    if method == "chebyshev":
        return _chebyshev(u0, alpha, beta, duration)
    if method == "crank-nicolson":
        return _crank_nicolson(u0, alpha, beta, duration, time_step)
    raise ValueError(f"unknown method {method!r}")


def operator(alpha: np.ndarray, beta: np.ndarray) -> sparse.csr_array:
    """Return A = diag(α) L − diag(β) in float64, L the 5-point Laplacian with Neumann border.

    Parameters
    ----------
    alpha, beta : ndarray, shape (Y, X)
        Diffusion and absorption.

    Returns
    -------
    csr_array, shape (Y·X, Y·X)
        Rows and columns in C order of the pixels.
    """
    height, width = alpha.shape
    laplacian = sparse.kron(_second_difference(height), sparse.eye_array(width)) + sparse.kron(
        sparse.eye_array(height), _second_difference(width)
    )
    a = sparse.diags_array(np.asarray(alpha, np.float64).ravel())
    b = sparse.diags_array(np.asarray(beta, np.float64).ravel())
    return sparse.csr_array(a @ laplacian - b)


def crank_nicolson_matrices(
    alpha: np.ndarray, beta: np.ndarray, step: float
) -> tuple[sparse.csc_array, sparse.csr_array]:
    """Return the implicit and the explicit matrix of one Crank–Nicolson step."""
    a = operator(alpha, beta)
    one = sparse.eye_array(a.shape[0])
    return sparse.csc_array(one - 0.5 * step * a), sparse.csr_array(one + 0.5 * step * a)


def _second_difference(n: int) -> sparse.dia_array:
    middle = np.full(n, -2.0)
    middle[0] += 1.0
    middle[-1] += 1.0
    beside = np.ones(n - 1)
    return sparse.diags_array([beside, middle, beside], offsets=[-1, 0, 1], shape=(n, n))


def _crank_nicolson(u0, alpha, beta, duration: float, time_step: float) -> np.ndarray:
    steps = max(1, math.ceil(duration / time_step - 1e-9))
    implicit, explicit = crank_nicolson_matrices(alpha, beta, duration / steps)
    factors = splu(implicit, permc_spec="MMD_AT_PLUS_A")  # the pattern is symmetric
    u = np.asarray(u0, np.float64).ravel()
    for _ in range(steps):
        u = factors.solve(explicit @ u)
    return u.reshape(np.shape(u0)).astype(np.float32)


def _chebyshev(u0, alpha, beta, duration: float) -> np.ndarray:
    result = np.array(u0, np.float32, order="C")
    alpha = np.asarray(alpha, np.float32)
    beta = np.asarray(beta, np.float32)
    for box in moving_boxes((alpha > 0) | (beta > 0)):
        a, b = alpha[box], beta[box]
        bound = 8.0 * float(a.max()) + float(b.max())
        half = 0.5 * bound * duration
        result[box] = _expand(
            np.ascontiguousarray(result[box]),
            a * np.float32(4.0 / bound),
            np.float32(2.0) - b * np.float32(4.0 / bound),
            _coefficients(half),
        )
    return result


def _coefficients(half: float) -> np.ndarray:
    """Chebyshev coefficients of exp(half (x − 1)) on [−1, 1], cut where they no longer count."""
    most = int(half) + 16 + int(8 * math.sqrt(half + 1))
    bessel = ive(np.arange(most), half)
    count = max(2, int(np.count_nonzero(bessel > _TAIL)))
    values = 2.0 * bessel[:count]
    values[0] = bessel[0]
    return values.astype(np.float32)


def moving_boxes(moving: np.ndarray) -> list[tuple[slice, slice]]:
    """Return disjoint boxes around the pixels that change, with a rim of still pixels.

    A still pixel (α = β = 0) keeps its value whatever lies beside it, so that a box whose rim is
    still can be advanced on its own.

    Parameters
    ----------
    moving : ndarray, shape (Y, X), bool
        True where α or β is above 0.
    """
    height, width = moving.shape
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    padded = np.zeros((rows * _BLOCK, columns * _BLOCK), bool)
    padded[:height, :width] = moving
    coarse = padded.reshape(rows, _BLOCK, columns, _BLOCK).any(axis=(1, 3))
    if coarse.all():
        return [(slice(0, height), slice(0, width))]
    boxes = [
        (
            max(0, y.start * _BLOCK - 1),
            min(height, y.stop * _BLOCK + 1),
            max(0, x.start * _BLOCK - 1),
            min(width, x.stop * _BLOCK + 1),
        )
        for y, x in find_objects(label(coarse, np.ones((3, 3)))[0])
    ]
    return [(slice(y0, y1), slice(x0, x1)) for y0, y1, x0, x1 in _merged(boxes)]


def _merged(boxes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    done: list[tuple[int, int, int, int]] = []
    while boxes:
        box = boxes.pop()
        for other in done:
            if box[0] < other[1] and other[0] < box[1] and box[2] < other[3] and other[2] < box[3]:
                done.remove(other)
                boxes.append(
                    (
                        min(box[0], other[0]),
                        max(box[1], other[1]),
                        min(box[2], other[2]),
                        max(box[3], other[3]),
                    )
                )
                break
        else:
            done.append(box)
    return done


@njit(cache=True, nogil=True, fastmath=True)
def _expand(u, a, b, coefficients):
    """Sum c_k T_k(B) u, where 2 B u = b u + a (sum of neighbours − 4 u)."""
    height, width = u.shape
    half = np.float32(0.5)
    older = np.zeros((height + 2, width + 2), np.float32)
    newer = np.zeros((height + 2, width + 2), np.float32)
    centre = b - np.float32(4.0) * a
    total = np.empty((height, width), np.float32)
    older[1:-1, 1:-1] = u
    _mirror_border(older)
    for y in range(height):
        for x in range(width):
            value = half * (
                centre[y, x] * older[y + 1, x + 1]
                + a[y, x]
                * (older[y, x + 1] + older[y + 2, x + 1] + older[y + 1, x] + older[y + 1, x + 2])
            )
            newer[y + 1, x + 1] = value
            total[y, x] = coefficients[0] * u[y, x] + coefficients[1] * value
    for k in range(2, coefficients.size):
        _mirror_border(newer)
        c = coefficients[k]
        for y in range(height):
            for x in range(width):
                value = (
                    centre[y, x] * newer[y + 1, x + 1]
                    + a[y, x]
                    * (
                        newer[y, x + 1]
                        + newer[y + 2, x + 1]
                        + newer[y + 1, x]
                        + newer[y + 1, x + 2]
                    )
                    - older[y + 1, x + 1]
                )
                older[y + 1, x + 1] = value
                total[y, x] += c * value
        older, newer = newer, older
    return total


@njit(cache=True, nogil=True)
def _mirror_border(u):
    u[0, :] = u[1, :]
    u[-1, :] = u[-2, :]
    u[:, 0] = u[:, 1]
    u[:, -1] = u[:, -2]
