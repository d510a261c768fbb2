"""How likely a pixel is contour, learnt from the slices that are carried from.

A few filters of a slice, what a contour model makes of it if there is one, and a logistic
regression on both. Neighbouring slices look alike, so what a single annotated slice teaches holds
in those beside it, whatever the tissue; a model that knows nothing of it gets little weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_copnet.teaching.carrying import filters, regions

# Pixels to learn from; more change nothing.
MOST_PIXELS = 60_000
# Probabilities of a contour model nearer to 0 and 1 than this are taken for this.
LEAST = 1e-3
# Ridge penalty, and steps of Newton's method.
PENALTY, STEPS = 5.0, 8


def features(image: np.ndarray, contours: np.ndarray | None = None) -> np.ndarray:
    """Return filters of a slice and some of their products, shape (Y, X, F), float32.

    Grey values in deviations of the slice and of their surroundings, dark and bright lines of
    several widths, gradients; and the logit of a contour model's probability.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    contours : ndarray, shape (Y, X), float, optional
        Probability of contour, 0 to 1, by a contour model.
    """
    fine, contrast = filters.local_contrast(image, 0.5), filters.local_contrast(image)
    grey, coarse = filters.standardised(image), filters.standardised(image, 2.5)
    line = filters.oriented_ridges(contrast)
    thin, usual, wide = (
        filters.dark_ridges(fine, 1.0),
        filters.dark_ridges(contrast, 1.5),
        filters.dark_ridges(contrast, 2.5),
    )
    bright = filters.dark_ridges(-contrast, 1.5)
    slope = ndimage.gaussian_gradient_magnitude(contrast, 1.5)
    crest = line - ndimage.maximum_filter(line, 5)
    single = [contrast, fine, line, grey, coarse, thin, wide, usual, slope, bright, crest]
    products = [
        (line, grey),
        (line, contrast),
        (line, wide),
        (line, line),
        (contrast, contrast),
        (grey, grey),
        (line, slope),
        (grey, slope),
    ]
    found = [*single, *(one * other for one, other in products)]
    if contours is not None:
        logit = np.log(np.clip(contours, LEAST, 1) / np.clip(1 - contours, LEAST, 1))
        smooth = ndimage.gaussian_filter(logit, 1.0)
        found += [logit, smooth, np.maximum(logit, 0), logit * line]
    return np.stack(found, axis=-1, dtype=np.float32)


class ContourOdds:
    """Log odds of contour, learnt from slices whose cells are known.

    Parameters
    ----------
    slices : sequence of (ndarray, ndarray)
        `features` of a slice, shape (Y, X, F), and its labels, shape (Y, X).
    """

    def __init__(self, slices: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        step = max(1, sum(labels.size for _, labels in slices) // MOST_PIXELS)
        known = np.concatenate(
            [found.reshape(-1, found.shape[-1])[::step] for found, _ in slices]
        ).astype(np.float64)
        contour = np.concatenate([regions.borders(labels).ravel()[::step] for _, labels in slices])
        self._middle, self._spread = known.mean(axis=0), known.std(axis=0) + 1e-6
        scaled = np.column_stack([(known - self._middle) / self._spread, np.ones(len(known))])
        self._weights = _logistic_regression(scaled, contour.astype(np.float64))

    def of(self, found: np.ndarray) -> np.ndarray:
        """Return the log odds of contour, shape (Y, X), float32, from `features` of a slice."""
        weights = self._weights[:-1] / self._spread
        offset = self._weights[-1] - self._middle @ weights
        return found @ weights.astype(np.float32) + np.float32(offset)


def _logistic_regression(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Fit by Newton's method, shape (F,); the last column is the constant."""
    penalty = np.full(values.shape[1], PENALTY)
    penalty[-1] = 1e-3
    weights = np.zeros(values.shape[1])
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        curvature = (values * (share * (1 - share) + 1e-4)[:, None]).T @ values
        slope = values.T @ (classes - share) - penalty * weights
        weights += np.linalg.solve(curvature + np.diag(penalty), slope)
    return weights
