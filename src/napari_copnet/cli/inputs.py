"""Arrays that commands compare: read, checked, and all of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_copnet.params import ReadParams

if TYPE_CHECKING:
    from napari_copnet.types import Stack


def read_checked(path: Path, read: ReadParams) -> Stack:
    """Open a stack whose pixels are all numbers, repaired when that is asked for."""
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.read import read_stack

    return check_pixels(read_stack(path, read), read.repair)


def read_values(path: Path | None, read: ReadParams) -> np.ndarray | None:
    """Read a stack whole: shape (Z, Y, X); None for no path."""
    return None if path is None else np.asarray(read_checked(path, read).data[:])


def read_padding(
    beside: Path, exclude: Path | None, shape: tuple[int, ...], read: ReadParams
) -> np.ndarray | None:
    """Return where there is nothing to be found, bool, shape (Z, Y, X); None for everywhere.

    Parameters
    ----------
    beside : Path
        A step's result. The padding that this step found lies beside it.
    exclude : Path, optional
        A mask that the user named.
    shape : tuple of int
        Of what it is for.
    read : ReadParams
        For the mask that the user named.
    """
    from napari_copnet.io.read import read_image
    from napari_copnet.runs.run_folder import PADDING, newest

    masks = []
    found = newest(beside.parent, PADDING) if (beside.parent / "run.json").is_file() else None
    if found is not None and found != beside:
        values = np.asarray(read_image(found).data)
        # Of another run, where it does not fit.
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
    """Refuse images that do not lie on the pixels of the truth, or of what `of` says.

    Raises
    ------
    InputError
        Names the first that does not have `shape`.
    """
    from napari_copnet.errors import InputError

    for name, image in images.items():
        if image is not None and image.shape != shape:
            raise InputError(
                f"The {name} has the shape {image.shape}, the {of} {shape}.",
                "Both have to lie on the same pixels; copnet run writes the original frame.",
            )
