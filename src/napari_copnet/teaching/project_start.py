"""What a project begins with besides a run: an image, and contours from elsewhere or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour, background
from napari_copnet.io.contour_kinds import image_kind, image_values, scaled
from napari_copnet.lazy_array import by_slice
from napari_copnet.params import CellParams
from napari_copnet.proofreading.session_start import Start, from_run_folder
from napari_copnet.types import Stack


def start_from_images(stack: Stack, contours: Any = None, size: int = 512) -> Start:
    """Return what a session or project begins with, from an image without a run.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X).
    contours : array, shape (Z, Y, X), optional
        Contours drawn so far, as probability, mask or label image; none when not given. May be
        lazy: what the project begins with then is, too.
    size : int
        Longer in-plane side at which networks see the slices; 0 keeps their size.

    Raises
    ------
    InputError
        Shapes differ, or the image does not show contours.
    """
    mask: Any
    if contours is None:
        # Nothing is drawn: zeros that take no memory.
        mask = np.broadcast_to(np.uint8(0), stack.shape)
        step1 = np.broadcast_to(np.float32(0), stack.shape)
    else:
        if not hasattr(contours, "ndim"):
            contours = np.asarray(contours)
        if tuple(contours.shape) != stack.shape:
            raise InputError(
                f"The contours have the shape {tuple(contours.shape)}, the image {stack.shape}.",
                "Both must be of the same stack and size.",
            )
        values = image_values(contours)
        kind = image_kind(contours, values)
        mask = as_contour(contours, kind, values=values)
        if kind == "probability":
            step1 = by_slice(contours, scaled, np.float32)
        else:
            step1 = by_slice(mask, lambda plane: plane, np.float32)
    record = {"settings": {"preprocess": {"size": int(size)}}}
    return Start(mask, step1, stack, cells=CellParams(), record=record)


def start_from_elsewhere(stack: Stack, contours: Any) -> Start:
    """Return what a session of contours or cells of another program begins with.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X).
    contours : array, shape (Z, Y, X)
        A contour mask, a contour probability, or labels. Labels keep their background, wide areas
        of 0, free of cells, and their small cells; a contour two pixels wide is drawn between
        those that touch. Numbers that go through the slices stay: what has one number is one cell.
        May be lazy.

    Raises
    ------
    InputError
        Shapes differ, or the image does not show contours.
    """
    start = start_from_images(stack, contours, 0)
    values = image_values(contours)
    if image_kind(contours, values) != "labels":
        return start
    excluded = by_slice(contours, background, bool)
    labels = contours if goes_through(contours) else None
    return replace(start, excluded=excluded, cells=CellParams(min_size=0), labels=labels)


def goes_through(labels: Any) -> bool:
    """Tell whether labels number cells through the slices, and not each slice on its own.

    They do if most numbers that neighbouring slices share overlap there.

    Parameters
    ----------
    labels : array, shape (Z, Y, X), unsigned int
        May be lazy.
    """
    shared = overlapping = 0
    before: np.ndarray | None = None
    for z in range(labels.shape[0]):
        image = np.asarray(labels[z])
        if before is not None:
            both = np.intersect1d(before, image)
            shared += int(np.count_nonzero(both))
            overlapping += int(np.count_nonzero(np.unique(image[image == before])))
        before = image
    return 2 * overlapping > shared


def start_from_run(folder: Path | str, stack: Stack | None = None) -> Start:
    """Return what a session or project begins with, from the folder of a run.

    Parameters
    ----------
    folder : path
        As `copnet run` writes it.
    stack : Stack, optional
        The image, when it is not where the run's record says.

    Raises
    ------
    InputError
        No run, no image, or one of another size.
    """
    start = from_run_folder(folder)
    if stack is None:
        return start
    if stack.shape != np.shape(start.contour):
        raise InputError(
            f"The image has the shape {stack.shape}, the run {np.shape(start.contour)}.",
            "Give the stack that the run was made from.",
        )
    return replace(start, stack=stack)
