"""What carrying computes of each slice of an image, once, and how its slices follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from napari_copnet.teaching.carrying import filters, likely, motion
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.carrying.likely import ContourOdds


class Look:
    """What is computed of each slice of an image once, whoever asks for it.

    Parameters
    ----------
    image : callable
        Returns a slice, shape (Y, X).
    contours : callable, optional
        Returns the probability of contour in a slice, by a contour model, shape (Y, X), 0 to 1.
    """

    def __init__(
        self,
        image: Callable[[int], np.ndarray],
        contours: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        self._image, self._contours = image, contours
        self._features: dict[int, np.ndarray] = {}
        self._seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._odds: ContourOdds | None = None

    def learn(self, given: Mapping[int, GivenSlice], *slices: int) -> None:
        """Learn what contours look like from some given slices."""
        self._seen.clear()
        self._odds = ContourOdds([(self._filtered(z), given[z].labels) for z in slices])
        self._features = {z: self._features[z] for z in slices}

    def odds(self, z: int) -> np.ndarray:
        """Return the log odds of contour in a slice, shape (Y, X), float32."""
        return self._slice(z)[0]

    def likeness(self, z: int) -> np.ndarray:
        """Return `filters.likeness` of a slice."""
        return self._slice(z)[1]

    def forget(self, z: int) -> None:
        """Let go what was computed of a slice."""
        self._seen.pop(z, None)

    def _filtered(self, z: int) -> np.ndarray:
        if z not in self._features:
            contours = None if self._contours is None else self._contours(z)
            self._features[z] = likely.features(np.asarray(self._image(z)), contours)
        return self._features[z]

    def _slice(self, z: int) -> tuple[np.ndarray, np.ndarray]:
        assert self._odds is not None
        if z not in self._seen:
            kept = z in self._features
            odds = self._odds.of(self._filtered(z))
            if not kept:
                # they are large: only those of given slices may be wanted again
                del self._features[z]
            self._seen[z] = odds, filters.likeness(np.asarray(self._image(z)), odds)
        return self._seen[z]


def displacements(look: Look, start: int, way: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield where the pixels of each slice of a way lie in the first, by steps added up.

    Parameters
    ----------
    look : Look
    start : int
        The slice that cells come from.
    way : sequence of int
        Slices, each a neighbour of the one before.

    Yields
    ------
    int, ndarray of shape (2, Y, X)
        A slice, and its displacement as of `motion.displacement`.
    """
    field = None
    before = look.likeness(start)
    for z in way:
        here = look.likeness(z)
        step = motion.displacement(here, before)
        field = step if field is None else motion.composed(field, step)
        yield z, field
        before = here
