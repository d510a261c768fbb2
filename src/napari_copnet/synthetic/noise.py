"""Smooth random fields that can be computed slice by slice, at any position."""

from __future__ import annotations

import numpy as np

# Standard deviation of white lattice noise after cubic B-spline smoothing along one axis.
_SPLINE_SPREAD = (151 / 315) ** 0.5


class SmoothNoise:
    """Gaussian noise smoothed by a cubic B-spline lattice: mean 0, standard deviation about 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the lattice values.
    low, high : tuple of float
        Corners (z, y, x) of the box it is defined in, µm. Outside, its border goes on.
    spacing : tuple of float
        Lattice spacing along z, y, x, µm: about half the size of a blob.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        spacing: tuple[float, float, float],
    ) -> None:
        self.low = low
        self.spacing = spacing
        shape = [int(np.ceil((b - a) / s)) + 4 for a, b, s in zip(low, high, spacing, strict=True)]
        self.lattice = rng.standard_normal(shape, dtype=np.float32) / np.float32(_SPLINE_SPREAD**3)

    def at(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the field on the slice at `z` with rows at `y` and columns at `x`, all in µm.

        Returns
        -------
        ndarray, shape (len(y), len(x)), float32
        """
        first, weights = self._weights(np.array([z]), 0)
        plane = np.tensordot(weights[0], self.lattice[first[0] : first[0] + 4], axes=1)
        return self._matrix(y, 1) @ plane @ self._matrix(x, 2).T

    def at_points(self, points: np.ndarray) -> np.ndarray:
        """Return the field at scattered points z, y, x, shape (N, 3), µm: (N,), float32."""
        (z, wz), (y, wy), (x, wx) = (self._weights(points[:, axis], axis) for axis in range(3))
        four = np.arange(4)
        around = self.lattice[
            (z[:, None] + four)[:, :, None, None],
            (y[:, None] + four)[:, None, :, None],
            (x[:, None] + four)[:, None, None, :],
        ]
        return np.einsum("nijk,ni,nj,nk->n", around, wz, wy, wx)

    def _matrix(self, positions: np.ndarray, axis: int) -> np.ndarray:
        first, weights = self._weights(positions, axis)
        matrix = np.zeros((len(positions), self.lattice.shape[axis]), np.float32)
        rows = np.arange(len(positions))
        for k in range(4):
            matrix[rows, first + k] = weights[:, k]
        return matrix

    def _weights(self, positions: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        u = (np.asarray(positions, np.float64) - self.low[axis]) / self.spacing[axis]
        u = np.clip(u, 0, self.lattice.shape[axis] - 4)
        first = np.minimum(u.astype(np.int64), self.lattice.shape[axis] - 4)
        t = u - first
        weights = np.stack(
            [
                (1 - t) ** 3,
                3 * t**3 - 6 * t**2 + 4,
                -3 * t**3 + 3 * t**2 + 3 * t + 1,
                t**3,
            ],
            axis=1,
        )
        return first, (weights / 6).astype(np.float32)
