"""Convert between a processed stack and its original: see `types.Frame`.

Shifts are whole pixels, so that they move values without blurring them, and the way back takes
exactly the pixels that came.
"""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
from scipy.ndimage import distance_transform_edt

from napari_copnet.errors import InputError
from napari_copnet.steps.resize import resize_linear, without_rounding
from napari_copnet.types import Frame, Preprocessed, is_contour

KINDS = ("probability", "mask", "labels")


def margin(frame: Frame) -> np.ndarray:
    """Return where in the processed stack the shifts left no data.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    ndarray, shape (Z, Y, X), bool
    """
    _, height, width = frame.processed_shape
    y_out = _outside(height, frame.shifts[:, 0])
    x_out = _outside(width, frame.shifts[:, 1])
    return y_out[:, :, None] | x_out[:, None, :]


def shift_mirrored(image: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Move an image by whole pixels and fill what comes free by mirroring its content.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    shift : tuple of int
        Along y, x, in pixels.

    Returns
    -------
    ndarray, shape (Y, X), of the dtype of `image`
    """
    rows = _mirrored_index(image.shape[0], shift[0])
    columns = _mirrored_index(image.shape[1], shift[1])
    return image[np.ix_(rows, columns)]


def to_original(
    values: np.ndarray, frame: Frame, kind: str, soft: np.ndarray | None = None
) -> np.ndarray:
    """Bring results of the processed stack into the frame and size of the original.

    Parameters
    ----------
    values : ndarray, shape ``frame.processed_shape``
    frame : Frame
    kind : {"probability", "mask", "labels"}
        ``"probability"`` interpolates linearly, with anti-aliasing when it shrinks. ``"mask"``
        keeps contours closed: when it shrinks, a pixel is set where more than half of what it
        covers is, and where two areas that a contour parted would touch; when it grows, the
        nearest counts. ``"labels"`` takes the nearest label.
    soft : ndarray, shape of `values`, float, optional
        For a mask: the probability that it is the rounded form of, see `soft_contour`. Where it
        shrinks, lines are then as thick as those of the shrunk probability. A mask has lost where
        between two pixels its edges lie, and comes out thicker.

    Returns
    -------
    ndarray, shape ``frame.original_shape``, of the dtype of `values`
        Where alignment moved the original out of the processed frame there are no results: 0.
        A mask gets a line of 1 along the edge of such an area, so that cells cut there stay
        closed.

    Raises
    ------
    InputError
        The shape is not that of the processed stack.
    """
    _check(values, frame.processed_shape, kind)
    if frame.is_identity:
        return values.copy()
    out = np.empty(frame.original_shape, values.dtype)
    for z, image in enumerate(values):
        back = _back(frame, z)
        shifted = moved(image, back, kind)
        edges = None if soft is None else moved(soft[z], back, "probability")
        _resized(shifted, frame.original_shape[1:], kind, edges, out[z])
    return out


def clear_padding(values: np.ndarray, ready: Preprocessed) -> np.ndarray:
    """Set results in the frame of the original to 0 where it has padding; return them.

    Parameters
    ----------
    values : ndarray, shape ``ready.frame.original_shape``
        Changed in place.
    ready : Preprocessed
    """
    if ready.padding_bits is not None:
        for z, image in enumerate(values):
            padding = ready.original_padding(z)
            if padding is not None:
                image[padding] = 0
    return values


def soft_contour(mask: np.ndarray, probability: np.ndarray, contours: np.ndarray) -> np.ndarray:
    """Return the probability of which a closed contour is the rounded form.

    Parameters
    ----------
    mask : ndarray, shape (Z, Y, X)
        Closed contour, perhaps united with that of Step 1.
    probability : ndarray, shape (Z, Y, X), float
        Of the last iteration.
    contours : ndarray, shape (Z, Y, X), float
        Of Step 1.

    Returns
    -------
    ndarray, shape (Z, Y, X), float
        Above 0.5 just where the mask is set.
    """
    return np.where(mask > 0, np.maximum(probability, contours), probability)


def to_processed(values: np.ndarray, frame: Frame, kind: str) -> np.ndarray:
    """Bring values of the original stack, such as true labels, into the processed frame.

    Parameters
    ----------
    values : ndarray, shape ``frame.original_shape``
    frame : Frame
    kind : {"probability", "mask", "labels"}
        As for `to_original`.

    Returns
    -------
    ndarray, shape ``frame.processed_shape``, of the dtype of `values`
        0 in the margins; a mask gets a line of 1 along their edge.

    Raises
    ------
    InputError
        The shape is not that of the original stack.
    """
    _check(values, frame.original_shape, kind)
    if frame.is_identity:
        return values.copy()
    out = np.empty(frame.processed_shape, values.dtype)
    for z, image in enumerate(values):
        resized = _resized(image, frame.processed_shape[1:], kind)
        out[z] = moved(resized, _whole(frame.shifts[z]), kind)
    return out


def cells_to_original(
    labels: np.ndarray, closed: np.ndarray, frame: Frame, soft: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Bring cells and their closed contours back, so that no cell lies under the contour.

    Parameters
    ----------
    labels, closed : ndarray, shape ``frame.processed_shape``
    soft : ndarray, shape ``frame.processed_shape``, optional
        See `to_original`.

    Returns
    -------
    labels, closed : ndarray, shape ``frame.original_shape``
    """
    lines = to_original(closed, frame, "mask", soft)
    if frame.is_identity or _shrinks(frame.processed_shape[1:], frame.original_shape[1:]):
        out = to_original(labels, frame, "labels")
        out[lines > 0] = 0
        return out, lines
    # Both grow by repeating pixels: cleared before, cells are the same, and it is done sooner.
    _check(labels, frame.processed_shape, "labels")
    out = np.empty(frame.original_shape, labels.dtype)
    for z, image in enumerate(labels):
        back = _back(frame, z)
        image = moved(image, back, "labels")
        image[moved(closed[z], back, "mask") > 0] = 0
        _resized(image, frame.original_shape[1:], "labels", out=out[z])
    return out, lines


def _check(values: np.ndarray, shape: tuple[int, ...], kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
    if tuple(values.shape) != tuple(shape):
        raise InputError(
            f"The array has shape {tuple(values.shape)}, but the frame needs {tuple(shape)}.",
            "Use the results and the frame of the same run.",
        )


def _whole(shift: np.ndarray) -> tuple[int, int]:
    return round(float(shift[0])), round(float(shift[1]))


def _back(frame: Frame, z: int) -> tuple[int, int]:
    """Return the shift of slice z from the processed frame to the original one."""
    dy, dx = _whole(frame.shifts[z])
    return -dy, -dx


def _shrinks(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    return any(n < m for n, m in zip(after, before, strict=True))


def _outside(length: int, shifts: np.ndarray) -> np.ndarray:
    source = np.arange(length)[None, :] - np.round(shifts).astype(int)[:, None]
    return (source < 0) | (source >= length)


def _mirrored_index(length: int, shift: int) -> np.ndarray:
    source = (np.arange(length) - shift) % (2 * length)
    return np.where(source < length, source, 2 * length - 1 - source)


def moved(image: np.ndarray, shift: tuple[int, int], kind: str) -> np.ndarray:
    """Move by whole pixels; what comes free is 0, with a closing line for masks."""
    out = np.zeros_like(image)
    if any(abs(s) >= n for s, n in zip(shift, image.shape, strict=True)):
        return out
    to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, image.shape, strict=True))
    source = tuple(
        slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(shift, image.shape, strict=True)
    )
    out[to] = image[source]
    if kind == "mask":
        for axis, s in enumerate(shift):
            if s:
                edge: list[slice | int] = [slice(None), slice(None)]
                edge[axis] = s - 1 if s > 0 else image.shape[axis] + s
                edge[1 - axis] = slice(max(to[1 - axis].start - 1, 0), to[1 - axis].stop + 1)
                out[tuple(edge)] = 1
    return out


def _resized(
    image: np.ndarray,
    shape: tuple[int, ...],
    kind: str,
    soft: np.ndarray | None = None,
    out: Any = None,
) -> np.ndarray:
    """Return an image in another size, written to `out` if that is given."""
    if image.shape == tuple(shape):
        found = image
    elif kind == "probability":
        direct = out if out is not None and out.dtype == np.float32 else None
        found = resize_linear(image, shape, direct).astype(image.dtype, copy=False)
    elif kind == "mask" and _shrinks(image.shape, shape):
        found = _shrunk_mask(image, shape, image > 0 if soft is None else soft)
    else:
        rows, columns = (_nearest(n, m) for n, m in zip(shape, image.shape, strict=True))
        # Whatever is smaller in between. The mode is the one that needs no copy of the result.
        if shape[0] * image.shape[1] <= image.shape[0] * shape[1]:
            found = np.take(np.take(image, rows, 0), columns, 1, out, "clip")
        else:
            found = np.take(np.take(image, columns, 1), rows, 0, out, "clip")
    if out is not None and found is not out:
        out[:] = found
    return found


def _shrunk_mask(mask: np.ndarray, shape: tuple[int, ...], edges: np.ndarray) -> np.ndarray:
    """Scale a contour down without thickening it and without merging the cells it separates."""
    soft = without_rounding(resize_linear(edges, shape))
    line = is_contour(soft)
    areas = cc3d.connected_components((mask == 0).astype(np.uint8), connectivity=4)
    if areas.max() > 1:
        nearest = distance_transform_edt(areas == 0, return_distances=False, return_indices=True)
        rows = _nearest(shape[0], mask.shape[0])
        columns = _nearest(shape[1], mask.shape[1])
        owner = areas[tuple(nearest)][np.ix_(rows, columns)]
        thin = line.copy()
        for ahead, behind in (
            (np.s_[1:, :], np.s_[:-1, :]),
            (np.s_[:, 1:], np.s_[:, :-1]),
        ):
            touch = (owner[ahead] != owner[behind]) & ~thin[ahead] & ~thin[behind]
            # the pixel of the two that covers more of the contour becomes contour
            first = soft[ahead] >= soft[behind]
            line[ahead] |= touch & first
            line[behind] |= touch & ~first
    return line.astype(mask.dtype)


def _nearest(count: int, length: int) -> np.ndarray:
    """Index of the nearest of `length` pixels for each of `count`, in whole-number arithmetic."""
    return (2 * np.arange(count) + 1) * length // (2 * count)
