"""Degradations beyond the equation: other defects of real Step 1 probability maps.

The equation blurs and fades contours. In the map of a network, lines also break off and vary
in certainty, cytoplasm has a faint probability, and nuclei, mitochondria and folds look like lines.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_copnet.errors import InputError
from napari_copnet.synthetic.noise import SmoothNoise

# Shares of maps whose certainty is changed, and that are softened; see `vary_certainty`.
OTHER_CERTAINTY, SOFTENED = 0.7, 0.6


def vary_certainty(u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a map as another network might make it: less or more certain, or softer, as a whole.

    With p a map's value, logit(p) becomes g logit(p) + o with ln g from N(−0.1, 0.45) and o from
    N(−0.6, 1.1); before that, the map may be blurred by σ from 0.5 to 2.2 px and scaled back to its
    height on lines.

    Parameters
    ----------
    u : ndarray, shape (Y, X), float
        In [0, 1].
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    ndarray, shape (Y, X), float32
    """
    out = np.asarray(u, np.float32)
    if rng.random() < SOFTENED:
        top = float(np.percentile(out, 98))
        out = gaussian_filter(out, rng.uniform(0.5, 2.2), truncate=3)
        now = float(np.percentile(out, 98))
        if now > 0:
            out = np.clip(out * min(2.0, top / now), 0, 1)
    if rng.random() < OTHER_CERTAINTY:
        p = np.clip(out, 1e-4, 1 - 1e-4)
        gain, offset = np.exp(rng.normal(-0.1, 0.45)), rng.normal(-0.6, 1.1)
        logit = np.log(p / (1 - p))
        # certain cell pixels stay certain: the offset fades out towards the floor
        out = 1 / (1 + np.exp(-(gain * logit + offset * np.clip((logit + 7) / 4, 0, 1))))
    return out.astype(np.float32)


def add_artefacts(
    u: np.ndarray, contour: np.ndarray, rng: np.random.Generator, strength: float = 1.0
) -> np.ndarray:
    """Return a degraded map made to look like a network's, in [0, 1].

    Each effect is drawn anew, and left out now and then: softened ridges, weak stretches, gaps,
    blobs on ridges, blotches and a faint floor in cells, false ridges (loops and lines), and
    confidence as a random gain and offset of the logit with noise on it.

    Parameters
    ----------
    u : ndarray, shape (Y, X), float
        A contour degraded by `degrade`, or the contour itself, in [0, 1].
    contour : ndarray, shape (Y, X)
        True contour, 0 or 1: gaps and blobs lie on it.
    rng : numpy.random.Generator
        Random generator.
    strength : float
        0 returns `u` as it is; 1 is meant to be as bad as real maps.

    Returns
    -------
    ndarray, shape (Y, X), float32

    Raises
    ------
    InputError
        `u` and `contour` differ in shape, or are not one slice.
    """
    if u.shape != contour.shape or u.ndim != 2:
        raise InputError(
            f"A degraded map of shape {u.shape} does not fit a contour of shape {contour.shape}.",
            "Give one slice of each, both of the same size.",
        )
    if strength <= 0:
        return np.array(u, np.float32)
    out = gaussian_filter(np.asarray(u, np.float32), rng.uniform(0.3, 1.0), truncate=3)
    on_contour = np.flatnonzero(contour)
    scale = min(1.0, strength)
    if on_contour.size:
        _weaken(out, on_contour, rng, scale, u.size)
        _swell(out, on_contour, rng, scale, u.size)
    # False probability covers true contours too; sparing them would give away the gaps.
    if rng.random() < 0.8:
        np.maximum(out, clouds(out.shape, rng, scale), out=out)
    if rng.random() < 0.7:
        np.maximum(out, false_lines(out.shape, rng, scale), out=out)
    if rng.random() < 0.7:
        np.maximum(out, false_loops(out.shape, rng, scale), out=out)
    return _confidence(out, rng, scale)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], spacing: float) -> np.ndarray:
    height, width = shape
    field = SmoothNoise(rng, (0, 0, 0), (0, height, width), (1, spacing, spacing))
    return field.at(0, np.arange(height), np.arange(width))


def _weaken(out, on_contour, rng, scale: float, area: int) -> None:
    """Multiply stretches of contour: noise along ridges, wide weak disks, and outright gaps."""
    if rng.random() < 0.7:
        field = _noise(rng, out.shape, rng.uniform(6, 20))
        weak = 1 / (1 + np.exp(-4 * (field - rng.uniform(0.6, 2.0))))
        out *= 1 - scale * rng.uniform(0.5, 1.0) * weak
    per_area = area / 512**2
    for low, high, left, most in ((12, 45, (0.1, 0.7), 16), (2, 14, (0.0, 0.15), 60)):
        count = rng.poisson(rng.uniform(0, most * scale) * per_area)
        for place in rng.choice(on_contour, count):
            radius = np.exp(rng.uniform(np.log(low), np.log(high)))
            soft = rng.uniform(1.5, 6)
            box, distance = _disk(out.shape, place, radius + soft)
            inside = np.clip(0.5 + (radius - distance) / soft, 0, 1)
            out[box] *= 1 - inside * (1 - rng.uniform(*left))


def _swell(out, on_contour, rng, scale: float, area: int) -> None:
    """Blobs where a membrane lies in the plane of the slice, or several meet."""
    if rng.random() < 0.5:
        return
    count = rng.poisson(6 * scale * area / 512**2)
    for place in rng.choice(on_contour, count):
        radius = rng.uniform(3, 9)
        box, distance = _disk(out.shape, place, 2.5 * radius)
        blob = rng.uniform(0.3, 1.0) * np.exp(-((distance / radius) ** 2))
        np.maximum(out[box], blob, out=out[box])


def clouds(shape, rng, scale: float) -> np.ndarray:
    """Blotches of granular false probability, over a faint floor."""
    places = _noise(rng, shape, rng.uniform(10, 30))
    grain = _noise(rng, shape, rng.uniform(1.8, 4.5))
    blotch = np.clip(places - rng.uniform(0.3, 1.2), 0, 1) * np.clip(grain + 0.3, 0, 1.5)
    floor = rng.uniform(0, 0.08) * np.clip(1 + 0.5 * grain, 0, 2)
    return scale * (floor + rng.uniform(0.1, 0.6) * blotch)


def false_lines(shape, rng, scale: float) -> np.ndarray:
    """Pieces of thin curves: folds and reticulum taken for contours."""
    field = _noise(rng, shape, rng.uniform(6, 25))
    slope = np.hypot(*np.gradient(field)) + 0.02
    line = np.exp(-((field / slope / rng.uniform(1.0, 1.8)) ** 2))
    places = np.clip(2 * (_noise(rng, shape, rng.uniform(8, 20)) - rng.uniform(0.5, 1.6)), 0, 1)
    return scale * rng.uniform(0.3, 0.95) * line * places


def false_loops(shape, rng, scale: float) -> np.ndarray:
    """Broken ellipses, some filled: nuclei, mitochondria and vesicles taken for contours."""
    out = np.zeros(shape, np.float32)
    size = shape[0] * shape[1]
    count = rng.poisson(rng.uniform(0, 25) * scale * size / 512**2)
    for place in rng.integers(0, size, count):
        long = np.exp(rng.uniform(np.log(3), np.log(32)))
        short = long * rng.uniform(0.4, 1.0)
        box, dy, dx = _around(shape, place, 1.3 * long + 4)
        turn = rng.uniform(0, np.pi)
        a = (np.cos(turn) * dx + np.sin(turn) * dy) / long
        b = (-np.sin(turn) * dx + np.cos(turn) * dy) / short
        angle = np.arctan2(b, a)
        lobes, phase = rng.integers(2, 5), rng.uniform(0, 2 * np.pi, 2)
        ring = np.hypot(a, b) * (1 + 0.08 * np.cos(lobes * angle + phase[0]))
        depth = (ring - 1) * 0.5 * (long + short)
        seen = np.clip(rng.uniform(0.2, 1.2) + np.cos(angle + phase[1]), 0, 1)
        loop = rng.uniform(0.2, 0.95) * seen * np.exp(-((depth / rng.uniform(0.9, 1.8)) ** 2))
        if rng.random() < 0.15 and long < 15:
            loop = np.maximum(loop, rng.uniform(0.2, 0.8) * np.clip(0.5 - depth / 4, 0, 1))
        np.maximum(out[box], loop, out=out[box])
    return out


def _confidence(out, rng, scale: float) -> np.ndarray:
    """Change the logit: gain, offset, slow and fine noise. Gains > 1 saturate ridges."""
    p = np.clip(out, 1e-4, 1 - 1e-4)
    logit = np.log(p / (1 - p))
    gain = np.exp(scale * rng.normal(0.15, 0.35))
    # Certain cell pixels stay certain: noise fades out towards the floor.
    doubt = np.clip((logit + 7) / 4, 0, 1)
    noise = rng.uniform(0, 1.0) * _noise(rng, out.shape, rng.uniform(8, 25))
    noise += rng.uniform(0, 0.6) * _noise(rng, out.shape, rng.uniform(1.2, 2.5))
    logit = gain * logit + scale * (rng.normal(0, 0.6) + noise) * doubt
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def _around(shape, place: int, reach: float):
    """Return the box within `reach` of a flat pixel index, and offsets dy, dx in it."""
    y, x = divmod(int(place), shape[1])
    reach = int(np.ceil(reach))
    top, left = max(0, y - reach), max(0, x - reach)
    bottom, right = min(shape[0], y + reach + 1), min(shape[1], x + reach + 1)
    dy = np.arange(top - y, bottom - y, dtype=np.float32)[:, None]
    dx = np.arange(left - x, right - x, dtype=np.float32)[None]
    return (slice(top, bottom), slice(left, right)), dy, dx


def _disk(shape, place: int, reach: float):
    box, dy, dx = _around(shape, place, reach)
    return box, np.sqrt(dy * dy + dx * dx)
