"""The cells of synthetic tissue: a power diagram of scattered seeds in warped space.

Neighbouring seeds are joined to one cell here and there, and all those in a ball to a large one,
which makes cells of many sizes with concave outlines. Warping space by smooth noise bends walls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import edt
import numpy as np
from numba import njit

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.noise import SmoothNoise

_Corner = tuple[float, float, float]
_REACH = 2  # seed lattice cells searched around a point; further seeds are not the nearest


@dataclass(frozen=True)
class SliceGeometry:
    """The cells of one slice.

    Attributes
    ----------
    cells : ndarray, shape (Y, X), uint32
        Number of the cell, from 1; `Layout.vessel_label` inside the vessel.
    distance : ndarray, shape (Y, X), float32
        Distance to the nearest border between cells, px.
    nucleus : ndarray, shape (Y, X), float32
        Depth inside the nucleus of the cell, px; negative outside.
    vessel : ndarray, shape (Y, X), float32, or None
        Depth inside the vessel's outer border, px; negative outside.
    """

    cells: np.ndarray
    distance: np.ndarray
    nucleus: np.ndarray
    vessel: np.ndarray | None


class Layout:
    """The cells of a block of tissue, computed slice by slice.

    Parameters
    ----------
    params : TissueParams
        Size of the block and of its cells.
    rng : numpy.random.Generator
        Source of randomness.
    margin : float
        How far beyond the block drift may reach, µm.
    """

    def __init__(self, params: TissueParams, rng: np.random.Generator, margin: float) -> None:
        self.params = params
        depth = params.slices * params.slice_thickness
        side = params.size * params.pixel_size
        diameter = params.cell_diameter
        low = (-params.slice_thickness, -margin, -margin)
        high = (depth + params.slice_thickness, side + margin, side + margin)
        self.box = low, high

        # Seeds 1.1 diameters apart, in a turned, stretched frame: cut by a plane, cells of that
        # spacing show about the diameter asked for.
        stretch = np.exp(rng.normal(0, 0.18, 3))
        self._spacing = 1.1 * diameter * stretch / stretch.prod() ** (1 / 3)
        turn = rng.uniform(0, math.pi)
        self._turn = math.cos(turn), math.sin(turn)
        self._warps = [
            [
                (SmoothNoise(rng, low, high, (s, s, s)), strength * diameter)
                for s, strength in ((0.55 * diameter, 0.13), (0.18 * diameter, 0.035))
            ]
            for _ in range(3)
        ]
        self._scatter_seeds(rng, low, high)
        self._vessel = _Vessel(params, rng, low, high) if params.vessel else None
        self.vessel_label = self.cell_count + 1

    def _scatter_seeds(self, rng: np.random.Generator, low: _Corner, high: _Corner) -> None:
        cosine, sine = self._turn
        corners = np.array(
            [
                (z, cosine * y + sine * x, -sine * y + cosine * x)
                for z in (low[0], high[0])
                for y in (low[1], high[1])
                for x in (low[2], high[2])
            ]
        )
        self._first = np.floor(corners.min(0) / self._spacing).astype(int) - _REACH - 1
        last = np.ceil(corners.max(0) / self._spacing).astype(int) + _REACH + 1
        shape = tuple(last - self._first)
        seeds = np.moveaxis(np.indices(shape), 0, -1) + rng.uniform(0.05, 0.95, (*shape, 3))
        weights = rng.normal(0, 0.12, shape).clip(-0.3, 0.3)
        weights[rng.random(shape) < 0.15] = -1e6  # dropped: its neighbours take its room
        self._seeds = seeds.astype(np.float32)
        self._weights = weights.astype(np.float32)

        flat = seeds.reshape(-1, 3)
        owner = np.arange(weights.size)
        for _ in range(rng.poisson(0.004 * weights.size)):
            centre, radius = flat[rng.integers(len(flat))], rng.uniform(0.9, 1.6)
            ball = np.flatnonzero(((flat - centre) ** 2).sum(1) < radius**2)
            owner[ball] = owner[ball[0]]
        owner = owner.reshape(shape)
        joins, directions = rng.random(shape) < 0.3, rng.integers(0, 3, shape)
        for place in np.argwhere(joins):
            beside = place.copy()
            beside[directions[tuple(place)]] += 1
            if (beside < shape).all():
                owner[tuple(place)] = owner[tuple(beside)]
        _, groups = np.unique(owner, return_inverse=True)
        groups = groups.ravel()
        self._groups = groups.reshape(shape).astype(np.int64)
        self.cell_count = int(groups.max()) + 1

        # One nucleus in most cells, around the heaviest seed of the cell.
        order = np.argsort(weights.ravel(), kind="stable")
        main = np.zeros(self.cell_count, np.int64)
        main[groups[order]] = order
        self._nucleus_centre = flat[main].astype(np.float32)
        radii = rng.uniform(0.3, 0.5, self.cell_count) * rng.uniform(0.85, 1.35)
        radii[rng.random(self.cell_count) < 0.35] = 0
        self._nucleus_radius = radii.astype(np.float32)

    def slice(self, z: float, y: np.ndarray, x: np.ndarray) -> SliceGeometry:
        """Return the cells on the plane at `z` with rows at `y` and columns at `x`, all in µm."""
        warped = [np.asarray(z), y[:, None], x[None]]
        for axis, warps in enumerate(self._warps):
            for noise, strength in warps:
                warped[axis] = warped[axis] + strength * noise.at(z, y, x)
        cosine, sine = self._turn
        pz = warped[0] / self._spacing[0] - self._first[0]
        py = (cosine * warped[1] + sine * warped[2]) / self._spacing[1] - self._first[1]
        px = (-sine * warped[1] + cosine * warped[2]) / self._spacing[2] - self._first[2]
        groups, nucleus = _nearest(
            pz.astype(np.float32),
            py.astype(np.float32),
            px.astype(np.float32),
            self._seeds,
            self._weights,
            self._groups,
            self._nucleus_centre,
            self._nucleus_radius,
        )
        nucleus = nucleus * np.float32(self._spacing.mean() / self.params.pixel_size)
        cells = groups + np.uint32(1)
        vessel = None
        if self._vessel is not None:
            vessel = self._vessel.depth(z, y, x) / np.float32(self.params.pixel_size)
            cells[vessel > 0] = self.vessel_label
        distance = edt.edt(cells, black_border=False) - np.float32(0.5)
        return SliceGeometry(cells, distance, nucleus, vessel)


class _Vessel:
    """A bent tube, mostly along z."""

    def __init__(
        self, params: TissueParams, rng: np.random.Generator, low: _Corner, high: _Corner
    ) -> None:
        side = params.size * params.pixel_size
        self.radius = min(0.17 * side, max(0.08 * side, 1.3 * params.cell_diameter))
        self.centre = rng.uniform(0.2, 0.8, 2) * side
        self.slope = rng.uniform(-0.5, 0.5, 2)
        blob = 0.7 * self.radius
        self.noise = SmoothNoise(rng, low, high, (blob, blob, blob))

    def depth(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        centre = self.centre + self.slope * z
        distance = np.hypot(y[:, None] - centre[0], 1.25 * (x[None] - centre[1]))
        bent = self.radius * (1 + 0.12 * self.noise.at(z, y, x)) - distance
        return bent.astype(np.float32)


@njit(cache=True, nogil=True)
def _nearest(pz, py, px, seeds, weights, groups, nucleus_centre, nucleus_radius):
    """Find each point's cell in the power diagram, and its depth inside that cell's nucleus."""
    height, width = py.shape
    nz, ny, nx = weights.shape
    cells = np.empty((height, width), np.uint32)
    nucleus = np.empty((height, width), np.float32)
    for r in range(height):
        for c in range(width):
            z, y, x = pz[r, c], py[r, c], px[r, c]
            iz, iy, ix = int(np.floor(z)), int(np.floor(y)), int(np.floor(x))
            best = np.float32(np.inf)
            found = 0
            for jz in range(max(0, iz - _REACH), min(nz, iz + _REACH + 1)):
                for jy in range(max(0, iy - _REACH), min(ny, iy + _REACH + 1)):
                    # 0.3 is the largest weight: a row of seeds that can't win is skipped.
                    gz = max(np.float32(0), max(jz - z, z - jz - 1))
                    gy = max(np.float32(0), max(jy - y, y - jy - 1))
                    if gz * gz + gy * gy - np.float32(0.3) >= best:
                        continue
                    for jx in range(max(0, ix - _REACH), min(nx, ix + _REACH + 1)):
                        dz = seeds[jz, jy, jx, 0] - z
                        dy = seeds[jz, jy, jx, 1] - y
                        dx = seeds[jz, jy, jx, 2] - x
                        power = dz * dz + dy * dy + dx * dx - weights[jz, jy, jx]
                        if power < best:
                            best = power
                            found = groups[jz, jy, jx]
            cells[r, c] = found
            dz = nucleus_centre[found, 0] - z
            dy = nucleus_centre[found, 1] - y
            dx = nucleus_centre[found, 2] - x
            nucleus[r, c] = nucleus_radius[found] - np.sqrt(dz * dz + dy * dy + dx * dx)
    return cells, nucleus
