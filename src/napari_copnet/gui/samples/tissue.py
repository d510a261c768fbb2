"""Read the sample; `scripts/make_sample.py` has made it. Nothing heavy is imported."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import numpy as np

from napari_copnet.types import Stack, VoxelSize

FILE = "tissue.npz"
NAME = "synthetic tissue"
VOXEL_SIZE = VoxelSize(0.1, 0.05, 0.05)


def sample() -> Stack:
    """Return the sample, shape (12, 512, 512), uint8: that of `synthetic.sample_stack`."""
    return Stack(kept("image")["image"], VOXEL_SIZE, name=NAME)


def truth() -> tuple[np.ndarray, np.ndarray]:
    """Return the true contours, uint8, and the true cells, uint16, of the sample's shape."""
    found = kept("true_contours", "true_cells")
    cells = found["true_cells"]
    return unpacked(found["true_contours"], cells.shape), cells


def kept(*names: str) -> dict[str, Any]:
    """Return arrays of the file by name; all of them where none is named."""
    with as_file(files(__package__) / FILE) as path, np.load(path) as file:
        return {name: file[name] for name in names or file.files}


def unpacked(bits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask that was packed to one bit a pixel, uint8."""
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)
