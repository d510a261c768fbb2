"""The cells of a slice that others get them from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_copnet.teaching.carrying import regions


@dataclass(frozen=True)
class GivenSlice:
    """The cells of a slice to carry from.

    Attributes
    ----------
    labels : ndarray, shape (Y, X), uint32
        From `regions.filled`.
    half : ndarray, shape (Y, X), float32
        How far the nearest contour reaches from the border between two cells, px.
    """

    labels: np.ndarray
    half: np.ndarray

    @classmethod
    def of(cls, contour: np.ndarray, outside: np.ndarray | None = None) -> GivenSlice:
        """Return the cells between contours; see `regions.filled`."""
        labels = regions.filled(contour, outside)
        return cls(labels, regions.half_widths(contour, labels))

    @classmethod
    def of_labels(cls, labels: np.ndarray) -> GivenSlice:
        """Return cells that are labelled without gaps, from 2; their lines get two pixels."""
        return cls(labels, np.ones(labels.shape, np.float32))
