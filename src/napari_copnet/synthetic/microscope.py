"""Effects of a scanning electron microscope: blur, charging, stripes, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d


@dataclass(frozen=True)
class Microscope:
    """The imaging conditions of a stack; grey levels from 0 to 255.

    Attributes
    ----------
    blur : float
        Standard deviation, px.
    charging : float
        Amplitude of bands and ramps.
    halo : float
        How far grey under- and overshoots beside dark and bright things.
    stripes : float
        Amplitude of knife marks and curtains.
    stripe_angle : float
        Their direction, rad from the rows.
    noise : float
        Standard deviation at a grey level of 128.
    noise_blur : float
        How far noise of neighbouring pixels is alike, px.
    gamma, contrast, brightness : float
        Of the stack.
    flicker : float
        Change of contrast (share) and brightness (×80) from slice to slice.
    """

    blur: float
    charging: float
    halo: float
    stripes: float
    stripe_angle: float
    noise: float
    noise_blur: float
    gamma: float
    contrast: float
    brightness: float
    flicker: float

    def expose(self, grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the image of a slice of grey levels, (Y, X), uint8."""
        shape = grey.shape
        grey = gaussian_filter(grey.astype(np.float32), self.blur)
        if self.halo > 0:
            # Charge builds up around contrasts along the scan line.
            around = gaussian_filter(grey, (2.0, 9.0))
            grey += np.float32(self.halo) * (gaussian_filter1d(around, 14.0, axis=1) - around)
        grey += self._bands(shape, rng)
        grey += self._stripes(shape, rng)
        if self.noise > 0:
            shot = np.sqrt(np.clip(grey, 8, None) / 128) * 0.7 + 0.3
            fresh = rng.standard_normal(shape, dtype=np.float32)
            if self.noise_blur > 0.2:
                fresh = gaussian_filter(fresh, self.noise_blur)
                fresh /= fresh.std()
            grey += self.noise * shot * fresh
            grey += 0.12 * self.noise * rng.standard_normal((shape[0], 1), dtype=np.float32)
        grey = np.clip(grey, 0, None) / 255
        grey = 255 * grey ** np.float32(self.gamma)
        contrast = self.contrast * (1 + self.flicker * rng.standard_normal())
        shift = self.brightness + 80 * self.flicker * rng.standard_normal()
        grey = (grey - 128) * contrast + 128 + shift
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

    def _bands(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        height, width = shape
        rows = gaussian_filter1d(rng.standard_normal(height), 0.03 * height + 1, mode="wrap")
        rows /= max(float(rows.std()), 1e-6)
        tilt = rng.normal(0, 0.6, 2)
        down, across = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
        bands = np.clip(rows, 0, None)[:, None] * np.linspace(0.4, 1, width)
        cloud = rng.standard_normal((5, 5))
        smooth = _upsampled(cloud, shape)
        return (self.charging * (0.6 * bands + tilt[0] * down + tilt[1] * across + smooth)).astype(
            np.float32
        )

    def _stripes(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray | float:
        if self.stripes <= 0:
            return 0.0
        angle = self.stripe_angle + 0.02 * rng.standard_normal()
        down, across = np.arange(shape[0])[:, None], np.arange(shape[1])
        at = math.cos(angle) * down + math.sin(angle) * across
        length = sum(shape) + 4
        profile = gaussian_filter1d(rng.standard_normal(2 * length), 1.0)
        profile += gaussian_filter1d(rng.standard_normal(2 * length), 6.0) * 2
        # A few deep marks among many faint ones.
        profile += np.where(rng.random(2 * length) < 0.004, rng.normal(0, 5, 2 * length), 0)
        index = np.rint(at).astype(int) + length
        return (self.stripes * profile[index]).astype(np.float32)


def _upsampled(lattice: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    from scipy.ndimage import zoom

    factors = [n / m for n, m in zip(shape, lattice.shape, strict=True)]
    return zoom(lattice, factors, order=3, mode="nearest", grid_mode=True)[: shape[0], : shape[1]]


def draw_microscope(
    noise: float, contrast: tuple[float, float], rng: np.random.Generator
) -> Microscope:
    """Draw random imaging conditions of a stack.

    Parameters
    ----------
    noise : float
        Standard deviation, grey levels.
    contrast : tuple of float
        Least and largest.
    rng : numpy.random.Generator
    """
    return Microscope(
        blur=rng.uniform(0.35, 1.1),
        charging=rng.choice([0.0, 1.0], p=[0.2, 0.8]) * rng.uniform(1, 9),
        halo=rng.choice([0.0, 1.0], p=[0.5, 0.5]) * rng.uniform(0.1, 0.5),
        stripes=rng.choice([0.0, 1.0], p=[0.5, 0.5]) * rng.uniform(0.5, 3),
        stripe_angle=rng.choice([0.0, math.pi / 2, rng.uniform(0, math.pi)]),
        noise=noise,
        noise_blur=rng.choice([0.0, 1.0]) * rng.uniform(0.3, 0.8),
        gamma=math.exp(rng.normal(0, 0.15)),
        contrast=rng.uniform(*contrast),
        brightness=rng.normal(-8, 12),
        flicker=rng.uniform(0, 0.06),
    )


def pad_borders(
    shape: tuple[int, int, int], widest: float, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Draw random borders without tissue, as alignment leaves them, different in each slice.

    Parameters
    ----------
    shape : tuple of int
        Of the stack, (Z, Y, X).
    widest : float
        Widest border as a share of the side.
    rng : numpy.random.Generator

    Returns
    -------
    padding : ndarray, shape (Z, Y, X), bool
        True where there is no tissue.
    value : int
        Grey level of borders.
    """
    depth, height, width = shape
    padding = np.zeros(shape, bool)
    if widest <= 0:
        return padding, 0
    # Some sides are common to all slices; each slice is shifted, and perhaps rotated, on its own.
    common = rng.uniform(0, 0.6 * widest, 4) * (rng.random(4) < 0.6)
    turned = rng.random() < 0.4
    angle = rng.normal(0, 0.05) if turned else 0.0
    for z in range(depth):
        own = common + np.abs(rng.normal(0, 0.15 * widest, 4)) * (rng.random(4) < 0.7)
        top, bottom, left, right = own.clip(0, widest)
        tilt = math.tan(angle + (rng.normal(0, 0.01) if turned else 0.0))
        rows = np.arange(height)[:, None] + tilt * (np.arange(width) - width / 2)
        columns = np.arange(width) - tilt * (np.arange(height)[:, None] - height / 2)
        padding[z] = (rows < top * height) | (rows >= (1 - bottom) * height)
        padding[z] |= (columns < left * width) | (columns >= (1 - right) * width)
    value = int(rng.choice([0, 0, 255, int(rng.integers(0, 256))]))
    return padding, value
