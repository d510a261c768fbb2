"""Fading maps: a true contour as predicted by a network that was not trained on such tissue.

The equation and `artefacts` degrade parts of a contour. On unfamiliar tissue, the whole map of a
network is uncertain: lines are thin, their certainty varies along them, some vanish over tens of
pixels and leave a trace, and false lines are rare.
"""

from __future__ import annotations

import edt
import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from napari_copnet.errors import InputError
from napari_copnet.synthetic.noise import SmoothNoise
from napari_copnet.training.artefacts import clouds, false_lines, false_loops

# Logit of pixels that are certainly not contour, and the displacement of lines, px.
_FLOOR, _STRAY = -5.5, 1.0
# Strength of the false probability of `artefacts`, and how often each kind occurs.
_FALSE, _OFTEN = 0.5, 0.6


def fade(
    contour: np.ndarray,
    rng: np.random.Generator,
    certainty: float = 0.87,
    gone: float = 0.165,
) -> np.ndarray:
    """Return a map of a true contour whose certainty varies along the lines, in [0, 1].

    With d the distance to the smoothly displaced centre line, and n smooth noise, the logit is
    a(n) - 1.25 (d / w)^2, or that of the floor where that is higher. Where n is above its quantile
    `gone` over the line, the amplitude a grows from 0 to that of `certainty`; elsewhere it falls
    below 0. Lines thus vanish over lengths like those of the noise.

    Parameters
    ----------
    contour : ndarray, shape (Y, X)
        True contour, 0 or 1.
    rng : numpy.random.Generator
        Random generator.
    certainty : float
        Approximate median probability on visible parts of the line, 0 to 1.
    gone : float
        Share of the line with a probability below 0.5.

    Returns
    -------
    ndarray, shape (Y, X), float32

    Raises
    ------
    InputError
        `contour` is not a single slice.
    """
    if contour.ndim != 2:
        raise InputError(
            f"Fading works on single slices, but this contour has {contour.ndim} axes.",
            "Give a single slice.",
        )
    line = skeletonize(np.asarray(contour) > 0)
    floor = _FLOOR + 0.8 * _noise(rng, line.shape, 20) + 0.4 * _noise(rng, line.shape, 3)
    logit = floor
    if line.any():
        logit = np.maximum(_ridge(line, rng, certainty, gone), floor)
    out = 1 / (1 + np.exp(-logit))
    for draw in (false_lines, false_loops, clouds):
        if rng.random() < _OFTEN:
            part = _FALSE if draw is not clouds else _FALSE / 2
            np.maximum(out, part * draw(out.shape, rng, 1.0), out=out)
    return ndimage.gaussian_filter(out, rng.uniform(0.5, 0.9)).astype(np.float32)


def _ridge(line: np.ndarray, rng: np.random.Generator, certainty: float, gone: float) -> np.ndarray:
    distance = edt.edt(np.ascontiguousarray(~line), black_border=False)
    y, x = np.mgrid[: line.shape[0], : line.shape[1]].astype(np.float32)
    moved = [at + _STRAY * _noise(rng, line.shape, 12) for at in (y, x)]
    distance = ndimage.map_coordinates(distance, moved, order=1, mode="nearest")
    field = _noise(rng, line.shape, rng.uniform(14, 30))
    above = (field - np.quantile(field[line], gone)) / max(float(field[line].std()), 1e-6)
    seen = 1.45 * np.log(certainty / (1 - certainty)) * (1 - np.exp(-2.2 * np.maximum(above, 0)))
    amplitude = np.where(above < 0, rng.uniform(2.0, 5.0) * above - 0.05, seen)
    amplitude = np.maximum(amplitude, rng.uniform(-5, -3)) + 0.5 * _noise(rng, line.shape, 4)
    return amplitude - 1.25 * (distance / rng.uniform(1.2, 1.6)) ** 2


def _noise(rng: np.random.Generator, shape: tuple[int, ...], spacing: float) -> np.ndarray:
    height, width = shape
    field = SmoothNoise(rng, (0, 0, 0), (0, height, width), (1, spacing, spacing))
    return field.at(0, np.arange(height), np.arange(width))
