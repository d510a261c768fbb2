"""Morphological closing of the rounded contour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_copnet.evaluation.baselines.base import Tried
from napari_copnet.steps.cells import beyond
from napari_copnet.types import is_contour

LARGEST_RADIUS = 15


class MorphologicalClosing(Tried):
    """Dilation, then erosion of the rounded contour by a disk."""

    name, title = "closing", "morphological closing"

    def candidates(self) -> Sequence[dict[str, Any]]:
        """Return radii from 1 px on."""
        return [{"radius": radius} for radius in range(1, LARGEST_RADIUS + 1)]

    def close_slice(self, u: np.ndarray, **settings: Any) -> np.ndarray:
        """Return the closing by a disk of ``radius`` px; outside of the image is no contour."""
        return morphological_closing(is_contour(u), settings["radius"])


def morphological_closing(mask: np.ndarray, radius: float) -> np.ndarray:
    """Close a mask by the disk of all pixels within `radius` + ½ of its centre.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool
    radius : float
        In px.

    Returns
    -------
    ndarray, shape (Y, X), bool
        Distance transforms make it as fast for a large disk as for a small one.
    """
    pad = int(np.ceil(radius)) + 2
    padded = np.pad(mask, pad)
    if not padded.any():
        return mask.copy()
    outside = beyond(padded, radius)
    return beyond(outside, radius)[pad:-pad, pad:-pad]
