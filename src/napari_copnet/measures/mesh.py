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
    """Return the mesh of a mask.

    Parameters
    ----------
    mask : ndarray, shape (Z, Y, X), bool
        Of one cell, cropped. Something must be set.
    voxel_size : tuple of float
        Along z, y, x.

    Returns
    -------
    trimesh.Trimesh
        See `surface_of`.
    """
    import trimesh

    return trimesh.Trimesh(*surface_of(mask, voxel_size), process=False)


def surface_of(
    mask: np.ndarray, voxel_size: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface of a mask: marching cubes, then Taubin's filter.

    Parameters are those of `cell_mesh`.

    Returns
    -------
    vertices : ndarray, shape (N, 3), float64
        As x, y, z in the unit of `voxel_size`, the centre of the crop's first voxel at the origin.
    faces : ndarray, shape (M, 3), int32
        Closed, also where the crop ends; they look outwards.

    Notes
    -----
    Marching cubes: Lorensen and Cline 1987, in the variant of Lewiner 2003 (scikit-image).
    """
    from skimage.measure import marching_cubes

    step = max(1, math.ceil(math.sqrt(mask.size / MOST_VOXELS)))
    z, y, x = voxel_size
    mask, first = _thinned(mask, step), (step - 1) / 2
    padded = np.pad(mask, 1).astype(np.float32)
    found, faces, _, _ = marching_cubes(padded, 0.5)
    places = (found.astype(np.float64) - 1) * (1, step, step) + (0, first, first)
    # With the axes in this order, the faces of scikit-image look outwards.
    return smoothed((places * (z, y, x))[:, ::-1], faces), faces


def smoothed(vertices: np.ndarray, faces: np.ndarray, passes: int = PASSES) -> np.ndarray:
    """Return vertices after Taubin's filter, which evens a mesh out and keeps its volume.

    Parameters
    ----------
    vertices : ndarray, shape (N, 3)
    faces : ndarray, shape (M, 3), int
        Of a closed mesh.
    passes : int
        Each second one grows what the one before has shrunk.

    Notes
    -----
    Taubin 1995, λ = 0.5, µ = −0.53, neighbours weighted equally. The same as trimesh's, whose
    meshes hold each other in cycles: those of thousands of cells would wait for the collector.
    """
    from scipy import sparse

    rows, columns = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    shape = (len(vertices), len(vertices))
    near = sparse.csr_array((np.ones(rows.size), (rows, columns)), shape)
    mean = sparse.diags_array(1 / near.sum(axis=1)) @ near
    moved = np.array(vertices, np.float64)
    for index in range(passes):
        away = mean @ moved - moved
        moved += _SHRINK * away if index % 2 == 0 else -_GROW * away
    return moved


def surface_and_sphericity(
    mask: np.ndarray, voxel_size: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the area of a cell's mesh, and how near it comes to a ball: 1, or less."""
    vertices, faces = surface_of(mask, voxel_size)
    first, second, third = (vertices[faces[:, n]] for n in range(3))
    area = float(np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2)
    # Tetrahedra from the origin to each face.
    volume = abs(float(np.einsum("ij,ij->i", first, np.cross(second, third)).sum() / 6))
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
