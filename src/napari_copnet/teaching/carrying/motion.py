"""How one slice differs from the one before: a field of displacements, by symmetric demons."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

# Standard deviation of the Gaussian that smooths the field after each iteration, px.
SMOOTHING = 1.5
# Iterations at half size and at full size.
ITERATIONS = (30, 10)


def displacement(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return where the pixels of one slice lie in another: ``fixed(p) = moving(p + d(p))``.

    Symmetric demons (Vercauteren et al. 2009, as in SimpleITK), at half size first.

    Parameters
    ----------
    fixed, moving : ndarray, shape (Y, X), float32
        From `filters.likeness`.

    Returns
    -------
    ndarray, shape (2, Y, X), float32
        d along y, x, in px. Zero where both slices are constant.
    """
    import SimpleITK

    if not (np.ptp(fixed) and np.ptp(moving)):
        return np.zeros((2, *fixed.shape), np.float32)
    images = [SimpleITK.GetImageFromArray(np.asarray(one, np.float32)) for one in (fixed, moving)]
    small = [
        SimpleITK.Shrink(SimpleITK.DiscreteGaussian(one, [1.0, 1.0]), [2, 2]) for one in images
    ]
    field = _demons(small, ITERATIONS[0], None)
    field = _demons(images, ITERATIONS[1], field)
    found = SimpleITK.GetArrayFromImage(field)
    return np.ascontiguousarray(np.moveaxis(found, -1, 0)[::-1], np.float32)


def _demons(images: list[Any], iterations: int, start: Any) -> Any:
    import SimpleITK

    fixed, moving = images
    demons = SimpleITK.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetNumberOfIterations(iterations)
    demons.SetSmoothDisplacementField(True)
    demons.SetStandardDeviations(SMOOTHING)
    # one thread: what else runs on the machine, a window above all, keeps the others
    demons.SetNumberOfThreads(1)
    if start is None:
        return demons.Execute(fixed, moving)
    larger = SimpleITK.Resample(
        start, fixed, SimpleITK.Transform(), SimpleITK.sitkLinear, 0.0, start.GetPixelID()
    )
    return demons.Execute(fixed, moving, larger)


def composed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the displacement of two steps as one: ``second(p) + first(p + second(p))``.

    Parameters
    ----------
    first, second : ndarray, shape (2, Y, X), float32
        `first` leads from the middle slice to the source, `second` from the target to the middle.
    """
    return second + np.array([warped(part, second) for part in first])


def warped(values: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return values of one slice as they lie in another, between pixels by straight lines."""
    at = np.indices(values.shape, np.float32) + field
    return ndimage.map_coordinates(values, at, order=1, mode="nearest")


def restlessness(field: np.ndarray) -> float:
    """Return how much a displacement differs from place to place: its deviation, px."""
    apart = field - np.median(field, axis=(1, 2), keepdims=True)
    return float(np.sqrt((apart**2).sum(axis=0).mean()))


def strain(field: np.ndarray) -> np.ndarray:
    """Return how much a displacement differs from pixel to pixel.

    The root of the sum of its squared derivatives, shape (Y, X), float32.
    """
    slopes = [slope for part in field for slope in np.gradient(part)]
    return np.sqrt(sum(slope**2 for slope in slopes)).astype(np.float32)


def moved(labels: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return labels of one slice as they lie in another.

    A pixel comes to lie between four of the other slice, and takes the label that has the largest
    part of it: with the nearest of the four, the borders of small cells would be off by a quarter
    of a pixel.

    Parameters
    ----------
    labels : ndarray, shape (Y, X)
    field : ndarray, shape (2, Y, X)
        From `displacement`, with the slice of the labels as the moving one.
    """
    lows, parts = [], []
    for axis, side in enumerate(labels.shape):
        shape = [1, 1]
        shape[axis] = side
        at = (np.arange(side, dtype=np.float32).reshape(shape) + field[axis]).clip(0, side - 1)
        low = np.minimum(at.astype(np.intp), max(side - 2, 0))
        lows.append(low)
        parts.append(at - low)
    (y, x), (down, right) = lows, parts
    next_y, next_x = (
        np.minimum(low + 1, side - 1) for low, side in zip(lows, labels.shape, strict=True)
    )
    corners = [labels[y, x], labels[y, next_x], labels[next_y, x], labels[next_y, next_x]]
    shares = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    best, most = corners[0], np.full(labels.shape, -1.0, np.float32)
    for corner in corners:
        share = sum(
            np.where(other == corner, part, 0) for other, part in zip(corners, shares, strict=True)
        )
        larger = share > most + 1e-6
        best, most = np.where(larger, corner, best), np.maximum(most, share)
    return best
