"""Determine from its values whether an image is a contour mask, a probability or cell labels.

This is decided here alone, for scoring, training, annotating and the single steps.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.types import is_contour

# A contour mask with a larger share of ones is most likely a mask of cells.
MOST_CONTOUR = 0.6
# Regions that are nowhere wider than twice this are contours, wider ones cells or background, px.
CONTOUR_HALF_WIDTH = 5.0
# Contours are wider where they meet, in at most this share of their pixels.
MOST_DEEP = 0.2
# Integer types whose full range stands for probabilities from 0 to 1.
_SCALED = (np.dtype(np.uint8), np.dtype(np.uint16))


def image_kind(image: np.ndarray) -> str:
    """Determine the kind of an image from its values.

    - bool, or only 0 and one of 1, 255 and the highest value of the type: ``"mask"``;
    - two other whole numbers, such as 0 and 128, or 1 and 2 as ilastik writes: ``"mask"`` where
      the regions of one of them are almost nowhere wider than 10 px;
    - other fractions between 0 and 1: ``"probability"``;
    - other whole numbers: ``"labels"`` where most neighbouring pixels are equal (those at either
      end of the range are not counted); 8-bit and 16-bit images in which they differ are
      ``"probability"``, with 255 or 65535 for 1.

    Raises
    ------
    InputError
        NaN or infinite values, fractions outside 0 to 1, or whole numbers that fit none of these
        kinds, or two of them.
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
    two = bool(((image == low) | (image == high)).all())
    if two and low >= 0 and (high == 0 or _is_common_mask(image, low, high)):
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
    if two and low < high:
        if _is_thin(image == high) or _is_thin(image == low):
            return "mask"
        raise InputError(
            f"The image has two values, {low:g} and {high:g}: it can be a contour mask or cell "
            "labels.",
            "State its kind, mask or labels; or save a mask with the values 0 and 255.",
        )
    if _share_equal(image) >= 0.5:
        return "labels"
    # A 16-bit image without any contour is more likely one of 8 bits, or no probability at all.
    if image.dtype == np.uint8 or (image.dtype == np.uint16 and is_contour(scaled(image)).any()):
        return "probability"
    raise InputError(
        "The image is neither a mask, nor a probability, nor a label image.",
        "Give contours as probabilities from 0 to 1, as a mask of 0 and 1, or as a label image.",
    )


def scaled(image: np.ndarray) -> np.ndarray:
    """Return a probability that may be stored as integers from 0 to 1.

    Parameters
    ----------
    image : ndarray, any shape
        Fractions are taken as they are; 8-bit and 16-bit integers count the highest of their type
        as 1.

    Returns
    -------
    ndarray, of that shape, float32
    """
    values = image.astype(np.float32)
    return values / np.iinfo(image.dtype).max if image.dtype in _SCALED else values


def marked(image: np.ndarray) -> np.ndarray:
    """Return where a mask has its mark: the higher of its two values, else all above 0.

    Parameters
    ----------
    image : ndarray, any shape
        The whole mask; in a part one value may be missing.

    Returns
    -------
    ndarray, of that shape, bool
    """
    if image.dtype == bool or not image.size:
        return image > 0
    low, high = image.min(), image.max()
    if 0 < low < high and ((image == low) | (image == high)).all():
        return image == high
    return image > 0


def probability_of(image: np.ndarray) -> np.ndarray:
    """Return a contour map, a mask of two values or a probability, as probability.

    Parameters
    ----------
    image : ndarray, any shape
        Two whole numbers are a mask. Others see `scaled`.

    Returns
    -------
    ndarray, of that shape, float32
    """
    if not image.size or image.dtype == bool:
        return image.astype(np.float32)
    low, high = image.min(), image.max()
    if image.dtype in _SCALED and high > 0 and ((image == low) | (image == high)).all():
        # A constant image of a high value is a probability, not a mask that is all contour.
        if low < high or high == 1:
            return marked(image).astype(np.float32)
    elif float(low) >= 0 and float(high) <= 1:
        return image.astype(np.float32)
    return scaled(image)


def _is_common_mask(image: np.ndarray, low: float, high: float) -> bool:
    top = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 255.0
    # All of one value above 0 is taken as a mask as well, in which everything is marked.
    return high in (1, 255, top) and low in (0, high)


def _is_thin(region: np.ndarray) -> bool:
    """Whether a region, (Y, X) or (Z, Y, X), is hardly anywhere wider than contours are."""
    pad = int(CONTOUR_HALF_WIDTH) + 1
    planes = region if region.ndim == 3 else region[None]
    deep = 0
    for plane in planes:
        # Beyond the image the region goes on as at its edge.
        depth = ndimage.distance_transform_edt(np.pad(plane, pad, mode="edge"))
        deep += int(np.count_nonzero(depth[pad:-pad, pad:-pad] > CONTOUR_HALF_WIDTH))
    return bool(deep <= MOST_DEEP * np.count_nonzero(region))


def _share_equal(image: np.ndarray) -> float:
    """Share of in-plane face neighbours, not both 0 or both the highest of 8 or 16 bits, alike."""
    top = np.iinfo(image.dtype).max if image.dtype in _SCALED else None
    equal = pairs = 0
    for axis in (-1, -2):
        a = np.moveaxis(image, axis, 0)
        first, second = a[1:], a[:-1]
        counted = (first > 0) | (second > 0)
        if top is not None:
            counted &= (first < top) | (second < top)
        pairs += int(np.count_nonzero(counted))
        equal += int(np.count_nonzero(counted & (first == second)))
    return equal / pairs if pairs else 1.0
