"""What the closing iterations did: pixels added and removed, and when each was closed."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.progress import Progress, Steps
from napari_copnet.types import is_contour

ADDED, REMOVED = 1, 2


def contour_after(iterations: Any, number: int, z: int, unite: bool = True) -> np.ndarray:
    """Return the closed contour of a slice after an iteration.

    Parameters
    ----------
    iterations : array, shape (I, Z, Y, X), float
        Contour probability by iteration, Step 1 first. May be lazy.
    number, z : int
        Iteration, 0 for Step 1, and slice.
    unite : bool
        Whether the contour of Step 1 belongs to it, as in `params.ClosingParams`.

    Returns
    -------
    ndarray, shape (Y, X), bool
        round(uᵏ), united with round(u⁰) when asked.
    """
    contour = is_contour(iterations[number, z])
    if unite and number:
        contour = contour | is_contour(iterations[0, z])
    return contour


def difference(iterations: Any, first: int, second: int, unite: bool = True) -> Steps[np.ndarray]:
    """Mark the contour added and removed from one iteration to another.

    Parameters
    ----------
    iterations : array, shape (I, Z, Y, X), float
        Contour probability by iteration, Step 1 first. May be lazy.
    first, second : int
        The iterations to compare; `second` may be the earlier one.
    unite : bool
        See `contour_after`.

    Yields
    ------
    Progress
        One for each slice.

    Returns
    -------
    ndarray, shape (Z, Y, X), uint8
        `ADDED` where only `second` has contour, `REMOVED` where only `first` has, else 0.

    Raises
    ------
    InputError
        There is no such iteration, or the array has no iterations.
    """
    shape = _checked(iterations)
    for number in (first, second):
        if not 0 <= number < shape[0]:
            raise InputError(
                f"There is no iteration {number}.", f"Choose one from 0 to {shape[0] - 1}."
            )
    marks = np.zeros(shape[1:], np.uint8)
    for z in range(shape[1]):
        before = contour_after(iterations, first, z, unite)
        after = contour_after(iterations, second, z, unite)
        marks[z][after & ~before] = ADDED
        marks[z][before & ~after] = REMOVED
        yield Progress("difference", z + 1, shape[1], "slices")
    return marks


def births(iterations: Any, unite: bool = True) -> Steps[np.ndarray]:
    """Find the iteration that closed each pixel of the final contour.

    Parameters
    ----------
    iterations : array, shape (I, Z, Y, X), float
        Contour probability by iteration, Step 1 first. May be lazy.
    unite : bool
        See `contour_after`.

    Yields
    ------
    Progress
        One for each slice.

    Returns
    -------
    ndarray, shape (Z, Y, X), uint16
        0 off the final contour; k + 1 where a pixel has been contour from iteration k on without
        a break: 1 means since Step 1. A pixel that came, went and came back counts from its
        return.

    Raises
    ------
    InputError
        The array has no iterations.
    """
    shape = _checked(iterations)
    born = np.zeros(shape[1:], np.uint16)
    for z in range(shape[1]):
        born[z] = births_in(iterations, z, (slice(None), slice(None)), unite)
        yield Progress("births", z + 1, shape[1], "slices")
    return born


def births_in(iterations: Any, z: int, box: tuple[slice, slice], unite: bool = True) -> np.ndarray:
    """Find the iteration that closed each pixel of a part of a slice; values as of `births`.

    Parameters
    ----------
    iterations : array, shape (I, Z, Y, X), float
        Contour probability by iteration, Step 1 first. May be lazy.
    z : int
    box : tuple of slice
        The part of the slice.
    unite : bool
        See `contour_after`.

    Returns
    -------
    ndarray, of the shape of the box, uint16
    """
    first = is_contour(iterations[0, z][box])
    born = first.astype(np.uint16)
    for number in range(1, iterations.shape[0]):
        contour = is_contour(iterations[number, z][box])
        if unite:
            contour |= first
        born[~contour] = 0
        born[contour & (born == 0)] = number + 1
    return born


def changed_share(iterations: Any, number: int) -> float:
    """Return the share of pixels that crossed the contour threshold in an iteration, 0 to 1.

    Parameters
    ----------
    iterations : array, shape (I, Z, Y, X), float
        Contour probability by iteration, Step 1 first. May be lazy.
    number : int
        From 1.
    """
    depth, height, width = iterations.shape[1:]
    changed = 0
    for z in range(depth):
        before = is_contour(iterations[number - 1, z])
        changed += int(np.count_nonzero(before != is_contour(iterations[number, z])))
    return changed / (depth * height * width)


def _checked(iterations: Any) -> tuple[int, int, int, int]:
    shape = tuple(int(n) for n in iterations.shape)
    if len(shape) != 4 or 0 in shape:
        raise InputError(
            f"An array of shape {shape} does not hold iterations.",
            "Choose a layer with the axes (iteration, Z, Y, X).",
        )
    return shape
