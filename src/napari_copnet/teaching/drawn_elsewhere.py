"""Slices that were annotated in another program: label images, masks and probabilities of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour, background
from napari_copnet.io.contour_kinds import image_kind, image_values
from napari_copnet.progress import Progress, Steps


@dataclass(frozen=True)
class DrawnSlice:
    """What a file says of a slice.

    Attributes
    ----------
    z : int
        The slice of the project.
    contour : ndarray, shape (Y, X), bool
    background : ndarray, shape (Y, X), bool
        Where there are no cells: wide areas without label. None of other images.
    """

    z: int
    contour: np.ndarray
    background: np.ndarray


def drawn_slices(
    image: Any, shape: tuple[int, int, int], slices: Sequence[int] | None = None, kind: str = "auto"
) -> Steps[list[DrawnSlice]]:
    """Take contours of slices from an image, whatever it is: see `contour_input.as_contour`.

    Parameters
    ----------
    image : array, shape (N, Y, X)
        Labels, a mask of contours, or their probability: of the whole stack, or only of `slices`.
        May be lazy.
    shape : tuple of int
        Of the project.
    slices : sequence of int, optional
        Slices of the project, in the order of those of the image where it holds no others. By
        default all in which an image of the whole stack has contours or cells.
    kind : {"auto", "probability", "mask", "labels"}

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of DrawnSlice

    Raises
    ------
    InputError
        Another size, no contours in a slice, or no image of contours or cells.
    """
    depth = int(image.shape[0])
    if tuple(image.shape[1:]) != tuple(shape[1:]):
        raise InputError(
            f"Slices of the file have {_size(image.shape)}, those of the project {_size(shape)}.",
            "Both must be of the same size.",
        )
    wanted = range(shape[0]) if slices is None else slices
    if depth == shape[0]:
        places = {z: z for z in wanted}
    elif slices is not None and depth == len(slices):
        places = {z: number for number, z in enumerate(slices)}
    else:
        raise InputError(
            f"The file has {depth} slice{'s' if depth != 1 else ''}, the project {shape[0]}.",
            "Give the whole stack, or name as many slices as the file has.",
        )
    values = image_values(image)
    kind = image_kind(image, values) if kind == "auto" else kind
    contours = as_contour(image, kind, values=values)
    found = []
    for number, (z, at) in enumerate(places.items()):
        yield Progress("annotated", number, len(places), "slices")
        plane = np.asarray(image[at])
        contour = np.asarray(contours[at]) > 0
        empty = background(plane) if kind == "labels" else np.zeros(contour.shape, bool)
        if contour.any() or (kind == "labels" and plane.any()):
            found.append(DrawnSlice(z, contour, empty & ~contour))
        elif slices is not None:
            raise InputError(
                f"Slice {at} of the file has neither contours nor cells (slices count from 0).",
                "Name the slices that were annotated.",
            )
    if not found:
        raise InputError("The file has neither contours nor cells.", "Give one that has.")
    return found


def _size(shape: Sequence[int]) -> str:
    return f"{int(shape[-2])} × {int(shape[-1])} px"
