"""What came to a slice from others: its contours, which of its cells are in doubt, and its file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import edt
import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.files import whole_file
from napari_copnet.records import Range, unfit
from napari_copnet.teaching.carrying import regions
from napari_copnet.teaching.carrying.carry import SMALLEST, CarriedCells
from napari_copnet.teaching.slice_arrays import opened_arrays

FORMAT = 1
_FORM = {"print": str, "sources": [Range(0, 1 << 24)], "cells": Range(0, 1 << 32)}


@dataclass(frozen=True)
class DoubtfulCell:
    """A carried cell to look at.

    Attributes
    ----------
    y, x : int
        A pixel deep inside it.
    trust : float
        How likely it is right, 0 to 1.
    size : int
        Its pixels.
    """

    y: int
    x: int
    trust: float
    size: int


@dataclass(frozen=True)
class CarriedSlice:
    """The contours of a slice that came from other slices.

    Attributes
    ----------
    z : int
        The slice.
    sources : tuple of int
        The slices that they came from.
    contour : ndarray, shape (Y, X), bool
    known : ndarray, shape (Y, X), bool
        False in cells in doubt, on their contours, and outside of all cells that came.
    doubtful : tuple of DoubtfulCell
        The least sure first.
    cells : int
        How many cells came, those in doubt among them.
    """

    z: int
    sources: tuple[int, ...]
    contour: np.ndarray
    known: np.ndarray
    doubtful: tuple[DoubtfulCell, ...]
    cells: int

    @property
    def in_doubt(self) -> float:
        """Share of the cells that are in doubt."""
        return len(self.doubtful) / max(self.cells, 1)


def drawn(cells: CarriedCells, before: np.ndarray) -> CarriedSlice:
    """Draw the contours of carried cells, and tell where they are in doubt.

    Lines are as wide as those they came from, and closed.

    Parameters
    ----------
    cells : CarriedCells
    before : ndarray, shape (Y, X)
        The contour that the slice has now; it stays where no cell came to.
    """
    labels = cells.labels
    contour = edt.edt(labels, black_border=False) <= cells.half + 1e-3
    contour[:-1] |= labels[:-1] != labels[1:]
    contour[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    if labels.min() == labels.max():
        contour[:] = False
    outside = labels == regions.OUTSIDE
    contour = np.where(outside, np.asarray(before) > 0, contour)
    doubtful, sizes = cells.doubtful, cells.sizes
    unsure = np.isin(labels, doubtful) | outside
    # its line lies half in the cells around it
    known = ~unsure
    if unsure.any():
        known = edt.edt(known, black_border=False) > cells.half + 0.5
    places = [
        DoubtfulCell(*_inside(labels == label), float(cells.trust[label]), int(sizes[label]))
        for label in doubtful
        if sizes[label] >= SMALLEST
    ]
    count = int(np.count_nonzero(sizes[regions.OUTSIDE + 1 :] >= SMALLEST))
    return CarriedSlice(cells.z, cells.sources, contour, known, tuple(places), count)


def _inside(mask: np.ndarray) -> tuple[int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    depth = edt.edt(np.ascontiguousarray(box), black_border=True)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(rows[0] + y), int(columns[0] + x)


def write_carried(path: Path, carried: CarriedSlice, print_: str) -> None:
    """Write a carried slice, and the fingerprint of the slice it makes, whole."""
    about = {
        "format": FORMAT,
        "print": print_,
        "sources": list(carried.sources),
        "cells": carried.cells,
    }
    places = [(one.y, one.x, one.trust, one.size) for one in carried.doubtful]
    with whole_file(path) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file,
            about=np.array(json.dumps(about)),
            contour=np.packbits(carried.contour),
            known=np.packbits(carried.known),
            doubtful=np.array(places, np.float64).reshape(-1, 4),
        )


def read_carried(path: Path, z: int, shape: tuple[int, ...]) -> tuple[CarriedSlice, str]:
    """Return what `write_carried` wrote: the carried slice, and the fingerprint.

    Raises
    ------
    InputError
        Damaged, or written by a newer version.
    """
    what, hint = f"What was carried to slice {z}", "Carry the contours again."
    with opened_arrays(path, shape, what, hint) as file:
        about = json.loads(str(file["about"]))
        if about["format"] > FORMAT:
            raise InputError(f"{path} was written by a newer version.", "Update napari-copnet.")
        if unfit(about, _FORM) is not None:
            raise ValueError(path.name)
        contour, known = (
            np.unpackbits(file[name], count=shape[0] * shape[1]).reshape(shape).view(bool)
            for name in ("contour", "known")
        )
        doubtful = tuple(
            DoubtfulCell(int(y), int(x), float(trust), int(size))
            for y, x, trust, size in file["doubtful"]
        )
        if any(not (0 <= p.y < shape[0] and 0 <= p.x < shape[1]) for p in doubtful):
            raise ValueError(path.name)
        sources = tuple(int(source) for source in about["sources"])
        carried = CarriedSlice(z, sources, contour, known, doubtful, int(about["cells"]))
        return carried, str(about["print"])
