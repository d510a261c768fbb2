"""The appearance of cortex in serial sections at 6 to 12 nm per pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_copnet.params import TissueParams
from napari_copnet.synthetic import organelles
from napari_copnet.synthetic.cortex_geometry import CortexLayout, CortexSlice
from napari_copnet.synthetic.membranes import left_of, varied_half
from napari_copnet.synthetic.microscope import draw_microscope
from napari_copnet.synthetic.noise import SmoothNoise
from napari_copnet.synthetic.organelles import Kind
from napari_copnet.synthetic.sites import scatter


@dataclass(frozen=True)
class _Look:
    """Grey levels and textures of one block."""

    cytoplasm: float
    cell_spread: float
    membrane: float
    line: float
    cleft: float
    slanted: float
    density: float
    fine: float
    coarse: float
    crowding: float
    roughness: float
    vesicles: float
    myelin: float
    lamella: float
    lumen: float


def _draw_look(rng: np.random.Generator) -> _Look:
    return _Look(
        cytoplasm=rng.uniform(140, 185),
        cell_spread=rng.uniform(5, 20),
        membrane=rng.uniform(45, 105),
        line=rng.uniform(0.8, 1.9),
        cleft=rng.choice([0.0, 1.0], p=[0.5, 0.5]) * rng.uniform(0.2, 0.9),
        slanted=rng.uniform(0.2, 1.6),
        density=rng.uniform(30, 90),
        fine=rng.uniform(4, 14),
        coarse=rng.uniform(3, 14),
        crowding=rng.uniform(0.4, 1.6),
        roughness=rng.uniform(0.1, 0.7),
        vesicles=rng.uniform(0.3, 1.0),
        myelin=rng.uniform(70, 130),
        lamella=rng.uniform(2.0, 4.0),
        lumen=rng.uniform(190, 240),
    )


def _organelle_kinds(rng: np.random.Generator) -> list[Kind]:
    """Mitochondria, reticulum, microtubules and granules; lengths in mean cell diameters."""
    dark = rng.uniform(-95, -30)
    size = rng.uniform(0.7, 1.3)
    return [
        Kind(
            rng.uniform(0.06, 0.25),
            (0.14 * size, 0.3 * size),
            (1.0, rng.uniform(1.5, 4)),
            (dark - 10, dark + 10),
            (15, 50),
            (2, 16),
        ),
        Kind(rng.uniform(0.5, 3.0), (0.04, 0.1), (1.0, 6.0), (0, 22), (20, 65)),
        Kind(rng.uniform(2, 9), (0.02, 0.034), (1.0, rng.uniform(1, 12)), (-80, -25)),
        Kind(rng.uniform(0.1, 0.5), (0.03, 0.1), (1.0, 1.5), (-100, -50)),
        Kind(rng.uniform(0, 0.3), (0.1, 0.22), (1.0, 1.6), (-5, 20), (20, 50), (4, 24)),
    ]


class CortexRenderer:
    """Draws slices of one block of cortex.

    Parameters
    ----------
    params : TissueParams
        Settings of the tissue.
    layout : CortexLayout
        Where its cells are.
    rng : numpy.random.Generator
        Source of randomness of the tissue; each slice's noise has its own.
    """

    def __init__(
        self, params: TissueParams, layout: CortexLayout, rng: np.random.Generator
    ) -> None:
        self.params, self.layout = params, layout
        self.look = look = _draw_look(rng)
        diameter = layout.diameter
        low, high = tuple(layout.low), tuple(layout.high)

        def noise(size: float) -> SmoothNoise:
            return SmoothNoise(rng, low, high, (size, size, size))

        self._fading = noise(max(0.25 * diameter, 3))
        self._slant = noise(0.4 * diameter)
        self._thickness = noise(0.4 * diameter)
        self._clefts = noise(0.5 * diameter)
        self._synapse = noise(max(0.2 * diameter, 4.0))
        self._fine = noise(rng.uniform(0.75, 1.6))
        self._coarse = noise(rng.uniform(2.2, 6.0))
        self._stain = noise(1.5 * diameter)
        self._cloud = noise(0.35 * diameter)
        regions = layout.lumen + 1
        self._cell_grey = rng.normal(0, look.cell_spread, regions).astype(np.float32)
        self._cell_fine = rng.uniform(0.5, 1.6, regions).astype(np.float32)
        crowding = look.crowding * rng.gamma(1.5, 0.5, regions)
        full = look.vesicles * (rng.random(regions) < rng.uniform(0.15, 0.5))
        crowding[layout.lumen] = full[layout.lumen] = 0
        self._crowding, self._full = crowding.astype(np.float32), full.astype(np.float32)
        around = 0.5 * diameter
        between = max(0.24 * diameter, 2.5)
        places = scatter(layout.low - around, layout.high + around, between, rng)
        self._organelles = organelles.scatter_bodies(places, _organelle_kinds(rng), diameter, rng)
        # Vesicles are about 40 nm wide: two to four pixels.
        wide = max(0.02 / params.pixel_size, 1.1)
        places = scatter(layout.low - wide, layout.high + wide, 2.9 * wide, rng)
        vesicle = Kind(1.0, (0.8 * wide, 1.1 * wide), (1.0, 1.2), (-12, 14), (20, 60))
        self._vesicles = organelles.scatter_bodies(places, [vesicle], 1.0, rng)
        self._microscope = draw_microscope(params.noise * 45, (0.75, 1.15), rng)

    def half_width(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return half the true contour's width, px: 85 to 120 % of the given one."""
        width = self.params.membrane / self.params.pixel_size
        return varied_half(width, self._thickness.at(z, y, x))

    def image(
        self,
        z: float,
        y: np.ndarray,
        x: np.ndarray,
        geometry: CortexSlice,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return the image of a slice, shape (Y, X), uint8."""
        look, regions = self.look, geometry.regions
        fine, coarse = self._fine.at(z, y, x), self._coarse.at(z, y, x)
        stain = self._stain.at(z, y, x)
        inside = np.minimum(geometry.distance - 0.5 * look.line, -geometry.myelin)
        ground = (look.cytoplasm + self._cell_grey[regions] + 3 * stain).astype(np.float32)
        grey = ground + look.fine * self._cell_fine[regions] * fine + look.coarse * coarse
        found = organelles.depths(self._vesicles, z, y, x, regions, self._full)
        depth = np.where(self._cloud.at(z, y, x) > -0.4, found[0], -9)
        depth = np.minimum(depth, inside - 0.5).astype(np.float32)
        organelles.paint(grey, self._vesicles, depth, found[1], found[2], ground, fine)
        found = organelles.depths(self._organelles, z, y, x, regions, self._crowding)
        depth = np.minimum(found[0] + look.roughness * coarse, inside - 1.2).astype(np.float32)
        organelles.paint(grey, self._organelles, depth, found[1], found[2], ground, fine)
        where = regions == self.layout.lumen
        grey[where] = look.lumen + 0.3 * look.fine * fine[where]
        self._draw_membranes(grey, z, y, x, geometry, stain)
        return self._microscope.expose(grey, rng)

    def _draw_membranes(self, grey, z, y, x, geometry: CortexSlice, stain) -> None:
        look, distance, myelin = self.look, geometry.distance, geometry.myelin
        strength = 0.08 + 0.92 * left_of(self._fading.at(z, y, x), self.params.faded)
        strength = strength * np.clip(1 + 0.15 * stain, 0.5, 1.5)
        # An obliquely cut membrane is a wide grey band.
        slant = look.slanted * np.clip(self._slant.at(z, y, x) - 0.6, 0, 2)
        profile = np.exp(-((distance / (look.line * (1 + 1.8 * slant))) ** 2)) / (1 + slant)
        grey -= look.membrane * strength * profile
        if look.cleft > 0:
            gap = look.cleft * np.clip(self._clefts.at(z, y, x), 0, 1)
            grey += 0.8 * look.membrane * gap * np.exp(-((distance / (0.6 * look.line)) ** 2))
        # Densities at synapses: dark and thick, more on one side.
        side = 0.6 + 0.8 * (self._full[geometry.regions] == 0)
        spot = np.clip((self._synapse.at(z, y, x) - 1.45) * 3, 0, 1)
        grey -= look.density * spot * np.exp(-((distance / (1.6 * look.line * side)) ** 2))
        wrapped = myelin > -2
        if wrapped.any():
            depth = myelin[wrapped]
            lamella = np.cos(2 * math.pi * depth / look.lamella)
            level = look.cytoplasm - look.myelin + 12 * lamella
            shown = grey[wrapped]
            grey[wrapped] = shown + np.clip(depth + 0.5, 0, 1) * (level - shown)
