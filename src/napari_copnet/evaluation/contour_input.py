"""Turn a mask, a probability or a label image into a contour mask."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError

KINDS = ("auto", "probability", "mask", "labels")
# A contour mask with more ones than this is most likely one of cells.
MOST_CONTOUR = 0.6
# Regions of label 0 that are nowhere wider than twice this are contours, wider ones background.
CONTOUR_HALF_WIDTH = 5.0


def image_kind(image: np.ndarray) -> str:
    """Determine the kind of an image from its values.

    - bool, or only the values 0 and 1, or only 0 and 255: ``"mask"``;
    - other fractions between 0 and 1: ``"probability"``;
    - whole numbers: ``"labels"`` where most neighbouring pixels are equal; 8-bit images in which
      they differ are ``"probability"`` with 255 for 1.

    Raises
    ------
    InputError
        NaN or infinite values, fractions outside 0 to 1, or whole numbers that are neither.
    """
    if image.dtype == bool:
        return "mask"
    if image.dtype.kind not in "fiu":
        raise InputError(f"Values of type {image.dtype} can't be contours.", "Give numbers.")
    if not np.isfinite(image).all():
        raise InputError("The contours have NaN or infinite values.", "Fill them before scoring.")
    if image.size == 0:
        raise InputError("The contours have no pixels.", "Give an image or a stack.")
    low, high = float(image.min()), float(image.max())
    if high in (0, 1, 255) and np.isin(image, (0, high)).all():
        return "mask"
    if image.dtype.kind == "f" and not np.array_equal(image, np.round(image)):
        if low >= 0 and high <= 1:
            return "probability"
        raise InputError(
            f"Probabilities lie between 0 and 1, not between {low:g} and {high:g}.",
            "Give a probability, a mask, or a label image of whole numbers.",
        )
    if low < 0:
        raise InputError(
            f"Labels can't be negative: {low:g} was found.", "Use labels from 0 upwards."
        )
    if _share_equal(image) >= 0.5:
        return "labels"
    if image.dtype == np.uint8:
        return "probability"
    raise InputError(
        "The image is neither a mask, nor a probability, nor a label image.",
        "Give contours as probabilities from 0 to 1, as a mask of 0 and 1, or as a label image.",
    )


def as_contour(image: np.ndarray, kind: str = "auto", *, invert: bool = False) -> np.ndarray:
    """Turn a probability, a mask or a label image into a contour mask.

    Parameters
    ----------
    image : ndarray, shape (Y, X) or (Z, Y, X)
        A probability is contour above 0.5 (8-bit ones count 255 as 1); a mask above 0. Label
        images get a contour two pixels wide between face neighbours of different labels, slice
        by slice; regions of label 0 that are nowhere wider than 10 px are contours themselves,
        wider ones are background (see `background`).
    kind : {"auto", "probability", "mask", "labels"}
        ``"auto"`` asks `image_kind`.
    invert : bool
        The mask or probability is that of cells.

    Returns
    -------
    ndarray, of the shape of `image`, uint8
        1 on contours.

    Raises
    ------
    InputError
        Not a contour image, or more than 60 % of it would be contour.
    """
    image = np.asarray(image)
    if kind not in KINDS:
        raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
    if image.ndim not in (2, 3):
        raise InputError(
            f"The contours have {image.ndim} axes.", "Give a slice (y, x) or a stack (z, y, x)."
        )
    kind = image_kind(image) if kind == "auto" else kind
    if kind == "labels":
        if invert:
            raise InputError("A label image can't be inverted.", "Leave out the option invert.")
        if image.ndim == 2:
            return _label_contour(image)
        return np.stack([_label_contour(plane) for plane in image])
    if kind == "probability":
        contour = image > (0.5 if image.dtype.kind == "f" else 0.5 * 255)
    else:
        contour = image > 0
    if invert:
        contour = ~contour
    share = float(contour.mean())
    if share > MOST_CONTOUR:
        raise InputError(
            f"{share:.0%} of the image would be contour: it seems to be a mask of cells.",
            "Use the option invert for a mask of cells, or the kind labels for a label image.",
        )
    return contour.astype(np.uint8)


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


def _share_equal(image: np.ndarray) -> float:
    """Share of in-plane face neighbours, not both 0, that are equal."""
    equal = pairs = 0
    for axis in (-1, -2):
        a = np.moveaxis(image, axis, 0)
        first, second = a[1:], a[:-1]
        either = (first > 0) | (second > 0)
        pairs += int(np.count_nonzero(either))
        equal += int(np.count_nonzero(either & (first == second)))
    return equal / pairs if pairs else 1.0
