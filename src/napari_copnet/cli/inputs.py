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


def read_padding(
    beside: Path, exclude: Path | None, shape: tuple[int, ...], read: ReadParams
) -> np.ndarray | None:
    """Return the pixels to leave out, bool, shape (Z, Y, X); None where none are left out.

    Parameters
    ----------
    beside : Path
        A step's result. The padding found by this step is saved beside it.
    exclude : Path, optional
        A mask given by the user.
    shape : tuple of int
        Shape of the image that the mask is for.
    read : ReadParams
        How to read the mask given by the user.
    """
    from napari_copnet.io.read import read_image
    from napari_copnet.runs.run_folder import PADDING, newest

    masks = []
    found = newest(beside.parent, PADDING) if (beside.parent / "run.json").is_file() else None
    if found is not None and found != beside:
        values = np.asarray(read_image(found).data)
        # Padding of another shape is from another run.
        masks += [values > 0] if values.shape == tuple(shape) else []
    if exclude is not None:
        values = np.asarray(read_checked(exclude, read).data[:])
        if values.shape == (1, *shape[1:]):
            values = np.broadcast_to(values, shape)
        refuse_other_shapes({"excluded area": values}, tuple(shape), "stack")
        masks.append(values > 0)
    whole = np.logical_or.reduce(masks) if masks else None
    return whole if whole is not None and whole.any() else None


def refuse_other_shapes(
    images: Mapping[str, np.ndarray | None], shape: tuple[int, ...], of: str = "truth"
) -> None:
    """Refuse images whose shape is not that of the truth, or of the image that `of` names.

    Raises
    ------
    InputError
        Names the first that does not have `shape`.
    """
    from napari_copnet.errors import InputError

    for name, image in images.items():
        if image is not None and image.shape != shape:
            raise InputError(
                f"The {name} has the shape {image.shape}, but the {of} {shape}.",
                "Both must have the same frame; copnet run writes results in the original frame.",
            )
