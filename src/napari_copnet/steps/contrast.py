"""Find out whether membranes are light, by the contour network, which expects dark ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_copnet.params import CellParams, ContourParams
from napari_copnet.progress import Progress, Steps, mapped
from napari_copnet.steps.cells import label_slice
from napari_copnet.steps.slice_views import inverted
from napari_copnet.types import is_contour

# Slices are tried in this order, as shares of the stack.
TRIED = (0.5, 0.2, 0.8)
# Pixels above the first probability may be contour; those above the second surely are.
MAYBE, SURELY = 0.1, 0.9
# Inverted slices must be more certain by this factor. On seven kinds of images, the right contrast
# was 1.07 to 2.9 times as certain as the wrong one.
CLEARLY = 1.15
# Cells of plausible size: at least this many pixels, and at most this share of a slice.
SMALLEST, LARGEST = 200, 0.1


@dataclass(frozen=True)
class MapFacts:
    """How good the contour map of a slice looks, without ground truth.

    Attributes
    ----------
    certainty : float
        Share of certain contour pixels among those that may be contour.
    covered : float
        Share of the slice that is covered by cells of plausible size.
    """

    certainty: float
    covered: float


def light_membranes(
    data: np.ndarray,
    network: Any,
    params: ContourParams = ContourParams(),
    *,
    blank: tuple[int, ...] = (),
    padding: np.ndarray | None = None,
    normalised: bool = True,
) -> Steps[bool]:
    """Decide whether a stack should be inverted: the contour network is then clearly more certain.

    Up to three slices are predicted both unchanged and inverted. In each pair, the inverted map
    must have a larger share of certain contour pixels, and cells must cover at least as much of
    the slice; over all pairs, certainty must rise by a factor of 1.15 (geometric mean). The first
    slice that fails ends the test, so a stack of normal contrast costs two predictions.

    Parameters
    ----------
    data : ndarray, shape (Z, Y, X), float32
        Preprocessed slices.
    network : networks.nnunet.Network
    params : ContourParams
    blank : tuple of int
        Slices that are not tried.
    padding : ndarray, shape (Z, Y, X), bool, optional
        Pixels to leave out.
    normalised : bool
        Whether slices are z-scored.

    Yields
    ------
    Progress

    Returns
    -------
    bool
    """
    slices = _slices(len(data), blank)
    logs: list[float] = []
    settings = {"mirror": params.mirror, "overlap": params.overlap, "batch": params.batch}
    for number, z in enumerate(slices):
        maps = []
        for image in (data[z], inverted(data[z], normalised)):
            # For a 3D network a volume of one channel and one slice, else an image of one channel.
            work = network.predict(image[None, None], **settings)
            try:
                maps.append((yield from _quiet(work))[0])
            finally:
                work.close()
        valid = np.ones(data[z].shape, bool) if padding is None else ~padding[z]
        plain, turned = (map_facts(one, valid) for one in maps)
        yield Progress("contrast", number + 1, len(slices), "slices")
        if turned.certainty <= plain.certainty or turned.covered < plain.covered:
            return False
        logs.append(np.log(turned.certainty / max(plain.certainty, 1e-3)))
    return bool(logs) and float(np.mean(logs)) >= np.log(CLEARLY)


def map_facts(probability: np.ndarray, valid: np.ndarray) -> MapFacts:
    """Return how good a contour map looks.

    Parameters
    ----------
    probability : ndarray, shape (Y, X), float
    valid : ndarray, shape (Y, X), bool
        Pixels that count.
    """
    seen = probability[valid]
    maybe = np.count_nonzero(seen > MAYBE)
    cells = label_slice(is_contour(probability).astype(np.uint8), CellParams(), excluded=~valid)
    areas = np.bincount(cells.ravel())[1:]
    sane = areas[(areas >= SMALLEST) & (areas <= LARGEST * seen.size)]
    return MapFacts(
        certainty=np.count_nonzero(seen > SURELY) / maybe if maybe else 0.0,
        covered=float(sane.sum()) / seen.size if seen.size else 0.0,
    )


def _slices(depth: int, blank: tuple[int, ...]) -> list[int]:
    there = [z for z in range(depth) if z not in blank]
    return list(dict.fromkeys(there[int(share * len(there))] for share in TRIED if there))


def _quiet(work: Steps[np.ndarray]) -> Steps[np.ndarray]:
    """Run a prediction to its end, passing on only its notes."""
    return mapped(work, lambda told: Progress("contrast", 0, 1, "slices", note=told.note))
