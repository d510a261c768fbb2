"""Turn a mask, a probability or a label image into a contour mask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.io.contour_kinds import (
    CONTOUR_HALF_WIDTH,
    MOST_CONTOUR,
    ImageValues,
    image_kind,
    image_values,
    marked,
    scaled,
)
from napari_copnet.lazy_array import by_slice
from napari_copnet.types import is_contour

KINDS = ("auto", "probability", "mask", "labels")


def as_contour(
    image: Any, kind: str = "auto", *, invert: bool = False, values: ImageValues | None = None
) -> Any:
    """Turn a probability, a mask or a label image into a contour mask.

    Parameters
    ----------
    image : array, shape (Y, X) or (Z, Y, X)
        May be lazy. A probability is contour above 0.5 (8-bit and 16-bit ones count 255 and 65535
        as 1), a mask of two values where it has the higher one. Label images get a contour two
        pixels wide between face neighbours of different labels, slice by slice; regions of label 0
        that are nowhere wider than 10 px are contours themselves, wider ones are background (see
        `background`).
    kind : {"auto", "probability", "mask", "labels"}
        ``"auto"`` asks `contour_kinds.image_kind`.
    invert : bool
        The mask or probability is that of cells.
    values : ImageValues, optional
        Of `image`, where they were gathered already.

    Returns
    -------
    ndarray, or LazyArray for a lazy image, of the shape of `image`, uint8
        1 on contours.

    Raises
    ------
    InputError
        Not a contour image, or more than 60 % of it would be contour.
    """
    if not hasattr(image, "ndim"):
        image = np.asarray(image)
    if kind not in KINDS:
        raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
    if image.ndim not in (2, 3):
        raise InputError(
            f"The contours have {image.ndim} axes.", "Give a slice (y, x) or a stack (z, y, x)."
        )
    if values is None and kind in ("auto", "mask"):
        values = image_values(image)
    kind = image_kind(image, values) if kind == "auto" else kind
    if kind == "labels":
        if invert:
            raise InputError("A label image can't be inverted.", "Leave out the option invert.")
        return by_slice(image, _label_contour, np.uint8)

    def contour_of(plane: np.ndarray) -> np.ndarray:
        found = is_contour(scaled(plane)) if kind == "probability" else marked(plane, values)
        return ~found if invert else found

    contour = by_slice(image, contour_of, np.uint8)
    share = _count(contour) / max(math.prod(contour.shape), 1)
    if share > MOST_CONTOUR:
        raise InputError(
            f"{share:.0%} of the image would be contour: it seems to be a mask of cells.",
            "Use the option invert for a mask of cells, or the kind labels for a label image.",
        )
    return contour


def _count(contour: Any) -> int:
    planes = contour if contour.ndim == 3 else contour[None]
    return sum(int(np.count_nonzero(planes[z])) for z in range(planes.shape[0]))


def background(labels: np.ndarray) -> np.ndarray:
    """Return where a label image has no cells: wide regions of label 0.

    Parameters
    ----------
    labels : ndarray, shape (Y, X)

    Returns
    -------
    ndarray, shape (Y, X), bool
        Regions of 0 wider than 10 px, as far as a disk of 5 px radius reaches into them.
    """
    empty = labels == 0
    if not empty.any() or empty.all():
        return empty
    # Beyond the image the region goes on as at its edge.
    pad = int(CONTOUR_HALF_WIDTH) + 1
    padded = np.pad(empty, pad, mode="edge")
    core = ndimage.distance_transform_edt(padded) > CONTOUR_HALF_WIDTH
    if not core.any():
        return np.zeros(empty.shape, bool)
    wide = padded & (ndimage.distance_transform_edt(~core) <= CONTOUR_HALF_WIDTH)
    return wide[pad:-pad, pad:-pad]


def _label_contour(labels: np.ndarray) -> np.ndarray:
    contour = np.zeros(labels.shape, bool)
    rows = labels[1:] != labels[:-1]
    contour[1:] |= rows
    contour[:-1] |= rows
    columns = labels[:, 1:] != labels[:, :-1]
    contour[:, 1:] |= columns
    contour[:, :-1] |= columns
    thin = (labels == 0) & ~background(labels)
    return (contour | thin).astype(np.uint8)
