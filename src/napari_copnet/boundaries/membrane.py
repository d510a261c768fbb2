"""How like the membranes of a slice its image looks at each pixel.

The contour that is drawn already shows what membranes look like in this slice, under this
microscope; the insides of cells show what is none. A linear discriminant between the two is fitted
to a few filters of the image, slice by slice, so contrast, brightness and polarity do not matter,
and an image that tells nothing says so by itself: its log odds are near 0 everywhere.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Darkness is that of the image smoothed so far, px, beside the surroundings, smoothed so far.
_FINE, _SURROUNDINGS = (1.0, 2.0), 8.0
# Lines are looked for at these widths, px.
_LINES = (1.5, 2.5)
# Pixels nearer to the contour are neither membrane nor the inside of a cell, px.
_MARGIN = 2.0
# Each of the two is told from at least and at most so many pixels.
_LEAST, _MOST = 50, 20_000
# Held against filters that say the same, beside their own spread.
_HOLD = 1e-3
# Odds beyond these say no more: artefacts, and images without noise.
_SURE = 8.0


def membrane_odds(
    image: np.ndarray, contour: np.ndarray, cells: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """Return the log odds that the image shows a membrane.

    Fisher's linear discriminant of the image's filters (R. A. Fisher, Annals of Eugenics 7, 1936):
    with the means m of both classes and their common covariance S, the log odds of equally
    frequent normal classes are (x - (m1 + m0) / 2)' S^-1 (m1 - m0).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        A slice, of any contrast and either polarity.
    contour : ndarray, shape (Y, X), bool
        Closed contour.
    cells : ndarray, shape (Y, X)
        Cells; 0 is none. What is neither cell nor contour says nothing.
    distance : ndarray, shape (Y, X), float
        Distance of each pixel to the contour, px.

    Returns
    -------
    ndarray, shape (Y, X), float32
        0 everywhere where the image or the contour tells nothing.
    """
    nothing = np.zeros(contour.shape, np.float32)
    inside = np.flatnonzero((distance >= _MARGIN) & (cells > 0))
    walls = np.flatnonzero(contour)
    if min(inside.size, walls.size) < _LEAST:
        return nothing
    even = np.asarray(image, np.float32)
    even = even - even.mean()
    spread = float(even.std())
    if not np.isfinite(spread) or spread <= 1e-6 * float(np.abs(image).max(initial=0)):
        return nothing
    chosen = [part[:: max(1, part.size // _MOST)] for part in (walls, inside)]
    values = _filters(even / spread, *chosen)
    ours, theirs = (values[:, part].astype(np.float64) for part in chosen)
    common = (np.cov(ours) + np.cov(theirs)) / 2
    common += np.diag(_HOLD * np.diag(common) + 1e-12)
    means = ours.mean(axis=1), theirs.mean(axis=1)
    weights = np.linalg.solve(common, means[0] - means[1])
    constant = -float(weights @ (means[0] + means[1])) / 2
    odds = weights.astype(np.float32) @ values + np.float32(constant)
    return np.clip(odds, -_SURE, _SURE).reshape(contour.shape)


def _filters(even: np.ndarray, walls: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the filters of a slice of mean 0 and spread 1, shape (F, Y X), float32."""
    fine = [ndimage.gaussian_filter(even, sigma) for sigma in _FINE]
    surroundings = ndimage.gaussian_filter(even, _SURROUNDINGS)
    dark = [(surroundings - smooth).ravel() for smooth in fine]
    # The filters for lines have to know whether membranes are dark or bright.
    sign = 1 if np.median(dark[0][walls]) >= np.median(dark[0][inside]) else -1
    rows = [sign * row for row in dark]
    for sigma in _LINES:
        rows += [row.ravel() for row in _bends(sign * even, sigma)]
    return np.stack(rows)


def _bends(image: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of the Hessian of a smoothed image, the greater first."""
    down, both, across = (
        ndimage.gaussian_filter(image, sigma, order=order) for order in ((2, 0), (1, 1), (0, 2))
    )
    middle, apart = (down + across) / 2, np.hypot((down - across) / 2, both)
    return middle + apart, middle - apart
