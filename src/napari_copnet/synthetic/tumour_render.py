"""The appearance of a packed tumour in a scanning electron microscope, 100 to 200 nm per pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_copnet.params import TissueParams
from napari_copnet.synthetic import organelles
from napari_copnet.synthetic.membranes import left_of, varied_half
from napari_copnet.synthetic.microscope import draw_microscope
from napari_copnet.synthetic.noise import SmoothNoise
from napari_copnet.synthetic.organelles import Kind
from napari_copnet.synthetic.sites import scatter
from napari_copnet.synthetic.tumour_geometry import TumourLayout, TumourSlice


@dataclass(frozen=True)
class _Look:
    """Grey levels and textures of one tumour; stains and detectors differ."""

    cytoplasm: float
    cell_spread: float
    membrane: float
    line: float
    cleft: float
    vanished: float
    plugs: float
    fine: float
    coarse: float
    reticulum: float
    reticulum_period: float
    crowding: float
    roughness: float
    nucleus: float
    nucleus_spread: float
    chromatin: float
    rim: float
    envelope: float
    nucleolus: float
    lumen: float
    blood: float
    plasma: float
    matrix: float
    fibres: float


def _draw_look(rng: np.random.Generator) -> _Look:
    fine = rng.uniform(2, 10)
    # Where a membrane has vanished completely, there is nothing to learn.
    faintest = 8 + 1.2 * fine
    return _Look(
        cytoplasm=rng.uniform(115, 165),
        cell_spread=rng.uniform(3, 17),
        membrane=math.exp(rng.uniform(math.log(faintest), math.log(75))),
        line=rng.uniform(0.7, 1.25),
        cleft=rng.choice([0.0, 1.0], p=[0.55, 0.45]) * rng.uniform(0.2, 1.0),
        vanished=rng.uniform(0.0, 0.15),
        plugs=rng.choice([0.0, 1.0], p=[0.3, 0.7]) * rng.uniform(25, 75),
        fine=fine,
        coarse=rng.uniform(2, 10),
        reticulum=rng.choice([0.0, 1.0], p=[0.25, 0.75]) * rng.uniform(3, 18),
        reticulum_period=rng.uniform(2.6, 6),
        crowding=rng.uniform(0.2, 1.2),
        roughness=rng.uniform(0, 0.6),
        nucleus=rng.uniform(0, 38),
        nucleus_spread=rng.uniform(2, 9),
        chromatin=rng.uniform(8, 38),
        rim=rng.uniform(0, 34),
        envelope=rng.uniform(5, 48),
        nucleolus=rng.uniform(28, 80),
        lumen=rng.uniform(140, 235),
        blood=rng.uniform(22, 75),
        plasma=rng.uniform(110, 225),
        matrix=rng.uniform(120, 215),
        fibres=rng.uniform(0, 28),
    )


def _organelle_kinds(rng: np.random.Generator) -> list[Kind]:
    """Organelles of one tumour: a tissue has its own mix."""
    dark = rng.uniform(-65, -15)
    lipid = rng.choice([-85.0, 75.0])
    size = rng.uniform(0.75, 1.35)

    def radius(low: float, high: float) -> tuple[float, float]:
        return low * size, high * size

    return [
        Kind(
            rng.uniform(0.8, 2.5),
            radius(0.022, 0.05),
            (1, rng.uniform(1.5, 4)),
            (dark - 12, dark + 14),
            (4, 26),
            (0, 13),
        ),
        Kind(rng.uniform(0, 0.8), radius(0.024, 0.05), (1, 2.5), (-6, 22), (10, 34), (2, 14)),
        Kind(rng.uniform(0.2, 2.0), radius(0.010, 0.026), (1, 1.3), (8, 48), (6, 34)),
        Kind(rng.uniform(0.1, 1.0), radius(0.010, 0.034), (1, 1.4), (-88, -40)),
        Kind(rng.uniform(0, 0.35), radius(0.02, 0.085), (1, 1.1), (lipid - 10, lipid + 10)),
        Kind(rng.uniform(0, 0.15), radius(0.04, 0.13), (1, 1.8), (30, 70), (0, 34)),
        Kind(rng.uniform(0.2, 1.6), radius(0.008, 0.014), (2, 10), (-42, -12)),
    ]


class TumourRenderer:
    """Draws slices of one tumour.

    Parameters
    ----------
    params : TissueParams
        Settings of the tissue.
    layout : TumourLayout
        Where its cells are.
    rng : numpy.random.Generator
        Source of randomness of the tissue; each slice's noise has its own.
    """

    def __init__(
        self, params: TissueParams, layout: TumourLayout, rng: np.random.Generator
    ) -> None:
        self.params, self.layout = params, layout
        self.look = look = _draw_look(rng)
        diameter = layout.diameter
        low, high = tuple(layout.low), tuple(layout.high)

        def noise(size: float) -> SmoothNoise:
            return SmoothNoise(rng, low, high, (size, size, size))

        self._fading = noise(max(rng.uniform(0.16, 0.45) * diameter, 3))
        self._slant = noise(0.3 * diameter)
        self._thickness = noise(0.3 * diameter)
        self._clefts = noise(0.35 * diameter)
        self._plug = noise(rng.uniform(1.8, 3.2))
        self._fine = noise(rng.uniform(0.75, 1.3))
        self._coarse = noise(rng.uniform(2.2, 5.0))
        self._stain = noise(0.5 * diameter)
        self._chromatin = noise(max(rng.uniform(0.025, 0.07) * diameter, 1.2))
        self._swirl = noise(0.12 * diameter + 1)
        self._places = noise(0.3 * diameter)
        regions = layout.matrix + 1
        # Cells are of a few types, and vary within each.
        types = rng.normal(0, 1, 4)
        kind = rng.choice(4, regions, p=rng.dirichlet((1, 1, 1, 1)))
        grey = 0.8 * types[kind] + 0.6 * rng.standard_normal(regions)
        # A few cells are shrunken and dark, or swollen and pale.
        grey += rng.standard_t(3, regions) * (rng.random(regions) < 0.06)
        self._cell_grey = (look.cell_spread * grey).astype(np.float32)
        self._cell_fine = rng.uniform(0.5, 1.6, regions).astype(np.float32)
        self._nucleus_grey = rng.normal(0, look.nucleus_spread, regions).astype(np.float32)
        crowding = look.crowding * (0.35 + rng.gamma(2, 0.35, regions))
        crowding[[layout.lumen, layout.blood, layout.matrix]] = 0
        self._crowding = crowding.astype(np.float32)
        around = 0.3 * diameter
        between = max(0.105 * diameter, 2.5)
        places = scatter(layout.low - around, layout.high + around, between, rng)
        self._organelles = organelles.scatter_bodies(places, _organelle_kinds(rng), diameter, rng)
        self._blood, self._bloody = self._scatter_blood(rng)
        self._microscope = draw_microscope(params.noise * 35, (0.9, 1.6), rng)
        self._fibre_angle = rng.uniform(0, math.pi)
        self._fibre_pitch = rng.uniform(0.5, 1.5)

    def _scatter_blood(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        layout, look = self.layout, self.look
        size = rng.uniform(0.2, 0.34)
        around = 0.4 * layout.diameter
        places = scatter(
            layout.low - around, layout.high + around, 1.75 * size * layout.diameter, rng
        )
        kind = Kind(1.0, (0.85 * size, 1.1 * size), (1.0, 1.9), (-6, 6), (-14, 4))
        bodies = organelles.scatter_bodies(places, [kind], layout.diameter, rng)
        crowding = np.zeros(layout.matrix + 1, np.float32)
        crowding[layout.lumen] = rng.choice([0.0, rng.uniform(0.2, 1.0)])
        crowding[layout.blood] = rng.uniform(0.75, 1.01)
        bodies["level"] += look.blood
        return bodies, crowding

    def half_width(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return half the true contour's width, px: 85 to 120 % of the given one."""
        width = self.params.membrane / self.params.pixel_size
        return varied_half(width, self._thickness.at(z, y, x))

    def image(
        self,
        z: float,
        y: np.ndarray,
        x: np.ndarray,
        geometry: TumourSlice,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return the image of a slice, shape (Y, X), uint8."""
        look, layout = self.look, self.layout
        regions, distance = geometry.regions, geometry.distance
        fine, coarse = self._fine.at(z, y, x), self._coarse.at(z, y, x)
        inside = distance - 0.5 * look.line
        grey = look.cytoplasm + self._cell_grey[regions] + 3 * self._stain.at(z, y, x)
        grey += look.fine * self._cell_fine[regions] * fine + look.coarse * coarse
        self._draw_reticulum(grey, z, y, x, geometry)
        found = organelles.depths(self._organelles, z, y, x, regions, self._crowding)
        # No body is perfectly round.
        rough = found[0] + look.roughness * coarse
        depth = np.minimum(rough, inside - 0.8).astype(np.float32)
        ground = (look.cytoplasm + 0.6 * self._cell_grey[regions]).astype(np.float32)
        organelles.paint(grey, self._organelles, depth, found[1], found[2], ground, fine)
        self._draw_nuclei(grey, z, y, x, geometry, inside, fine, coarse)
        self._draw_between(grey, z, y, x, regions, fine, coarse)
        blood = organelles.depths(self._blood, z, y, x, regions, self._bloody)
        organelles.paint(
            grey, self._blood, np.minimum(blood[0], inside), blood[1], blood[2], 0.0, 0.5 * fine
        )
        bare = (regions == layout.blood) & (blood[0] < 0)
        grey[bare] += 6 * coarse[bare]
        self._draw_membranes(grey, z, y, x, regions, distance)
        return self._microscope.expose(grey, rng)

    def _draw_reticulum(self, grey, z, y, x, geometry: TumourSlice) -> None:
        """Stripes of endoplasmic reticulum that lie along the nucleus."""
        look = self.look
        places = np.clip(self._places.at(z, y, x) + 0.1, 0, 1)
        bend = 2.2 * self._swirl.at(z, y, x)
        # Cells without a nucleus in them have stripes along their membrane.
        ring = np.where(geometry.nucleus > -60, geometry.nucleus, geometry.distance)
        stripes = np.sin(2 * math.pi / look.reticulum_period * ring + bend)
        grey -= look.reticulum * places * np.clip(stripes, -0.2, 1)

    def _draw_nuclei(self, grey, z, y, x, geometry, inside, fine, coarse) -> None:
        look = self.look
        # Rounded where it would meet the membrane.
        soft = 0.05 * self.layout.diameter
        depth = -soft * np.logaddexp(-geometry.nucleus / soft, -(inside - 1.0) / soft)
        where = depth > -3
        if not where.any():
            return
        d, f = depth[where], fine[where]
        chromatin = self._chromatin.at(z, y, x)[where]
        clumps = np.clip(chromatin - 0.7, 0, 1.2)
        rim = np.exp(-np.clip(d - 1, 0, None) / 1.8) * (0.7 + 0.3 * chromatin)
        level = look.cytoplasm + look.nucleus + self._nucleus_grey[geometry.regions[where]]
        level = level + 0.55 * look.fine * f + 0.4 * look.coarse * coarse[where]
        level -= look.chromatin * clumps + look.rim * np.clip(rim, 0, 1.3)
        nucleolus = np.clip(np.minimum(geometry.nucleolus[where], d - 1) + 0.5 + 0.8 * f, 0, 1)
        level -= look.nucleolus * nucleolus
        shown = grey[where]
        shown += np.clip(d + 0.5, 0, 1) * (level - shown)
        shown -= look.envelope * np.exp(-((d / 0.9) ** 2))
        grey[where] = shown

    def _draw_between(self, grey, z, y, x, regions, fine, coarse) -> None:
        """Lumen, plasma, and what lies between cells with its fibres."""
        look, layout = self.look, self.layout
        for region, level, rough in (
            (layout.lumen, look.lumen, 0.3),
            (layout.blood, look.plasma, 0.8),
        ):
            where = regions == region
            grey[where] = level + rough * look.fine * fine[where]
        where = regions == layout.matrix
        if where.any():
            rows, columns = np.nonzero(where)
            angle = self._fibre_angle + 0.8 * self._stain.at(z, y, x)[where]
            at = np.cos(angle) * y[rows] + np.sin(angle) * x[columns]
            swirl = self._swirl.at(z, y, x)[where]
            fibres = np.sin(self._fibre_pitch * at + 2 * swirl + 0.5 * fine[where])
            grey[where] = (
                look.matrix
                + look.fibres * fibres * np.clip(0.6 + swirl, 0, 1.5)
                + 0.8 * look.fine * fine[where]
                + look.coarse * coarse[where]
            )

    def _draw_membranes(self, grey, z, y, x, regions, distance) -> None:
        look = self.look
        left = left_of(self._fading.at(z, y, x), self.params.faded)
        strength = look.vanished + (1 - look.vanished) * left
        strength = strength * np.clip(1 + 0.25 * self._stain.at(z, y, x), 0.3, 1.8)
        slant = np.clip(self._slant.at(z, y, x) - 0.5, 0, 1.6)
        width = look.line * (1 + 0.9 * slant)
        # Sampled at half a pixel from the border at the nearest, as `distance` is.
        profile = np.exp(-((distance / width) ** 2)) / (1 + 0.5 * slant)
        grey -= look.membrane * strength * profile
        if look.cleft > 0:
            gap = look.cleft * np.clip(self._clefts.at(z, y, x) - 0.3, 0, 1)
            grey += 1.5 * look.membrane * gap * np.exp(-((distance / 0.8) ** 2))
        if look.plugs > 0:
            spot = np.clip((self._plug.at(z, y, x) - 1.5) * 2.5, 0, 1)
            spot = np.clip(gaussian_filter(spot, 0.6) * 1.3, 0, 1)
            spot *= regions < self.layout.lumen
            grey -= look.plugs * spot * np.exp(-((distance / 1.9) ** 2))
