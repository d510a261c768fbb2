"""Read and check the arrays that commands compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_copnet.params import ReadParams

if TYPE_CHECKING:
    from napari_copnet.types import Stack


def read_checked(path: Path, read: ReadParams) -> Stack:
    """Open a stack and check its pixels, repairing them if asked to."""
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.read import read_stack

    return check_pixels(read_stack(path, read), read.repair)


def read_values(path: Path | None, read: ReadParams) -> np.ndarray | None:
    """Read a stack whole: shape (Z, Y, X); None for no path."""
    return None if path is None else np.asarray(read_checked(path, read).data[:])


def refuse_other_shapes(images: Mapping[str, np.ndarray | None], shape: tuple[int, ...]) -> None:
    """Refuse images whose shape is not that of the truth.

    Raises
    ------
    InputError
        Names the first that does not have `shape`.
    """
    from napari_copnet.errors import InputError

    for name, image in images.items():
        if image is not None and image.shape != shape:
            raise InputError(
                f"The {name} has the shape {image.shape}, but the truth {shape}.",
                "Both must have the same frame; copnet run writes results in the original frame.",
            )
