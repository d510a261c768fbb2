"""Closing what the network leaves open: gaps that shapes and the slices around give away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_copnet.boundaries.gap_classifier import likely_walls
from napari_copnet.boundaries.gaps import SlicePlane
from napari_copnet.params import CellParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.steps.cells import label_slice


def planes_of(
    contour: np.ndarray,
    step1: np.ndarray,
    probability: np.ndarray,
    cells: Sequence[np.ndarray] | None = None,
) -> list[SlicePlane]:
    """Return what is known of each slice of a stack.

    Parameters
    ----------
    contour : ndarray, shape (Z, Y, X), bool
        Closed contour.
    step1, probability : ndarray, shape (Z, Y, X), float
        Contour probability of Step 1, and after closing.
    cells : sequence of ndarray, shape (Y, X), optional
        Cells of each slice, where they are known.
    """
    if cells is None:
        cells = [label_slice(plane, CellParams()) for plane in contour]
    depth = len(cells)
    return [
        SlicePlane(
            contour[z],
            cells[z],
            step1[z],
            np.maximum(step1[z], probability[z]),
            [cells[at] for at in (z - 1, z + 1) if 0 <= at < depth],
        )
        for z in range(depth)
    ]


def close_likely_gaps(
    contour: np.ndarray,
    step1: np.ndarray,
    probability: np.ndarray,
    least_gain: float,
    least_chance: float,
    skip: Sequence[int] = (),
) -> Steps[np.ndarray]:
    """Find the walls that a closed contour lacks in all likelihood.

    Parameters
    ----------
    contour, step1, probability : ndarray, shape (Z, Y, X)
        See `planes_of`.
    least_gain : float
        How many more cells a wall has to leave labelled, as expected.
    least_chance : float
        How likely it has to leave more, 0 to 1.
    skip : sequence of int
        Blank slices: nothing is drawn in them.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    ndarray, shape (Z, Y, X), bool
        The walls, three pixels wide.
    """
    cells = []
    for plane in contour:
        cells.append(label_slice(plane, CellParams()))
        # Nothing of the search is done yet: who cancels need not wait for all slices.
        yield Progress("likely gaps", 0, len(contour), "slices")
    planes = planes_of(contour, step1, probability, cells)
    walls = yield from likely_walls(planes, least_gain, least_chance)
    drawn = np.zeros(contour.shape, bool)
    for z, pixels in enumerate(walls):
        if z not in skip:
            drawn[z].ravel()[pixels] = True
            # A line of single pixels is easily overlooked, and lost where contours are resized.
            drawn[z] = ndimage.binary_dilation(drawn[z])
    return drawn
