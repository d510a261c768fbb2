"""Scores after each closing iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_copnet.errors import InputError
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.scores import Evaluation, evaluate_all
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.lazy_array import LazyArray
from napari_copnet.progress import Steps
from napari_copnet.steps.iteration_history import changed_share, contour_after


@dataclass(frozen=True)
class OverIterations:
    """Scores by iteration, that of Step 1 first.

    Attributes
    ----------
    scores : tuple of Evaluation
        After 0, 1, 2 ... iterations.
    changed : tuple of float
        Share of pixels whose rounded value changed in iteration 1, 2 ...
    """

    scores: tuple[Evaluation, ...]
    changed: tuple[float, ...]

    def means(self, name: str) -> list[float]:
        """Return the mean over slices of a score, by iteration."""
        return [one.mean(name) for one in self.scores]

    def as_dict(self) -> dict[str, Any]:
        """Return the mean of each score by iteration, and ``changed``."""
        return {**{name: self.means(name) for name in SCORES}, "changed": list(self.changed)}


def score_iterations(
    iterations: Any,
    true: TrueStack,
    numbers: Sequence[int] | None = None,
    unite: bool = True,
) -> Steps[OverIterations]:
    """Score the closed contour after each iteration.

    Parameters
    ----------
    iterations : array, shape (I + 1, Z, Y, X), float
        Contour probability by iteration, Step 1 first, as a run keeps it. May be lazy.
    true : TrueStack
    numbers : sequence of int, optional
        What the slices are called.
    unite : bool
        Whether the contour of Step 1 belongs to each closed contour.

    Yields
    ------
    Progress
        One for each slice.

    Returns
    -------
    OverIterations

    Raises
    ------
    InputError
        They do not lie on the truth.
    """
    if iterations.ndim != 4 or tuple(iterations.shape[1:]) != true.shape:
        raise InputError(
            f"The iterations have the shape {tuple(iterations.shape)}, but the truth {true.shape}.",
            "Give the iterations of the run on this stack.",
        )
    count = int(iterations.shape[0])

    def after(k: int) -> LazyArray:
        return LazyArray(true.shape, bool, lambda z: contour_after(iterations, k, z, unite))

    masks = {str(k): after(k) for k in range(count)}
    scores = yield from evaluate_all(masks, true, numbers, by_cell=False)
    return OverIterations(
        tuple(scores[str(k)] for k in range(count)),
        tuple(changed_share(iterations, k) for k in range(1, count)),
    )
