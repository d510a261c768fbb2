"""Textured tissue whose cells shift and bend from slice to slice, with its true contours."""

import numpy as np
from scipy import ndimage

SIDE = 96


def cells_at(z, side=SIDE, step=24, speed=1.0):
    """True cells of a slice, from 1: a grid that shifts and bends by `speed` px a slice."""
    y, x = np.mgrid[:side, :side].astype(float)
    bend = np.sin(2 * np.pi * y / side)
    right, down = x + speed * z * (0.6 + 0.8 * bend), y + 0.5 * speed * z * np.cos(x / 15)
    columns = np.floor((right + 400) / step).astype(int)
    rows = np.floor((down + 400) / step).astype(int)
    return (rows * 100 + columns).astype(np.uint32)


def contour_of(cells):
    """Lines two pixels wide between different cells."""
    contour = np.zeros(cells.shape, bool)
    for axis in (0, 1):
        apart = np.diff(cells.astype(np.int64), axis=axis) != 0
        low = [slice(None)] * 2
        high = [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        contour[tuple(low)] |= apart
        contour[tuple(high)] |= apart
    return contour.astype(np.uint8)


def moving_tissue(depth, speed=1.0, noise=6.0, side=SIDE, seed=0):
    """Return image, contours and cells, each of shape (Z, Y, X)."""
    rng = np.random.default_rng(seed)
    cells = np.stack([cells_at(z, side, speed=speed) for z in range(depth)])
    contours = np.stack([contour_of(one) for one in cells])
    soft = np.stack([ndimage.gaussian_filter(one.astype(float), 0.8) for one in contours])
    image = 170 - 110 * soft + rng.normal(0, noise, soft.shape)
    return image.clip(0, 255).astype(np.uint8), contours, cells
