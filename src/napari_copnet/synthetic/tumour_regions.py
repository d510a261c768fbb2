"""Regions between the cells of a tumour: vessels, haemorrhages, strips of collagen."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from napari_copnet.synthetic.noise import SmoothNoise

_MakeNoise = Callable[[float], SmoothNoise]


def _direction(rng: np.random.Generator, flat: float) -> np.ndarray:
    vector = rng.standard_normal(3) * (1, flat, flat)
    return vector / np.linalg.norm(vector)


class Vessel:
    """A bent tube lined with flat cells, in any direction; lengths in px."""

    def __init__(
        self,
        diameter: float,
        side: int,
        depth: float,
        noise: _MakeNoise,
        rng: np.random.Generator,
    ) -> None:
        self.radius = min(rng.uniform(0.45, 1.3) * diameter, 0.2 * side)
        self.centre = np.array([depth / 2, *(rng.uniform(0.1, 0.9, 2) * side)])
        self.axis = _direction(rng, rng.choice([0.3, 1.5]))
        helper = np.array([0.0, 1.0, 0.0]) if abs(self.axis[1]) < 0.8 else np.array([0, 0, 1.0])
        self._u = np.cross(self.axis, helper)
        self._u /= np.linalg.norm(self._u)
        self._v = np.cross(self.axis, self._u)
        self.wall = max(rng.uniform(0.08, 0.2) * diameter, 6.0)
        self._sectors = int(rng.integers(2, 5))
        self._rings = 3
        self.walls = self._sectors * self._rings
        self._period = 2.5 * diameter
        self._bend = noise(0.7 * self.radius + 4)
        self._thick = noise(0.5 * diameter)
        self._turn = noise(diameter)

    def paint(self, regions, z, y, x, wall_first: int, lumen: int) -> None:
        """Write wall cells, counted from `wall_first`, and the lumen over a slice's regions."""
        at = [z - self.centre[0], y[:, None] - self.centre[1], x[None] - self.centre[2]]

        def along(vector: np.ndarray) -> np.ndarray:
            return vector[0] * at[0] + vector[1] * at[1] + vector[2] * at[2]

        u, v = along(self._u), along(self._v)
        bent = self.radius * (1 + 0.15 * self._bend.at(z, y, x))
        depth = bent - np.hypot(u, 1.25 * v)
        wall = self.wall * np.clip(1 + 0.45 * self._thick.at(z, y, x), 0.45, 2.2)
        turn = (np.arctan2(v, u) + 0.35 * self._turn.at(z, y, x)) / (2 * math.pi)
        # An oblique overlap where two cells of the lining meet.
        sector = np.floor((turn + 0.004 * depth) * self._sectors).astype(int) % self._sectors
        ring = np.floor(along(self.axis) / self._period + 0.5 * sector).astype(int) % self._rings
        number = wall_first + ring * self._sectors + sector
        inside = depth > 0
        regions[inside] = number[inside]
        regions[depth > wall] = lumen


class Haemorrhage:
    """An area of blood with a ragged border; lengths in px."""

    def __init__(
        self,
        diameter: float,
        side: int,
        depth: float,
        noise: _MakeNoise,
        rng: np.random.Generator,
    ) -> None:
        self.radius = rng.uniform(0.6, 1.8) * diameter
        self.centre = np.array([depth / 2, *(rng.uniform(-0.1, 1.1, 2) * side)])
        self.stretch = rng.uniform(0.5, 1.6)
        self._bend = noise(0.45 * self.radius + 4)

    def depth(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the depth inside, (Y, X)."""
        away = np.sqrt(
            (z - self.centre[0]) ** 2
            + (self.stretch * (y[:, None] - self.centre[1])) ** 2
            + (x[None] - self.centre[2]) ** 2
        )
        return self.radius * (1 + 0.3 * self._bend.at(z, y, x)) - away


class Strip:
    """A bent sheet of collagen between cells; lengths in px."""

    def __init__(
        self, diameter: float, side: int, noise: _MakeNoise, rng: np.random.Generator
    ) -> None:
        self.normal = _direction(rng, 3.0)
        self.place = float(rng.uniform(0.1, 0.9, 2) @ np.abs(self.normal[1:])) * side
        self.width = rng.uniform(0.04, 0.2) * diameter + 1
        self.signs = np.sign(self.normal[1:])
        self.side = side
        self._bend = noise(1.3 * diameter)
        self._bend_by = 0.4 * diameter
        self._thick = noise(0.3 * diameter)

    def depth(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the depth inside, (Y, X)."""
        rows = y[:, None] if self.signs[0] >= 0 else self.side - y[:, None]
        columns = x[None] if self.signs[1] >= 0 else self.side - x[None]
        at = (
            self.normal[0] * z
            + abs(self.normal[1]) * rows
            + abs(self.normal[2]) * columns
            - self.place
        )
        width = self.width * (0.8 + 0.9 * self._thick.at(z, y, x))
        return width - np.abs(at + self._bend_by * self._bend.at(z, y, x))
