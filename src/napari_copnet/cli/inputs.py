"""Read and check the arrays that commands compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_copnet.lazy_array import by_slice
from napari_copnet.params import ReadParams

if TYPE_CHECKING:
    from napari_copnet.types import Stack


def read_checked(path: Path, read: ReadParams, *, lazy: bool = False) -> Stack:
    """Open a stack and check its pixels, repairing them if asked to; `lazy` leaves it on disk."""
    from napari_copnet.io.check import check_pixels
    from napari_copnet.io.read import read_stack

    return check_pixels(read_stack(path, read, lazy=lazy), read.repair)


def read_slices(path: Path | None, read: ReadParams) -> Any:
    """Open a stack to be read slice by slice: shape (Z, Y, X); None for no path."""
    return None if path is None else read_checked(path, read, lazy=True).data


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
    found = padding_beside(beside, shape)
    masks = [] if found is None else [np.asarray(found)]
    if exclude is not None:
        values = np.asarray(read_checked(exclude, read).data[:])
        if values.shape == (1, *shape[1:]):
            values = np.broadcast_to(values, shape)
        refuse_other_shapes({"excluded area": values}, tuple(shape), "stack")
        masks.append(values > 0)
    whole = np.logical_or.reduce(masks) if masks else None
    return whole if whole is not None and whole.any() else None


def padding_beside(result: Path, shape: tuple[int, ...]) -> Any:
    """Return the padding that a step found and saved beside its result, to be read by slice.

    Parameters
    ----------
    result : Path
        The step's result.
    shape : tuple of int
        Shape of the image that the padding is for.

    Returns
    -------
    LazyArray, shape (Z, Y, X), bool, or None
        None where there is none.
    """
    from napari_copnet.io.read import read_image
    from napari_copnet.runs.run_folder import PADDING, newest

    found = newest(result.parent, PADDING) if (result.parent / "run.json").is_file() else None
    if found is None or found == result:
        return None
    values = read_image(found, lazy=True).data
    # Padding of another shape is from another run.
    if values.shape != tuple(shape):
        return None
    padding = by_slice(values, lambda plane: plane > 0, bool)
    return padding if any(padding[z].any() for z in range(len(padding))) else None


def threshold_beside(contours: Path) -> float:
    """Return the threshold to which a step or a run has moved contours; 0.5 where none says so.

    Parameters
    ----------
    contours : Path
        With the ``run.json`` of what wrote it beside it, perhaps.
    """
    from napari_copnet.errors import InputError
    from napari_copnet.params import ContourParams
    from napari_copnet.records import read_record

    try:
        settings = read_record(contours.parent / "run.json", {"settings": dict})["settings"]
    except InputError:
        return ContourParams().threshold
    # A run has its settings by step.
    of_step = settings.get("contours")
    found = (of_step if isinstance(of_step, dict) else settings).get("threshold")
    return found if isinstance(found, float) and 0 < found < 1 else ContourParams().threshold


def refuse_other_shapes(
    images: Mapping[str, Any], shape: tuple[int, ...], of: str = "truth"
) -> None:
    """Refuse images whose shape is not that of the truth, or of the image that `of` names.

    Raises
    ------
    InputError
        Names the first that does not have `shape`.
    """
    from napari_copnet.errors import InputError

    for name, image in images.items():
        if image is not None and tuple(image.shape) != shape:
            raise InputError(
                f"The {name} has the shape {image.shape}, but the {of} {shape}.",
                "Both must have the same frame; copnet run writes results in the original frame.",
            )
