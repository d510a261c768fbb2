"""Solids whose volume and surface are known, drawn as voxels."""

import numpy as np


def ellipsoid(radii, voxel):
    """Return the voxels (Z, Y, X) whose centres lie in an ellipsoid, with a margin of one."""
    sides = [int(np.ceil(r / v)) + 1 for r, v in zip(radii, voxel, strict=True)]
    axes = [np.arange(-n, n + 1) * v for n, v in zip(sides, voxel, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return (z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2 <= 1


def spheroid_surface(a, c):
    """Return the surface of a spheroid of the radii a, a, c."""
    if c > a:
        e = np.sqrt(1 - a * a / (c * c))
        return 2 * np.pi * a * a * (1 + c / (a * e) * np.arcsin(e))
    e = np.sqrt(1 - c * c / (a * a))
    return 2 * np.pi * a * a * (1 + (1 - e * e) / e * np.arctanh(e))
