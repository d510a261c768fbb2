"""The two sides of a wall: their shapes, and their cells in neighbouring slices.

What neighbouring slices show comes from tables that count the pixels which parts of a slice share
with the cells there: of parts put together the rows are added, and no pixel is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_copnet.boundaries.shapes import Shape, shapes

# Within this distance of contour, px, the probability belongs to its rim, not to the ground.
_RIM = 3.0
# A neighbouring cell speaks for a side when it covers this share of it.
_COVER = 0.5


@dataclass(frozen=True)
class Side:
    """Some parts of a slice taken together.

    Attributes
    ----------
    shape : Shape
    rows : tuple of ndarray
        For each slice around, the pixels shared with each of its cells; the first are with none.
    odds : float
        Sum over its pixels of the log odds that the image shows a membrane.
    basin : float
        The lowest contour probability in the side.
    ground, open : float
        Sum of the contour probability over the pixels away from contour, and their number.
    """

    shape: Shape
    rows: tuple[np.ndarray, ...]
    odds: float = 0.0
    basin: float = 0.0
    ground: float = 0.0
    open: float = 0.0

    @property
    def area(self) -> int:
        """Pixels."""
        return self.shape.area

    def __add__(self, other: Side) -> Side:
        return Side(
            self.shape + other.shape,
            tuple(one + two for one, two in zip(self.rows, other.rows, strict=True)),
            self.odds + other.odds,
            min(self.basin, other.basin),
            self.ground + other.ground,
            self.open + other.open,
        )


class Around:
    """Counts the parts of a slice against the cells of the slices around.

    Parameters
    ----------
    parts : ndarray, shape (Y, X), int
        Numbers of the parts; 0 is none.
    around : sequence of ndarray
        Cells of the slices before and after, each of shape (Y, X), unsigned int.
    distance : ndarray, shape (Y, X), float
        Distance of each pixel to the contour, px.
    membrane : ndarray, shape (Y, X), float, optional
        Log odds that the image shows a membrane.
    probability : ndarray, shape (Y, X), float, optional
        Contour probability.
    """

    def __init__(
        self,
        parts: np.ndarray,
        around: Sequence[np.ndarray],
        distance: np.ndarray,
        membrane: np.ndarray | None = None,
        probability: np.ndarray | None = None,
    ) -> None:
        self._shapes = shapes(parts, distance)
        self._odds = np.zeros(len(self._shapes))
        if membrane is not None:
            self._odds += np.bincount(parts.ravel(), membrane.ravel(), len(self._shapes))
        self._basin, self._ground, self._open = (np.zeros(len(self._shapes)) for _ in range(3))
        if probability is not None:
            away, flat = (distance > _RIM).ravel(), parts.ravel()
            self._basin[:] = 1.0
            np.minimum.at(self._basin, flat, probability.ravel())
            self._open += np.bincount(flat[away], minlength=len(self._shapes))
            self._ground += np.bincount(flat[away], probability.ravel()[away], len(self._shapes))
        self._tables, self._sizes = [], []
        for cells in around:
            numbers = compact(cells)
            sizes = np.bincount(numbers.ravel())
            self._tables.append(shared(parts, numbers, len(self._shapes), len(sizes)))
            self._sizes.append(sizes)

    def side(self, part: int) -> Side:
        """Return a part as a side."""
        shape = self._shapes[part]
        if shape is None:
            raise KeyError(f"There is no part {part}.")
        rows = tuple(table[part] for table in self._tables)
        values = (self._odds, self._basin, self._ground, self._open)
        return Side(shape, rows, *(float(value[part]) for value in values))

    def evidence(self, first: Side, second: Side) -> tuple[float, float, float, float]:
        """Return how well cells of neighbouring slices fit two sides, averaged over the slices.

        Returns
        -------
        witness : float
            1 where all of them part the two sides, -1 where all show one cell, 0 where they do
            not know.
        small, large, both : float
            Intersection over union of the smaller side, the larger, and the two together with the
            cell that fits each best.
        """
        if not self._sizes:
            return 0.0, 0.0, 0.0, 0.0
        if second.area < first.area:
            first, second = second, first
        found = []
        for sizes, one, two in zip(self._sizes, first.rows, second.rows, strict=True):
            over = _over(one, first.area), _over(two, second.area)
            says = (1.0 if over[0] != over[1] else -1.0) if all(over) else 0.0
            fits = [
                _fit(row, area, sizes)
                for row, area in (
                    (one, first.area),
                    (two, second.area),
                    (one + two, first.area + second.area),
                )
            ]
            found.append((says, *fits))
        says, small, large, both = np.mean(found, axis=0).tolist()
        return says, small, large, both


def shared(first: np.ndarray, second: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Count the pixels that each number of one image shares with each of another, as a table."""
    pairs = first.ravel().astype(np.int64) * columns + second.ravel()
    return np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)


def compact(labels: np.ndarray) -> np.ndarray:
    """Return labels numbered anew without gaps, in their order; 0 stays 0."""
    there = np.bincount(labels.ravel()) > 0
    there[0] = False
    return (np.cumsum(there) * there)[labels]


def _over(row: np.ndarray, area: int) -> int:
    """Return the cell that covers most of a side, 0 where none covers it."""
    if row.size < 2:
        return 0
    best = int(row[1:].argmax()) + 1
    return best if row[best] >= _COVER * area else 0


def _fit(row: np.ndarray, area: int, sizes: np.ndarray) -> float:
    if row.size < 2:
        return 0.0
    return float((row[1:] / (area + sizes[1:] - row[1:])).max())
