"""The processes of mammalian cortex: thick dendrites among thin axons, and myelin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import edt
import numpy as np
from scipy.spatial import cKDTree

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.sites import Sites, joined, nearest_sites, scatter, unit
from napari_copnet.synthetic.specks import without_specks
from napari_copnet.synthetic.tumour_regions import Vessel
from napari_copnet.synthetic.warp import Warp

_SMALLEST_PIECE = 50  # px: smaller pieces of a cell go to what lies around them


@dataclass(frozen=True)
class CortexSlice:
    """The regions of one slice; lengths in px.

    Attributes
    ----------
    regions : ndarray, shape (Y, X), uint32
        Cells from 1, then the lumen of the vessel.
    distance : ndarray, shape (Y, X), float32
        Distance to the nearest border between regions.
    myelin : ndarray, shape (Y, X), float32
        Depth inside the myelin of the cell from its inner border outwards; negative within the
        axon and in cells without myelin.
    """

    regions: np.ndarray
    distance: np.ndarray
    myelin: np.ndarray


class CortexLayout:
    """The cells of a block of cortex, computed slice by slice; lengths in px.

    Parameters
    ----------
    params : TissueParams
        Size of the block and of its cells.
    rng : numpy.random.Generator
        Source of randomness.
    margin : float
        How far beyond the block drift may reach, px.
    """

    def __init__(self, params: TissueParams, rng: np.random.Generator, margin: float) -> None:
        self.diameter = diameter = params.cell_diameter / params.pixel_size
        depth = params.slices * params.slice_thickness / params.pixel_size
        side = params.size
        self.low = np.array([-1.0, -margin - 2, -margin - 2])
        self.high = np.array([depth + 1.0, side + margin + 2, side + margin + 2])
        self._bundle = unit(rng.standard_normal((1, 3)))[0] * rng.choice([0.0, rng.uniform(0, 2)])
        self._warp = Warp(
            rng, self.low, self.high, 1.6 * diameter, rng.uniform(0.5, 1.1), rng.uniform(0, 0.012)
        )
        self.sites = self._place_sites(rng)
        self.cell_count = int(self.sites.cell.max()) + 1
        self.vessel = None
        self.wall_first = self.cell_count + 1
        if params.vessel:
            from napari_copnet.synthetic.noise import SmoothNoise

            box = tuple(self.low), tuple(self.high)
            self.vessel = Vessel(
                3 * diameter, side, depth, lambda s: SmoothNoise(rng, *box, (s, s, s)), rng
            )
            self.cell_count += self.vessel.walls
        self.lumen = self.cell_count + 1
        self._sheath = self._draw_myelin(rng)

    def _place_sites(self, rng: np.random.Generator) -> Sites:
        """Thick processes first; thin ones fill the space between them."""
        diameter = self.diameter
        parts: list[Sites] = []
        wide = rng.uniform(2.2, 3.6)
        for size, spread, share, longest in (
            (wide, 0.2, rng.uniform(0.25, 0.75), 5.0),
            (0.55 * wide, 0.3, rng.uniform(0.3, 0.8), 6.0),
            (1.0, 0.3, 0.8, 7.0),
            (0.55, 0.3, rng.uniform(0.5, 1.0), 7.0),
        ):
            across = max(size * diameter, 7.0)
            around = 1.1 * across
            place = scatter(self.low - around, self.high + around, 1.02 * across, rng)
            place = place[rng.random(len(place)) < share]
            place = place[_free(place, parts)]
            count = len(place)
            if not count:
                continue
            direction = unit(rng.standard_normal((count, 3)) + self._bundle)
            radius = across / 1.75 * np.exp(rng.normal(0, spread, count))
            length = rng.uniform(1.2, longest, count)
            parts.append(
                Sites(place, direction, radius.astype("f4"), length.astype("f4"), np.arange(count))
            )
        sites = joined(parts)
        # Spines, boutons and glia: a process is more than one ellipsoid.
        cell = sites.cell.copy()
        if len(cell) > 2:
            _, near = cKDTree(sites.place).query(sites.place, k=2)
            for i in np.flatnonzero(rng.random(len(cell)) < rng.uniform(0.1, 0.35)):
                cell[i] = cell[near[i, 1]]
        return Sites(sites.place, sites.direction, sites.radius, sites.length, cell).renumbered()

    def _draw_myelin(self, rng: np.random.Generator) -> np.ndarray:
        """Return the thickness of each region's myelin, px; most have none."""
        largest = np.zeros(self.lumen + 1)
        np.maximum.at(largest, self.sites.cell + 1, self.sites.radius)
        fit = (largest > 0.45 * self.diameter) & (largest < 1.3 * self.diameter)
        some = rng.choice([0.0, rng.uniform(0.002, 0.02), rng.uniform(0.02, 0.1)])
        sheath = np.where(fit & (rng.random(len(largest)) < some), 1.0, 0.0)
        return (sheath * largest * rng.uniform(0.2, 0.45, len(largest))).astype(np.float32)

    def slice(self, z: float, y: np.ndarray, x: np.ndarray) -> CortexSlice:
        """Return the regions on the plane at `z` with rows at `y` and columns at `x`, in px."""
        _, points = self._warp.bend(z, y, x)
        pz, py, px = (np.ascontiguousarray(p, np.float32) for p in points)
        reach = self.sites.radius * self.sites.length ** (2 / 3)
        kept = np.abs(self.sites.place[:, 0] - z) < 2.2 * reach + 0.5 * self.diameter
        near = self.sites.taken(kept) if kept.any() else self.sites
        site, _ = nearest_sites(pz, py, px, near)
        regions = (near.cell[site] + 1).astype(np.uint32)
        if self.vessel is not None:
            self.vessel.paint(regions, z, y, x, self.wall_first, self.lumen)
        regions = without_specks(regions, _SMALLEST_PIECE)
        distance = edt.edt(regions, black_border=False) - np.float32(0.5)
        sheath = self._sheath[regions]
        myelin = np.where(sheath > 0, sheath - distance, -99).astype(np.float32)
        return CortexSlice(regions, distance, myelin)


def _free(place: np.ndarray, parts: list[Sites]) -> np.ndarray:
    """Return which points lie outside the ellipsoids of the sites placed before."""
    free = np.ones(len(place), bool)
    for part in parts:
        tree = cKDTree(part.place)
        _, near = tree.query(place, k=min(6, len(part.place)))
        near = near.reshape(len(place), -1)
        a, b = part.metric()
        offset = place[:, None] - part.place[near]
        along = (offset * part.direction[near]).sum(-1)
        squared = a[near] * (offset**2).sum(-1) - b[near] * along**2
        free &= (squared > math.sqrt(0.9)).all(axis=1)
    return free
