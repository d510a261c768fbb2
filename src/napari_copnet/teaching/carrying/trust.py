"""Cells that were moved to a slice: settled there, and how likely each of them is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_copnet.teaching.carrying import filters, motion, regions
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.carrying.look import Look

# How likely a carried cell is right: a logistic regression on what `agreements` returns, fitted by
# `research.fit_carry_trust`.
AGREEMENT, USUAL = np.array((4.89, 9.83, 2.93, -1.51, 1.10)), 19.03
# Larger cells count as no larger, and calmer surroundings as no calmer: none were fitted to, px.
WIDEST, CALMEST = 150.0, 0.002


@dataclass(frozen=True)
class Moved:
    """Cells as they were moved to a slice, and what is needed to judge them.

    Attributes
    ----------
    labels, half : ndarray, shape (Y, X)
        As in `GivenSlice`, in the slice that they came to.
    likeness : ndarray, shape (Y, X), float32
        The values by which that slice was registered, moved like the labels.
    strain : ndarray, shape (Y, X), float32
        How much the displacement differs from pixel to pixel.
    restlessness : float
        How much they moved among each other, px.
    """

    labels: np.ndarray
    half: np.ndarray
    likeness: np.ndarray
    strain: np.ndarray
    restlessness: float


def move(look: Look, start: int, given: GivenSlice, field: np.ndarray) -> Moved:
    """Return the cells of a slice as a displacement of `displacements` moves them."""
    return Moved(
        motion.moved(given.labels, field),
        motion.moved(given.half, field),
        motion.warped(look.likeness(start), field),
        motion.strain(field),
        motion.restlessness(field),
    )


def settle(look: Look, z: int, moved: Moved) -> np.ndarray:
    """Return the cells that were moved to a slice, their borders led by the image there."""
    hold = regions.HOLD / max(moved.restlessness, regions.STILL)
    return regions.settled(look.odds(z), moved.labels, hold)


def agreements(look: Look, z: int, moved: Moved, cells: np.ndarray, count: int) -> np.ndarray:
    """Return what tells right cells from wrong ones, shape (count + 1, 5).

    The overlap of the cell as it was moved with what the image alone makes of it, its overlap with
    the result, how well the two registered slices agree there, the logarithm of how much the
    displacement differs within it from pixel to pixel, and that of its diameter in px: what is a
    pixel off matters less to a large cell.
    """
    odds = look.odds(z)
    alike = filters.agreement(look.likeness(z), moved.likeness)
    sizes = np.bincount(cells.ravel(), minlength=count + 1)
    agree, strain = (
        np.bincount(cells.ravel(), one.ravel(), count + 1) / np.maximum(sizes, 1)
        for one in (alike, moved.strain)
    )
    return np.column_stack(
        [
            regions.overlap(moved.labels, regions.of_image(odds, moved.labels), count),
            regions.overlap(moved.labels, cells, count),
            agree,
            np.log(np.maximum(strain, CALMEST)),
            np.log(np.sqrt(sizes).clip(1, WIDEST)),
        ]
    )


def likely_right(values: np.ndarray) -> np.ndarray:
    """Return the probability that cells are right, shape (N,), from what `agreements` returns."""
    return 1 / (1 + np.exp(USUAL - values @ AGREEMENT))
