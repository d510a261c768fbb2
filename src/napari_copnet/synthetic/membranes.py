"""The appearance of membranes: stained, faded, cut obliquely."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri


def left_of(fading: np.ndarray, faded: float, steepness: float = 7.0) -> np.ndarray:
    """Return the share of a membrane's stain that is left, 0 to 1.

    Parameters
    ----------
    fading : ndarray
        Noise of mean 0 and standard deviation 1: membranes fade where it is high.
    faded : float
        Share of the membranes' length that fades.
    steepness : float
        How sharply faded stretches end.
    """
    if faded <= 0:
        return np.ones_like(fading)
    edge = ndtri(1 - faded) if faded < 1 else -np.inf
    return 1 / (1 + np.exp(np.clip((fading - edge) * steepness, -50, 50)))


def varied_half(width: float, thickness: np.ndarray) -> np.ndarray:
    """Return half the true contour's width, px: 85 to 120 % of half of `width`.

    Parameters
    ----------
    width : float
        Mean width, px.
    thickness : ndarray
        Noise of mean 0 and standard deviation 1.
    """
    factor = np.clip(1 + 0.08 * thickness, 0.85, 1.2)
    return (0.5 * width * factor).astype(np.float32)
