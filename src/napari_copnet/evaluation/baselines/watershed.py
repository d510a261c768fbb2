"""Watershed lines between the basins that Step 1's contour or its probability leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import edt
import numpy as np
from scipy import ndimage
from skimage.morphology import h_minima
from skimage.segmentation import watershed

from napari_copnet.evaluation.baselines.base import Tried
from napari_copnet.types import is_contour

SIGMAS = (2.0, 1.0, 0.0)


class _Watershed(Tried):
    heights: Sequence[float]

    def candidates(self) -> Sequence[dict[str, Any]]:
        """Return smoothing (``sigma``, px) and depth of basins (``h``), coarse basins first."""
        return [{"sigma": sigma, "h": h} for h in self.heights for sigma in SIGMAS]

    def landscape(self, u: np.ndarray) -> np.ndarray:
        """Return the map (Y, X) whose basins are cells."""
        raise NotImplementedError

    def close_slice(self, u: np.ndarray, **settings: Any) -> np.ndarray:
        """Return the lines between basins deeper than ``h``, after smoothing by ``sigma``."""
        return lines(self.landscape(u), settings["sigma"], settings["h"])


class ProbabilityWatershed(_Watershed):
    """Watershed of the contour probability: lines run along its ridges."""

    name, title = "watershed", "watershed on the probability"
    heights = (0.2, 0.1, 0.05, 0.02)

    def landscape(self, u: np.ndarray) -> np.ndarray:
        """Return the probability itself."""
        return u


class DistanceWatershed(_Watershed):
    """Watershed of the distance to the rounded contour: lines run through the narrowest places."""

    name, title = "watershed-distance", "watershed on the distance"
    heights = (8.0, 4.0, 2.0, 1.0)

    def landscape(self, u: np.ndarray) -> np.ndarray:
        """Return minus the distance to the contour, px."""
        free = np.ascontiguousarray(~is_contour(u))
        if free.all():
            return np.zeros(u.shape, np.float32)
        return -edt.edt(free, black_border=False)


def lines(landscape: np.ndarray, sigma: float, h: float) -> np.ndarray:
    """Return the watershed lines between basins of a landscape.

    Parameters
    ----------
    landscape : ndarray, shape (Y, X), float
    sigma : float
        Standard deviation of the Gaussian that smooths it first, px.
    h : float
        Basins less deep than this are one with their neighbour (h-minima transform).

    Returns
    -------
    ndarray, shape (Y, X), bool
        One pixel wide; basins on two sides of a line are no face neighbours.
    """
    height = np.asarray(landscape, np.float32)
    if sigma > 0:
        height = ndimage.gaussian_filter(height, sigma)
    if float(np.ptp(height)) <= h:
        return np.zeros(height.shape, bool)
    basins, _ = ndimage.label(h_minima(height, h), ndimage.generate_binary_structure(2, 2))
    return watershed(height, basins, watershed_line=True) == 0
