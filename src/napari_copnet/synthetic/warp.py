"""Warp space by smooth noise, which bends and ruffles the borders of cells."""

from __future__ import annotations

import numpy as np

from napari_copnet.synthetic.noise import SmoothNoise


class Warp:
    """A random warp of space; lengths in px.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    low, high : ndarray, shape (3,)
        Corners z, y, x of the box in which it is asked for.
    diameter : float
        Of a cell: space bends over a part of it.
    strength : float
        Factor of how far points move; 1 moves them by a ninth of the diameter.
    ruffles : float
        How far borders are ruffled where they are, as a share of the diameter.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        low: np.ndarray,
        high: np.ndarray,
        diameter: float,
        strength: float,
        ruffles: float,
    ) -> None:
        def noise(size: float) -> SmoothNoise:
            return SmoothNoise(rng, tuple(low), tuple(high), (size, size, size))

        self._coarse = [
            [
                (noise(size * diameter), share * strength * diameter)
                for size, share in ((0.5, 0.11), (0.17, 0.03))
            ]
            for _ in range(3)
        ]
        fine = max(0.06 * diameter, 2.0)
        self._fine = [noise(fine) for _ in range(2)]
        self._places = noise(0.7 * diameter)
        self._ruffles = ruffles * diameter

    def bend(
        self, z: float, y: np.ndarray, x: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return positions z, y, x of a slice's points, bent, and bent and ruffled: (Y, X) each."""
        straight = (np.full((1, 1), z), y[:, None], x[None])
        bent = []
        for base, parts in zip(straight, self._coarse, strict=True):
            moved: np.ndarray = base.astype(np.float32)
            for noise, far in parts:
                moved = moved + np.float32(far) * noise.at(z, y, x)
            bent.append(moved)
        far = np.clip(self._places.at(z, y, x), 0, 2) * np.float32(self._ruffles)
        fine = [far * noise.at(z, y, x) for noise in self._fine]
        return bent, [bent[0], bent[1] + fine[0], bent[2] + fine[1]]
