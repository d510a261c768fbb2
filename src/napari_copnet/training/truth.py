"""True contours from label images and masks, and slices brought to the size networks see."""

from __future__ import annotations

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.io.contour_kinds import MOST_CONTOUR, image_kind, marked, scaled
from napari_copnet.padding.detect import find_padding
from napari_copnet.padding.fill import fill_mirrored
from napari_copnet.plane_size import longer_side
from napari_copnet.types import is_contour

BACKGROUND, CONTOUR, IGNORE = 0, 1, 2
# As wide at 512 px as a border of two pixels is in fib25's own 250 px: wider lines eat small cells.
WIDTH = 3.0


def contours_from_labels(labels: np.ndarray, width: float, zero: str = "region") -> np.ndarray:
    """Return the contours between cells, slice by slice.

    A pixel is contour when the border of its own region is nearer to its centre than
    ``width / 2``: lines are centred on the border and `width` wide.

    Parameters
    ----------
    labels : ndarray, shape (Z, Y, X), integer
        Cell ids.
    width : float
        Width of the lines in pixels.
    zero : str
        What label 0 is: ``"region"`` like any other, ``"contour"`` (drawn as such), or
        ``"ignore"`` (returned as 2).

    Returns
    -------
    ndarray, shape (Z, Y, X), uint8
        1 on contours, 2 where not annotated, else 0.
    """
    import edt

    contours = np.zeros(labels.shape, np.uint8)
    for z, plane in enumerate(labels):
        # edt takes 0 for outside of everything, so ids count from 1
        ids = np.ascontiguousarray(plane.astype(np.uint32) + 1)
        # distance to the nearest pixel of another region: half a pixel past the border
        contours[z] = edt.edt(ids, black_border=False) < width / 2 + 0.5 + 1e-3
        if ids.min() == ids.max():
            contours[z] = BACKGROUND
        if zero == "contour":
            contours[z][plane == 0] = CONTOUR
        elif zero == "ignore":
            contours[z][plane == 0] = IGNORE
    return contours


def truth_kind(truth: np.ndarray) -> str:
    """Tell a label image from a contour mask by its values.

    Returns
    -------
    str
        ``"labels"``, or ``"contours"`` for a probability or a mask, perhaps with a class 2 or 255
        for what is not annotated, whose contours cover at most 60 %. See
        `io.contour_kinds.image_kind`.

    Raises
    ------
    InputError
        A mask that is mostly above 0: it may mark cells or contours.
    """
    classes = set(np.unique(truth).tolist()) if truth.dtype.kind != "f" else set()
    if len(classes) == 3 and classes <= {0, 1, 2, 255}:
        share = float(np.mean(truth == 1))
    elif image_kind(truth) == "labels":
        return "labels"
    else:
        share = float(np.mean(mask_to_classes(truth, "contours") == CONTOUR))
    if share <= MOST_CONTOUR:
        return "contours"
    raise InputError(
        f"{share:.0%} of the truth is marked: it can mark cells or contours.",
        "Set the kind of truth to cells, contours or labels.",
    )


def mask_to_classes(truth: np.ndarray, kind: str) -> np.ndarray:
    """Return a mask of contours or of cells as classes 0, 1 and 2 (not annotated)."""
    if kind == "cells":
        return (truth == 0).astype(np.uint8)
    if truth.dtype.kind == "f":
        return is_contour(truth if truth.max(initial=0) <= 1 else marked(truth)).astype(np.uint8)
    values = set(np.unique(truth).tolist())
    if len(values) > 2 and not values <= {0, 1, 2, 255}:
        return is_contour(scaled(truth)).astype(np.uint8)
    if not {0, 1} <= values:
        return marked(truth).astype(np.uint8)
    classes = (truth > 0).astype(np.uint8)
    classes[(truth == 2) | (truth == 255)] = IGNORE
    return classes


def scale_for(shape: tuple[int, ...], size: int) -> float:
    """Return the factor that brings slices to the size networks see: see `plane_size`."""
    return longer_side(shape[-2:], size) / max(shape[-2:]) if size else 1.0


def resize_image(stack: np.ndarray, scale: float) -> np.ndarray:
    """Resize slices in-plane with anti-aliasing and z-score each, padding filled and left out.

    Parameters
    ----------
    stack : ndarray, shape (Z, Y, X)
    scale : float
        New size over old.

    Returns
    -------
    ndarray, shape (Z, Y', X'), float32
    """
    padding = [find_padding(np.asarray(plane, np.float32)) for plane in stack]
    if any(one is not None for one in padding):
        stack = np.stack(
            [
                fill_mirrored(np.asarray(plane, np.float32), one)
                for plane, one in zip(stack, padding, strict=True)
            ]
        )
    resized = resize_values(stack, scale)
    for plane, one in zip(resized, padding, strict=True):
        valid = plane if one is None else plane[resized_padding(one, plane.shape) == 0]
        if not valid.size:
            valid = plane
        spread, mean = valid.std(), valid.mean()
        plane -= mean
        if spread > 1e-8:
            plane /= spread
    return resized


def resized_padding(padding: np.ndarray, plane: tuple[int, ...]) -> np.ndarray:
    """Return padding (Y, X) at another size: True where at least half of a pixel is padding."""
    from skimage.transform import resize

    return resize(padding.astype(np.float32), plane, order=1, anti_aliasing=True) >= 0.5


def ignore_padding(classes: np.ndarray, stack: np.ndarray) -> np.ndarray:
    """Mark the padding of slices as not annotated.

    Parameters
    ----------
    classes : ndarray, shape (Z, Y', X'), uint8
        Truth at the size networks see; changed in place and returned.
    stack : ndarray, shape (Z, Y, X)
        The slices themselves, at their own size.
    """
    for plane, image in zip(classes, stack, strict=True):
        padding = find_padding(np.asarray(image, np.float32))
        if padding is not None:
            plane[resized_padding(padding, plane.shape)] = IGNORE
    return classes


def resize_values(stack: np.ndarray, scale: float) -> np.ndarray:
    """Resize slices in-plane with anti-aliasing; values keep their meaning.

    Returns
    -------
    ndarray, shape (Z, Y', X'), float32
    """
    from skimage.transform import resize

    shape = _scaled(stack.shape, scale)
    if shape == stack.shape:
        return np.array(stack, np.float32)
    out = np.empty(shape, np.float32)
    for z in range(len(stack)):
        plane = np.asarray(stack[z], np.float32)
        out[z] = resize(plane, shape[1:], order=1, mode="reflect", anti_aliasing=scale < 1)
    return out


def resize_truth(truth: np.ndarray, scale: float, kind: str, width: float, zero: str) -> np.ndarray:
    """Bring truth to the size networks see and draw its contours there.

    Parameters
    ----------
    truth : ndarray, shape (Z, Y, X)
    scale : float
        New size over old.
    kind : str
        ``"labels"``, ``"contours"`` or ``"cells"``.
    width : float
        Width in pixels, after resizing, of contours drawn between labels.
    zero : str
        See `contours_from_labels`.

    Returns
    -------
    ndarray, shape (Z, Y', X'), uint8
        Classes 0, 1 and 2 (not annotated).
    """
    from scipy.ndimage import gaussian_filter
    from skimage.segmentation import expand_labels

    if kind != "labels":
        classes = mask_to_classes(truth, kind)
        known = resize_values((classes == IGNORE).astype(np.float32), scale) <= 0
        drawn = resize_values((classes == CONTOUR).astype(np.float32), scale)
        # thin lines fade when shrunk: a lower threshold keeps them whole
        resized = (drawn > (0.5 if scale >= 1 else 0.3)).astype(np.uint8)
        resized[~known] = IGNORE
        return resized
    shape = _scaled(truth.shape, scale)
    rows = _nearest(truth.shape[1], shape[1])
    columns = _nearest(truth.shape[2], shape[2])
    labels = truth[:, rows][:, :, columns]
    if zero == "contour":
        # lines drawn as 0 shrink to borders first, so that all contours have one width
        labels = np.stack([expand_labels(plane, distance=width) for plane in labels])
    contours = contours_from_labels(labels, width, zero)
    if scale > 1.3:
        # enlarged labels have steps of `scale` pixels: round them off
        for z, plane in enumerate(contours):
            soft = gaussian_filter((plane == CONTOUR).astype(np.float32), 0.5 * scale)
            contours[z] = np.where(plane == IGNORE, IGNORE, is_contour(soft))
    return contours


def _scaled(shape: tuple[int, ...], scale: float) -> tuple[int, int, int]:
    return (shape[0], max(1, round(shape[1] * scale)), max(1, round(shape[2] * scale)))


def _nearest(old: int, new: int) -> np.ndarray:
    position = (np.arange(new) + 0.5) * old / new - 0.5
    return np.clip(np.rint(position).astype(int), 0, old - 1)
