"""Run all steps on a slice at several sizes, to find the size that suits the networks.

The size of the slices decides how wide membranes look to a network. Models are trained on one
membrane width; at another they miss membranes, or mistake structures inside cells for membranes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.evaluation.figures import closed_over, grey, overlay, panels
from napari_copnet.io.check import check_pixels
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage
from napari_copnet.params import DeviceParams, Settings
from napari_copnet.pipeline import run
from napari_copnet.progress import Progress, Steps
from napari_copnet.restored import Restored, restore
from napari_copnet.steps.given_contours import given_probability
from napari_copnet.types import Stack, is_contour

SMALLEST = 64


@dataclass(frozen=True)
class SizeTried:
    """The result for a slice at one size.

    Attributes
    ----------
    size : int
        Longer in-plane side that the networks saw, px.
    cells : int
        Cells of the slice.
    diameter : float
        Median diameter of a circle as large as a cell, px of the original slice; 0 without cells.
    restored : Restored
        Results in the frame of the stack; one slice.
    """

    size: int
    cells: int
    diameter: float
    restored: Restored


def try_sizes(
    stack: Stack,
    z: int,
    sizes: Sequence[int],
    settings: Settings = Settings(),
    load: Callable[[ModelPackage, DeviceParams], Network] = Network.load,
    repair: bool = False,
    contours: Stack | None = None,
) -> Steps[list[SizeTried]]:
    """Take one slice of a stack through all steps at each of several sizes.

    Parameters
    ----------
    stack : Stack
    z : int
        The slice.
    sizes : sequence of int
        Longer in-plane sides, px.
    settings : Settings
        All but the size.
    load, repair, contours
        As for `pipeline.run`.

    Yields
    ------
    Progress

    Returns
    -------
    list of SizeTried
        One for each size, in their order.

    Raises
    ------
    InputError
        There is no such slice, a size is too small, or contours are no probability of the stack.
    """
    depth = stack.shape[0]
    if not 0 <= z < depth:
        raise InputError(
            f"There is no slice {z}: the stack has slices 0 to {depth - 1}.",
            "Choose one of these with --slice.",
        )
    if not sizes or min(sizes) < SMALLEST:
        raise InputError(
            f"A size of {min(sizes, default=0)} px is too small.",
            f"Give sizes of {SMALLEST} px or more, such as 256,384,512.",
        )
    one = replace(stack, data=np.asarray(stack.data[z : z + 1]), source=None)
    given = None
    if contours is not None:
        # What its values mean, the whole of it decides.
        probability = given_probability(check_pixels(contours, repair), stack)
        given = replace(contours, data=np.asarray(probability[z])[None], source=None)
    found = []
    for number, size in enumerate(sizes, start=1):
        params = replace(settings.preprocess, size=size, membrane_width=None)
        chosen = replace(settings, preprocess=params)
        result = yield from run(one, chosen, contours=given, load=load, repair=repair)
        restored = yield from restore(result)
        areas = np.bincount(restored.cells[0].ravel())[1:]
        areas = areas[areas > 0]
        diameter = float(np.median(2 * np.sqrt(areas / np.pi))) if areas.size else 0.0
        found.append(SizeTried(size, int(areas.size), diameter, restored))
        yield Progress("sizes", number, len(sizes), "sizes")
    return found


def picture(image: np.ndarray, tried: Sequence[SizeTried]) -> bytes:
    """Return the slice (Y, X), and at each size its closed contours and its cells, as a PNG.

    Contours of Step 1 are white, what closing added is green.
    """
    pictures = {"the slice": np.concatenate([grey(image)] * 2)}
    for one in tried:
        results = one.restored
        contours = closed_over(image, is_contour(results.contours[0]), results.closed[0])
        title = f"{one.size} px: {one.cells} cells"
        pictures[title] = np.concatenate([contours, overlay(image, results.cells[0])])
    return panels(pictures)
