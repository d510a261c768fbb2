"""What a project begins with besides a run: an image, and contours from elsewhere or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour
from napari_copnet.io.contour_kinds import image_kind, scaled
from napari_copnet.params import CellParams
from napari_copnet.proofreading.session_start import Start, from_run_folder
from napari_copnet.types import Stack


def start_from_images(stack: Stack, contours: np.ndarray | None = None, size: int = 512) -> Start:
    """Return what a project of an image begins with when no run was made of it.

    Parameters
    ----------
    stack : Stack
        Shape (Z, Y, X).
    contours : ndarray, shape (Z, Y, X), optional
        Contours drawn so far, as probability, mask or label image; none when not given.
    size : int
        Longer in-plane side at which networks shall see the slices; 0 keeps it.

    Raises
    ------
    InputError
        Shapes differ, or the contours are none.
    """
    if contours is None:
        mask = np.zeros(stack.shape, np.uint8)
        step1 = np.zeros(stack.shape, np.float32)
    else:
        contours = np.asarray(contours)
        if contours.shape != stack.shape:
            raise InputError(
                f"The contours have the shape {contours.shape}, the image {stack.shape}.",
                "Both must be of the same stack and size.",
            )
        mask = as_contour(contours)
        soft = image_kind(contours) == "probability"
        step1 = scaled(contours) if soft else mask.astype(np.float32)
    record = {"settings": {"preprocess": {"size": int(size)}}}
    return Start(mask, step1, stack, cells=CellParams(), record=record)


def start_from_run(folder: Path | str, stack: Stack | None = None) -> Start:
    """Return what a project of a run begins with.

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
