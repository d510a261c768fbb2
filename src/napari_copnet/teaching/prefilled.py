"""A slice whose contours a model drew, to be corrected rather than drawn; and its file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.files import whole_file
from napari_copnet.teaching.slice_arrays import opened_arrays

FORMAT = 1


@dataclass(frozen=True)
class PrefilledSlice:
    """The closed contours of a slice as a model drew them.

    Attributes
    ----------
    z : int
        The slice.
    model : str
        SHA-256 of the contour model's weights.
    contour : ndarray, shape (Y, X), bool
    """

    z: int
    model: str
    contour: np.ndarray


def write_prefilled(path: Path, prefilled: PrefilledSlice, print_: str) -> None:
    """Write a prefilled slice, and the fingerprint of the slice it makes, whole."""
    about = {"format": FORMAT, "print": print_, "model": prefilled.model}
    with whole_file(path) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file, about=np.array(json.dumps(about)), contour=np.packbits(prefilled.contour)
        )


def read_prefilled(path: Path, z: int, shape: tuple[int, ...]) -> tuple[PrefilledSlice, str]:
    """Return what `write_prefilled` wrote: the prefilled slice, and the fingerprint.

    Raises
    ------
    InputError
        Damaged, or written by a newer version.
    """
    what, hint = f"What a model drew in slice {z}", "Have it drawn again."
    with opened_arrays(path, shape, what, hint) as file:
        about = json.loads(str(file["about"]))
        if about["format"] > FORMAT:
            raise InputError(f"{path} was written by a newer version.", "Update napari-copnet.")
        bits = np.unpackbits(file["contour"], count=shape[0] * shape[1])
        contour = bits.reshape(shape).view(bool)
        return PrefilledSlice(z, str(about["model"]), contour), str(about["print"])
