"""Determine from its values whether an image is a contour mask, a probability or cell labels.

This is decided here alone, for scoring, training, annotating and the single steps. Images may be
lazy: they are looked at slice by slice, and the kind is that of the whole image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class ImageValues:
    """What the values of a whole image are like.

    Attributes
    ----------
    size : int
        How many there are.
    low, high : scalar
        The lowest and the highest, in the type of the image; 0 without any.
    two : bool
        All are equal to one of these two.
    finite, whole : bool
        All are finite; all are whole numbers.
    """

    size: int
    low: Any
    high: Any
    two: bool
    finite: bool
    whole: bool


def image_values(image: Any) -> ImageValues:
    """Gather what the values of an image are like, slice by slice.

    Parameters
    ----------
    image : array, shape (Y, X) or (Z, Y, X)
        May be lazy.
    """
    size = 0
    found: set[Any] = set()
    low = high = None
    two = finite = whole = True
    for plane in _planes(image):
        if not plane.size:
            continue
        size += plane.size
        least, most = plane.min(), plane.max()
        # Each slice has two values, its own extremes, and all slices together have two.
        found |= {least.item(), most.item()} if len(found) <= 2 else set()
        two = two and len(found) <= 2 and bool(((plane == least) | (plane == most)).all())
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
        if plane.dtype.kind == "f":
            finite = finite and bool(np.isfinite(plane).all())
            whole = whole and np.array_equal(plane, np.round(plane))
    nothing = np.zeros((), image.dtype)[()]
    return ImageValues(
        size, nothing if low is None else low, nothing if high is None else high, two, finite, whole
    )


def image_kind(image: Any, values: ImageValues | None = None) -> str:
    """Determine the kind of an image from its values.

    - bool, or only 0 and one of 1, 255 and the highest value of the type: ``"mask"``;
    - two other whole numbers, such as 0 and 128, or 1 and 2 as ilastik writes: ``"mask"`` where
      the regions of one of them are almost nowhere wider than 10 px;
    - other fractions between 0 and 1: ``"probability"``;
    - other whole numbers: ``"labels"`` where most neighbouring pixels are equal (those at either
      end of the range are not counted); 8-bit and 16-bit images in which they differ are
      ``"probability"``, with 255 or 65535 for 1.

    Parameters
    ----------
    image : array, shape (Y, X) or (Z, Y, X)
        May be lazy.
    values : ImageValues, optional
        Of `image`, where they were gathered already.

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
    values = values or image_values(image)
    if not values.finite:
        raise InputError("The contours have NaN or infinite values.", "Fill them before scoring.")
    if values.size == 0:
        raise InputError("The contours have no pixels.", "Give an image or a stack.")
    low, high, two = float(values.low), float(values.high), values.two
    if two and low >= 0 and (high == 0 or _is_common_mask(image.dtype, low, high)):
        return "mask"
    if not values.whole:
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
        if _is_thin(image, high) or _is_thin(image, low):
            return "mask"
        raise InputError(
            f"The image has two values, {low:g} and {high:g}: it can be a contour mask or cell "
            "labels.",
            "State its kind, mask or labels, or save a mask with the values 0 and 255.",
        )
    if share_equal(image) >= 0.5:
        return "labels"
    # A 16-bit image without any contour is more likely one of 8 bits, or no probability at all.
    if image.dtype == np.uint8 or (
        image.dtype == np.uint16
        and any(is_contour(scaled(plane)).any() for plane in _planes(image))
    ):
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


def marked(image: np.ndarray, values: ImageValues | None = None) -> np.ndarray:
    """Return where a mask has its mark: the higher of its two values, else all above 0.

    Parameters
    ----------
    image : ndarray, any shape
    values : ImageValues, optional
        Of the whole mask, where `image` is a part of it: in a part one value may be missing.

    Returns
    -------
    ndarray, of that shape, bool
    """
    if image.dtype == bool or not image.size:
        return image > 0
    values = values or image_values(image)
    return image == values.high if values.two and 0 < values.low < values.high else image > 0


def probability_of(image: np.ndarray, values: ImageValues | None = None) -> np.ndarray:
    """Return a contour map, a mask of two values or a probability, as probability.

    Parameters
    ----------
    image : ndarray, any shape
        Two whole numbers are a mask. Others see `scaled`.
    values : ImageValues, optional
        Of the whole map, where `image` is a part of it.

    Returns
    -------
    ndarray, of that shape, float32
    """
    if not image.size or image.dtype == bool:
        return image.astype(np.float32)
    values = values or image_values(image)
    low, high = values.low, values.high
    if image.dtype in _SCALED and high > 0 and values.two:
        # A constant image of a high value is a probability, not a mask that is all contour.
        if low < high or high == 1:
            return marked(image, values).astype(np.float32)
    elif float(low) >= 0 and float(high) <= 1:
        return image.astype(np.float32)
    return scaled(image)


def _planes(image: Any) -> Iterator[np.ndarray]:
    """Yield the slices of an image of any number of axes; one of up to two axes is its only one."""
    if image.ndim <= 2:
        yield np.asarray(image)
        return
    for number in range(image.shape[0]):
        yield np.asarray(image[number])


def _is_common_mask(dtype: np.dtype, low: float, high: float) -> bool:
    top = float(np.iinfo(dtype).max) if dtype.kind == "u" else 255.0
    # All of one value above 0 is taken as a mask as well, in which everything is marked.
    return high in (1, 255, top) and low in (0, high)


def _is_thin(image: Any, value: float) -> bool:
    """Whether the regions of a value are hardly anywhere wider than contours are."""
    pad = int(CONTOUR_HALF_WIDTH) + 1
    deep = area = 0
    for plane in _planes(image):
        region = plane == value
        # Beyond the image the region goes on as at its edge.
        depth = ndimage.distance_transform_edt(np.pad(region, pad, mode="edge"))
        deep += int(np.count_nonzero(depth[pad:-pad, pad:-pad] > CONTOUR_HALF_WIDTH))
        area += int(np.count_nonzero(region))
    return deep <= MOST_DEEP * area


def share_equal(image: Any) -> float:
    """Share of in-plane face neighbours, not both 0 or both the highest of 8 or 16 bits, alike."""
    top = np.iinfo(image.dtype).max if image.dtype in _SCALED else None
    equal = pairs = 0
    for plane in _planes(image):
        for along in (plane, plane.T):
            first, second = along[1:], along[:-1]
            counted = (first > 0) | (second > 0)
            if top is not None:
                counted &= (first < top) | (second < top)
            pairs += int(np.count_nonzero(counted))
            equal += int(np.count_nonzero(counted & (first == second)))
    return equal / pairs if pairs else 1.0
