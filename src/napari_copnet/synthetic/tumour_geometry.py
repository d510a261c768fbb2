"""The cells of a packed tumour: spindles in bundles, thin processes, vessels, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import edt
import numpy as np
from scipy.spatial import cKDTree

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.noise import SmoothNoise
from napari_copnet.synthetic.sites import Nuclei, Sites, joined, nearest_sites, scatter, unit
from napari_copnet.synthetic.specks import without_specks
from napari_copnet.synthetic.tumour_regions import Haemorrhage, Strip, Vessel
from napari_copnet.synthetic.warp import Warp

_SMALLEST_PIECE = 50  # px: smaller pieces of a cell go to what lies around them


@dataclass(frozen=True)
class TumourSlice:
    """The regions of one slice; lengths in px.

    Attributes
    ----------
    regions : ndarray, shape (Y, X), uint32
        Cells from 1, then the lumen of the vessel, the haemorrhage and the space between cells.
    distance : ndarray, shape (Y, X), float32
        Distance to the nearest border between regions.
    nucleus, nucleolus : ndarray, shape (Y, X), float32
        Depth inside; negative outside.
    """

    regions: np.ndarray
    distance: np.ndarray
    nucleus: np.ndarray
    nucleolus: np.ndarray


@dataclass(frozen=True)
class _Habit:
    """How the cells of one tumour are arranged."""

    size_spread: float
    longest: float
    spindles: float
    together: float
    joins: float
    clusters: float
    gaps: float
    ruffles: float
    nuclei: float
    strip: bool
    haemorrhage: bool


def _draw_habit(rng: np.random.Generator) -> _Habit:
    return _Habit(
        size_spread=rng.uniform(0.1, 0.32),
        longest=rng.choice([rng.uniform(1.2, 3.0), rng.uniform(3.0, 8.0)]),
        spindles=rng.normal(0, 1.0),
        together=rng.choice([rng.uniform(0, 2), rng.uniform(3, 8)], p=[0.65, 0.35]),
        joins=rng.uniform(0, 0.25),
        clusters=rng.choice([0.0, 1.0]) * rng.uniform(0.2, 1.0),
        gaps=rng.choice([99.0, rng.uniform(1.8, 2.6), rng.uniform(1.35, 1.8)], p=[0.35, 0.45, 0.2]),
        ruffles=rng.uniform(0, 0.02),
        nuclei=rng.uniform(0.75, 1.0),
        strip=bool(rng.random() < 0.3),
        haemorrhage=bool(rng.random() < 0.25),
    )


class TumourLayout:
    """The cells of a block of tumour, computed slice by slice; lengths in px.

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
        self.habit = habit = _draw_habit(rng)

        def noise(size: float) -> SmoothNoise:
            return SmoothNoise(rng, tuple(self.low), tuple(self.high), (size, size, size))

        self._warp = Warp(rng, self.low, self.high, diameter, 1.0, habit.ruffles)
        self._folds = [noise(0.22 * diameter) for _ in range(2)]
        self._gap = noise(0.9 * diameter)

        main = self._main_sites(rng)
        groups = self._clusters(rng)
        if groups:
            main = self._thinned(main, groups)
        main = main.renumbered()
        self._main_cells = int(main.cell.max()) + 1
        self.sites = joined([main, *groups])
        self.cell_count = int(self.sites.cell.max()) + 1
        self.vessel = Vessel(diameter, side, depth, noise, rng) if params.vessel else None
        walls = self.vessel.walls if self.vessel else 0
        self.wall_first = self.cell_count + 1
        self.cell_count += walls
        self.lumen = self.cell_count + 1
        self.blood = self.cell_count + 2
        self.matrix = self.cell_count + 3
        self._haemorrhage = (
            Haemorrhage(diameter, side, depth, noise, rng) if habit.haemorrhage else None
        )
        self._strip = Strip(diameter, side, noise, rng) if habit.strip else None
        self.nuclei = self._make_nuclei(rng)

    def _main_sites(self, rng: np.random.Generator) -> Sites:
        habit, diameter = self.habit, self.diameter
        around = 1.3 * diameter
        place = scatter(self.low - around, self.high + around, 1.02 * diameter, rng)
        kept = rng.random(len(place)) > 0.12
        place = place[kept]
        # Neighbours point in similar directions, and long cells cluster.
        rough = max(2.5 * diameter, 1.0)
        corners = tuple(self.low - around), tuple(self.high + around)
        fields = [SmoothNoise(rng, *corners, (rough, rough, rough)) for _ in range(4)]
        values = np.array([field.at_points(place) for field in fields])
        common = rng.standard_normal(3) * (0.5, 1, 1)
        common *= habit.together / np.linalg.norm(common)
        direction = values[:3].T + common + 0.35 * rng.standard_normal((len(place), 3))
        share = 1 / (1 + np.exp(-2.5 * (values[3] + habit.spindles)))
        length = 1 + (habit.longest - 1) * share * rng.uniform(0.5, 1, len(place))
        radius = diameter / 1.75 * np.exp(rng.normal(0, habit.size_spread, len(place)))
        cell = np.arange(len(place))
        if len(place) > 2:
            _, near = cKDTree(place).query(place, k=2)
            for i in np.flatnonzero(rng.random(len(place)) < habit.joins):
                cell[i] = cell[near[i, 1]]
        return Sites(place, unit(direction), radius.astype("f4"), length.astype("f4"), cell)

    def _clusters(self, rng: np.random.Generator) -> list[Sites]:
        """Bundles of thin processes between cells."""
        diameter, groups = self.diameter, []
        box = np.prod(self.high - self.low + diameter)
        for _ in range(rng.poisson(self.habit.clusters * 0.1 * box / diameter**3)):
            centre = rng.uniform(self.low - 0.3 * diameter, self.high + 0.3 * diameter)
            thin = max(rng.uniform(0.07, 0.2) * diameter, 5.5)
            reach = rng.uniform(0.25, 0.75) * diameter
            axis = rng.standard_normal(3)
            axis /= np.linalg.norm(axis)
            place = scatter(centre - 2 * reach, centre + 2 * reach, 1.5 * thin, rng)
            away = place - centre
            along = away @ axis
            across = np.sqrt(np.maximum((away**2).sum(1) - along**2, 0))
            flat = rng.uniform(1.2, 2.2)
            place = place[(along / (flat * reach)) ** 2 + (across / reach) ** 2 < 1][:600]
            if len(place) < 3:
                continue
            direction = axis + 0.25 * rng.standard_normal((len(place), 3))
            groups.append(
                Sites(
                    place,
                    unit(direction),
                    (thin * rng.lognormal(0, 0.3, len(place))).astype("f4"),
                    np.full(len(place), rng.uniform(1, 6), "f4"),
                    np.arange(len(place)),
                )
            )
        return groups

    def _thinned(self, main: Sites, groups: list[Sites]) -> Sites:
        """Remove the sites of large cells that lie inside a bundle."""
        tree = cKDTree(np.concatenate([g.place for g in groups]))
        away, _ = tree.query(main.place)
        kept = away > 0.12 * self.diameter
        return main.taken(kept) if kept.any() else main

    def _make_nuclei(self, rng: np.random.Generator) -> Nuclei:
        count = self.cell_count
        order = np.argsort(self.sites.radius, kind="stable")
        chief = np.zeros(count, np.int64)
        chief[self.sites.cell[order]] = order
        s = self.sites.taken(chief)
        radius = s.radius * rng.uniform(0.56, 0.86, count)
        radius[rng.random(count) > self.habit.nuclei] = 0
        radius[self._main_cells :] = 0
        place = s.place + rng.normal(0, 0.1, (count, 3)) * s.radius[:, None]
        length = (s.length**0.6).clip(1, 3) * rng.uniform(1.0, 1.35, count)
        sites = Sites(
            place.astype("f4"),
            s.direction,
            radius.astype("f4"),
            length.astype("f4"),
            np.arange(count),
        )
        nucleoli = np.zeros((count, 3, 4), np.float32)
        nucleoli[..., :3] = rng.normal(0, (0.15, 0.24, 0.24), (count, 3, 3)) * radius[:, None, None]
        nucleoli[..., 3] = rng.uniform(0.14, 0.3, (count, 3)) * radius[:, None]
        nucleoli[..., 3] *= np.arange(3) < rng.choice(4, count, p=(0.1, 0.4, 0.3, 0.2))[:, None]
        return Nuclei(sites, nucleoli)

    def slice(self, z: float, y: np.ndarray, x: np.ndarray) -> TumourSlice:
        """Return the regions on the plane at `z` with rows at `y` and columns at `x`, in px."""
        coarse, points = self._warp.bend(z, y, x)
        pz, py, px = (np.ascontiguousarray(p, np.float32) for p in points)
        near = self._sites_near(z)
        site, away = nearest_sites(pz, py, px, near)
        regions = (near.cell[site] + 1).astype(np.uint32)
        regions[away > self.habit.gaps + 0.25 * self._gap.at(z, y, x)] = self.matrix
        if self._strip is not None:
            regions[self._strip.depth(z, y, x) > 0] = self.matrix
        if self._haemorrhage is not None:
            regions[self._haemorrhage.depth(z, y, x) > 0] = self.blood
        if self.vessel is not None:
            self.vessel.paint(regions, z, y, x, self.wall_first, self.lumen)
        regions = without_specks(regions, _SMALLEST_PIECE)
        folds = [0.05 * self.diameter * noise.at(z, y, x) for noise in self._folds]
        nucleus, nucleolus = self.nuclei.depths(
            np.ascontiguousarray(coarse[0], np.float32),
            (coarse[1] + folds[0]).astype(np.float32),
            (coarse[2] + folds[1]).astype(np.float32),
            regions,
        )
        distance = edt.edt(regions, black_border=False) - np.float32(0.5)
        return TumourSlice(regions, distance, nucleus, nucleolus)

    def _sites_near(self, z: float) -> Sites:
        """Remove sites that can't be the nearest anywhere on the plane."""
        reach = self.sites.radius * self.sites.length ** (2 / 3)
        kept = np.abs(self.sites.place[:, 0] - z) < 2.2 * reach + 0.3 * self.diameter
        return self.sites.taken(kept) if kept.any() else self.sites
