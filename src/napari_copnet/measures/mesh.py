"""The surface of a cell as a closed, smooth mesh in µm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Passes of Taubin's filter: they even out the steps of voxels and keep the volume.
PASSES = 20
_SHRINK, _GROW = 0.5, 0.53
# Larger crops are thinned in-plane first: a mesh of finer steps says no more, and takes the memory.
MOST_VOXELS = 1 << 26


def cell_mesh(mask: np.ndarray, voxel_size: tuple[float, float, float]) -> Any:
    """Return the mesh of a mask: marching cubes, then Taubin's filter.

    Parameters
    ----------
    mask : ndarray, shape (Z, Y, X), bool
        Of one cell, cropped. Something must be set.
    voxel_size : tuple of float
        Along z, y, x.

    Returns
    -------
    trimesh.Trimesh
        Vertices as x, y, z in the unit of `voxel_size`, the centre of the crop's first voxel at
        the origin; closed, also where the crop ends; faces look outwards.

    Notes
    -----
    Marching cubes: Lorensen and Cline 1987, in the variant of Lewiner 2003 (scikit-image). The
    filter: Taubin 1995, λ = 0.5, µ = −0.53 (trimesh).
    """
    import trimesh
    from skimage.measure import marching_cubes

    step = max(1, math.ceil(math.sqrt(mask.size / MOST_VOXELS)))
    z, y, x = voxel_size
    mask, first = _thinned(mask, step), (step - 1) / 2
    padded = np.pad(mask, 1).astype(np.float32)
    found, faces, _, _ = marching_cubes(padded, 0.5)
    places = (found - 1) * (1, step, step) + (0, first, first)
    vertices = (places * (z, y, x))[:, ::-1]
    # With the axes in this order, the faces of scikit-image look outwards.
    made = trimesh.Trimesh(vertices, faces, process=False)
    trimesh.smoothing.filter_taubin(made, lamb=_SHRINK, nu=_GROW, iterations=PASSES)
    return made


def surface_and_sphericity(
    mask: np.ndarray, voxel_size: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the area of a cell's mesh, and how near it comes to a ball: 1, or less."""
    made = cell_mesh(mask, voxel_size)
    area, volume = float(made.area), abs(float(made.volume))
    return area, math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area if area else math.nan


def _thinned(mask: np.ndarray, step: int) -> np.ndarray:
    """Return blocks of `step` × `step` pixels as one, set where half of it or more is."""
    if step == 1:
        return mask
    short = [-side % step for side in mask.shape[1:]]
    whole = np.pad(mask, ((0, 0), (0, short[0]), (0, short[1])))
    depth, height, width = whole.shape
    blocks = whole.reshape(depth, height // step, step, width // step, step)
    thin = blocks.mean(axis=(2, 4)) >= 0.5
    return np.asarray(thin if thin.any() else blocks.any(axis=(2, 4)))
