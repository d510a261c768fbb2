"""The appearance of synthetic tissue in a scanning electron microscope: stain, noise, charging."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.special import ndtri

from napari_copnet.params import TissueParams
from napari_copnet.synthetic.geometry import Layout, SliceGeometry
from napari_copnet.synthetic.noise import SmoothNoise


@dataclass(frozen=True)
class _Look:
    """Grey levels and textures of one tissue; stains and detectors differ."""

    cytoplasm: float
    cell_spread: float
    membrane: float
    grain: float
    organelles: float
    organelle_size: float
    matrix: float
    reticulum: float
    blur: float
    charging: float


def _draw_look(rng: np.random.Generator) -> _Look:
    return _Look(
        cytoplasm=rng.uniform(140, 175),
        cell_spread=rng.uniform(5, 15),
        membrane=rng.uniform(60, 115),
        grain=rng.uniform(6, 14),
        organelles=rng.uniform(0.5, 1.5),
        organelle_size=rng.uniform(0.75, 1.6),
        matrix=rng.uniform(35, 75),
        reticulum=rng.uniform(0.0, 0.8),
        blur=rng.uniform(0.5, 0.9),
        charging=rng.uniform(2, 9),
    )


class Renderer:
    """Draws slices of one tissue.

    Parameters
    ----------
    params : TissueParams
        Settings of the tissue.
    layout : Layout
        Where its cells are.
    rng : numpy.random.Generator
        Source of randomness of the tissue; each slice's noise has its own.
    """

    def __init__(self, params: TissueParams, layout: Layout, rng: np.random.Generator) -> None:
        self.params = params
        self.layout = layout
        self.look = look = _draw_look(rng)
        pixel, diameter = params.pixel_size, params.cell_diameter
        low, high = layout.box

        def noise(size: float) -> SmoothNoise:
            return SmoothNoise(rng, low, high, (size, size, size))

        # Half a blob of faded membrane is a good part of a cell side.
        self._fading = noise(max(0.16 * diameter, 2 * pixel))
        self._slant = noise(0.28 * diameter)
        self._thickness = noise(0.25 * diameter)
        self._stain = noise(max(0.3 * diameter, 3 * pixel))
        self._chromatin = noise(max(0.06 * diameter, 1.5 * pixel))
        self._folds = noise(max(0.11 * diameter, 2.5 * pixel))
        self._fold_places = noise(0.3 * diameter)
        self._cell_grey = rng.normal(0, look.cell_spread, layout.cell_count + 2).astype(np.float32)
        self._cell_grain = rng.uniform(0.5, 1.5, layout.cell_count + 2).astype(np.float32)
        self._organelles = _scatter_organelles(params, look, rng, low, high)

    def half_width(self, z: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return half the true contour's width, px: 85 to 120 % of the given one."""
        half = 0.5 * self.params.membrane / self.params.pixel_size
        factor = np.clip(1 + 0.08 * self._thickness.at(z, y, x), 0.85, 1.2)
        return (half * factor).astype(np.float32)

    def image(
        self,
        z: float,
        y: np.ndarray,
        x: np.ndarray,
        geometry: SliceGeometry,
        half: np.ndarray,
        wall: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return the image of a slice, shape (Y, X), uint8."""
        look = self.look
        cells, distance = geometry.cells, geometry.distance
        stain = self._stain.at(z, y, x)
        grain = gaussian_filter(rng.standard_normal(cells.shape, dtype=np.float32), 0.9) * 3
        grey = look.cytoplasm + self._cell_grey[cells] + 3 * stain
        grey += look.grain * self._cell_grain[cells] * grain
        inside = distance - half  # px from the contour's inner edge
        self._draw_reticulum(grey, z, y, x, inside)
        depth, kind, along = self._organelle_depths(z, y, x, cells, inside)
        self._draw_organelles(grey, depth, kind, along, grain)
        self._draw_nuclei(grey, z, y, x, np.minimum(geometry.nucleus, inside - 1.5), grain)
        self._draw_membranes(grey, z, y, x, distance, half)
        if geometry.vessel is not None and wall is not None:
            _draw_vessel(grey, geometry.vessel, wall, look, grain)
        return self._expose(grey, rng)

    def _draw_reticulum(self, grey, z, y, x, inside) -> None:
        """Thin dark folds in parts of the cytoplasm: membranes that are not contours."""
        folds = np.abs(self._folds.at(z, y, x))
        places = np.clip(self._fold_places.at(z, y, x) - 0.2, 0, 1)
        line = np.exp(-((folds / 0.13) ** 2)) * places * np.clip(inside - 2, 0, 1)
        grey -= 55 * self.look.reticulum * line

    def _draw_membranes(self, grey, z, y, x, distance, half) -> None:
        fade = self._fading.at(z, y, x)
        if self.params.faded > 0:
            edge = ndtri(1 - self.params.faded) if self.params.faded < 1 else -np.inf
            left = 1 / (1 + np.exp(np.clip((fade - edge) * 9, -50, 50)))
        else:
            left = np.ones_like(fade)
        strength = (0.12 + 0.88 * left) * (1 + 0.1 * self._stain.at(z, y, x))
        # A membrane that crosses the section obliquely looks wide and pale.
        slant = np.clip(self._slant.at(z, y, x) - 0.7, 0, 1.5)
        profile = np.exp(-((distance / ((0.7 * half + 0.2) * (1 + slant))) ** 2))
        grey -= self.look.membrane * strength * profile / (1 + 0.6 * slant)

    def _draw_nuclei(self, grey, z, y, x, depth, grain) -> None:
        if not (depth > 0).any():
            return
        chromatin = self._chromatin.at(z, y, x)
        # Dark chromatin along the rim and in clumps, and a nucleolus where clumps are densest.
        clumps = np.clip(chromatin - 0.6, 0, 1) + 0.6 * np.exp(-np.clip(depth - 1, 0, None) / 2.5)
        level = self.look.cytoplasm + 8 - 32 * np.clip(clumps, 0, 1) + 5 * grain
        nucleolus = np.clip((self._fold_places.at(z, y, x) - 1.3) * 6, 0, 1)
        level -= 55 * nucleolus * np.clip((depth - 5) / 2, 0, 1)
        share = np.clip(depth + 0.5, 0, 1)
        grey += share * (level - grey)
        grey -= 0.55 * self.look.membrane * np.exp(-((depth / 1.1) ** 2)) * (depth > -2)

    def _organelle_depths(self, z, y, x, cells, inside):
        depth = np.full(cells.shape, -9, np.float32)
        kind = np.zeros(cells.shape, np.uint8)
        along = np.zeros(cells.shape, np.float32)
        near = np.abs(self._organelles["z"] - z) < self._organelles["reach"]
        scale = 1 / self.params.pixel_size
        _stamp(
            self._organelles[near],
            z,
            y[0],
            x[0],
            scale,
            cells,
            np.uint32(self.layout.vessel_label),
            depth,
            kind,
            along,
        )
        return np.minimum(depth, inside - 1).astype(np.float32), kind, along

    def _draw_organelles(self, grey, depth, kind, along, grain) -> None:
        look = self.look
        mitochondrion = kind == 1
        share = np.clip(depth + 0.5, 0, 1)
        cristae = np.sin(along * 1.7 + 0.6 * grain)
        level = look.cytoplasm - look.matrix + 9 * cristae + 5 * grain
        grey += np.where(mitochondrion, share, 0) * (level - grey)
        grey += np.where(kind == 2, share, 0) * (look.cytoplasm + 28 - grey)
        grey += np.where(kind == 3, share, 0) * (look.cytoplasm - 75 - grey)
        rim = np.exp(-((depth / 0.9) ** 2)) * ((kind == 1) | (kind == 2)) * (depth > -2)
        grey -= np.where(mitochondrion, 0.35, 0.6) * look.membrane * rim

    def _expose(self, grey, rng: np.random.Generator) -> np.ndarray:
        """Blur, charging, shot noise and the detector's own noise."""
        look, shape = self.look, grey.shape
        grey = gaussian_filter(grey.astype(np.float32), look.blur)
        rows = gaussian_filter1d(rng.standard_normal(shape[0]), 0.03 * shape[0] + 1, mode="wrap")
        rows /= max(float(rows.std()), 1e-6)
        tilt = rng.normal(0, 0.4, 2)
        ramp = tilt[0] * np.linspace(-1, 1, shape[0])[:, None] + tilt[1] * np.linspace(
            -1, 1, shape[1]
        )
        # Charge builds up along a scan line and leaks away: bands that brighten to one side.
        bands = np.clip(rows, 0, None)[:, None] * np.linspace(0.4, 1, shape[1])
        grey = grey + np.float32(look.charging) * (bands + ramp).astype(np.float32)
        lines = rng.standard_normal((shape[0], 1), dtype=np.float32)
        spread = self.params.noise * look.membrane
        if spread > 0:
            grey += 0.06 * spread * lines
            dose = 2 * look.cytoplasm / spread**2  # electrons per grey level: half the variance
            shot = rng.poisson(np.clip(grey, 0, None) * dose) / dose
            detector = rng.normal(0, spread / math.sqrt(2), shape)
            grey = shot + detector
        grey = (grey - 128) * (1 + 0.03 * rng.standard_normal()) + 128 + 2.5 * rng.standard_normal()
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _draw_vessel(grey, depth, wall, look: _Look, grain) -> None:
    """A thick dark wall with a pale lining round a bright, empty lumen."""
    inside = depth - wall
    shade = look.cytoplasm - 45 - 22 * np.cos(3.0 * depth / wall * math.pi) + 6 * grain
    grey += np.clip(depth, 0, 1) * (shade - grey)
    lumen = 228 + 1.2 * grain
    grey += np.clip(inside + 0.5, 0, 1) * (lumen - grey)


_ORGANELLE = np.dtype(
    [
        ("z", "f4"),
        ("y", "f4"),
        ("x", "f4"),
        ("reach", "f4"),
        ("cosine", "f4"),
        ("sine", "f4"),
        ("long", "f4"),
        ("short", "f4"),
        ("kind", "u1"),
    ]
)


def _scatter_organelles(params: TissueParams, look: _Look, rng, low, high) -> np.ndarray:
    """Draw mitochondria (kind 1), vesicles (2) and dense granules (3) over the box."""
    low, high = np.array(low), np.array(high)
    cell = 0.52 * params.cell_diameter**3
    count = rng.poisson(look.organelles * 7 * np.prod(high - low) / cell)
    organelles = np.zeros(count, _ORGANELLE)
    for name, a, b in zip("zyx", low, high, strict=True):
        organelles[name] = rng.uniform(a, b, count)
    turn = rng.uniform(0, math.pi, count)
    organelles["cosine"], organelles["sine"] = np.cos(turn), np.sin(turn)
    kind = rng.choice(np.array([1, 2, 3], np.uint8), count, p=[0.5, 0.38, 0.12])
    size = look.organelle_size * params.cell_diameter * rng.lognormal(0, 0.25, count)
    organelles["kind"] = kind
    organelles["short"] = np.choose(kind - 1, [0.075 * size, 0.04 * size, 0.03 * size])
    organelles["long"] = organelles["short"] * np.where(kind == 1, rng.uniform(1, 3, count), 1)
    organelles["reach"] = organelles["short"]
    return organelles


@njit(cache=True, nogil=True)
def _stamp(organelles, z, top, left, scale, cells, vessel, depth, kind, along):
    """Write the depth inside the deepest organelle, its kind and the place along it, in px."""
    height, width = depth.shape
    for o in organelles:
        cy, cx = (o.y - top) * scale, (o.x - left) * scale
        row, column = math.floor(cy + 0.5), math.floor(cx + 0.5)
        if row < 0 or row >= height or column < 0 or column >= width:
            continue
        home = cells[row, column]
        if home == vessel:
            continue
        flat = 1 - ((o.z - z) / o.reach) ** 2
        if flat <= 0:
            continue
        long = o.long * scale * math.sqrt(flat)
        short = o.short * scale * math.sqrt(flat)
        reach = int(long) + 2
        for r in range(max(0, row - reach), min(height, row + reach + 1)):
            for c in range(max(0, column - reach), min(width, column + reach + 1)):
                if cells[r, c] != home:
                    continue
                u = o.cosine * (c - cx) + o.sine * (r - cy)
                v = -o.sine * (c - cx) + o.cosine * (r - cy)
                # A capsule: a rod with round ends.
                over = max(0.0, abs(u) - (long - short))
                here = short - math.sqrt(over * over + v * v)
                if here > depth[r, c]:
                    depth[r, c] = here
                    kind[r, c] = o.kind
                    along[r, c] = u
