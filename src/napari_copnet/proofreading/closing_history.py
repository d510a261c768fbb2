"""The history of closing: for each slice, and for a wall or a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_copnet.evaluation.metrics import Partition
from napari_copnet.evaluation.scores import FATES
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.params import ClosingParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import CONTOUR, Edit, Patch
from napari_copnet.proofreading.packing import from_bytes
from napari_copnet.proofreading.planes import Planes
from napari_copnet.proofreading.session_view import SessionView
from napari_copnet.steps.iteration_history import births_in
from napari_copnet.types import is_contour

SETTLED, OSCILLATES, UNSETTLED = "converged", "oscillates", "not converged"
# A slice oscillates when more than this share of what the last iteration changed had been changed
# by the one before: there it is back where it was.
_BACK = 0.5
# Most probabilities listed in a sentence.
_TOLD = 7
# So many points of the scores by edit are enough for a plot.
_POINTS = 400


@dataclass(frozen=True)
class SliceClosing:
    """How closing went in one slice.

    Attributes
    ----------
    z : int
    changed : tuple of float
        Share of the pixels that each iteration changed, 0 to 1; the first is iteration 1.
    state : str
        `SETTLED`, `OSCILLATES` or `UNSETTLED`.
    """

    z: int
    changed: tuple[float, ...]
    state: str


def closing_by_slice(session: SessionView) -> Steps[list[SliceClosing]]:
    """Return how closing went in each slice of a session whose run kept its iterations.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of SliceClosing
        Empty when iterations were not kept.
    """
    iterations, converged = session.iterations, session.converged
    found: list[SliceClosing] = []
    if iterations is None:
        return found
    depth = session.shape[0]
    for z in range(depth):
        planes = [is_contour(iterations[k, z]) for k in range(len(iterations))]
        settled = bool(converged[z]) if converged is not None else None
        found.append(_course(z, planes, settled))
        yield Progress("course", z + 1, depth, "slices")
    return found


def _course(z: int, planes: Sequence[np.ndarray], settled: bool | None) -> SliceClosing:
    flips = [after != before for before, after in pairwise(planes)]
    changed = tuple(float(np.mean(flip)) for flip in flips)
    if settled is None:
        settled = not changed or changed[-1] <= ClosingParams().tolerance
    state = SETTLED if settled else UNSETTLED
    if not settled and len(flips) > 1 and flips[-1].any():
        back = np.count_nonzero(flips[-1] & flips[-2]) / np.count_nonzero(flips[-1])
        state = OSCILLATES if back > _BACK else UNSETTLED
    return SliceClosing(z, changed, state)


@dataclass(frozen=True)
class Birth:
    """When a wall was closed.

    Attributes
    ----------
    iteration : int or None
        The iteration after which all of it was contour, 0 for Step 1; None when the run left it
        open.
    probability : tuple of float
        Mean contour probability along it after each iteration, Step 1 first.
    """

    iteration: int | None
    probability: tuple[float, ...]

    @property
    def text(self) -> str:
        """One sentence for people."""
        parts = [f"{value:.2f}" for value in self.probability]
        if len(parts) > _TOLD:
            parts[_TOLD - 1 : -1] = ["…"]
        values = " → ".join(parts)
        if self.iteration is None:
            return f"No iteration closed it; contour probability by iteration {values}."
        what = (
            "Contour since Step 1"
            if not self.iteration
            else f"Closed in iteration {self.iteration}"
        )
        return f"{what}; contour probability by iteration {values}."


def birth_of(session: SessionView, patch: Patch) -> Birth | None:
    """Return when the pixels of a patch were closed; None where iterations were not kept."""
    iterations = session.iterations
    if iterations is None or not patch.count:
        return None
    mask = patch.mask
    born = births_in(iterations, patch.z, patch.box, session.unite)[mask]
    values = tuple(
        float(np.asarray(iterations[k, patch.z][patch.box], np.float32)[mask].mean())
        for k in range(len(iterations))
    )
    # A wall of which a few pixels are open is open.
    is_open = np.mean(born == 0) > 0.1
    return Birth(None if is_open else int(born.max()) - 1, values)


def scores_by_edit(
    contour: Planes | np.ndarray, edits: Sequence[bytes], truth: np.ndarray
) -> Steps[None]:
    """Score the contour against a truth as it was before the first edit and after each.

    Parameters
    ----------
    contour : Planes, or ndarray of shape (Z, Y, X), uint8
        As it is after all edits, such as ``session.contour.still()``; it stays as it is.
    edits : sequence of bytes
        From `EditHistory.packed` of the same moment.
    truth : ndarray, shape (Z, Y, X)
        True cells, or a mask of true contours.

    Yields
    ------
    Progress
        In slices and edits; `partial` is (edits made, scores by name: means over slices with
        cells, 0 to 1).
    """
    # What a truth holds is told from all of it: a slice with a single cell looks like a mask.
    true = TrueStack(truth)
    contour = contour.still() if isinstance(contour, Planes) else Planes.of(contour)
    # A flip is its own inverse.
    for packed in reversed(edits):
        _flip(contour, from_bytes(packed))
    depth, count = len(contour), len(edits)
    every = max(1, -(-count // _POINTS))
    scores: list[Partition] = []
    for z in range(depth):
        scores.append(true.slice(z).fates(contour[z]))
        yield Progress("score", z + 1, depth + count, "steps")
    yield Progress("score", depth, depth + count, "steps", partial=(0, _means(scores)))
    stale: set[int] = set()
    for position in range(1, count + 1):
        edit = from_bytes(edits[position - 1])
        _flip(contour, edit)
        stale.update(flip.patch.z for flip in edit.flips if flip.plane == CONTOUR)
        if position % every and position < count:
            continue
        for z in stale:
            scores[z] = true.slice(z).fates(contour[z])
        stale.clear()
        partial = (position, _means(scores))
        yield Progress("score", depth + position, depth + count, "steps", partial=partial)


def _flip(contour: Planes, edit: Edit) -> None:
    for flip in edit.flips:
        if flip.plane == CONTOUR:
            contour.change(flip.patch.z)[flip.patch.box] ^= flip.patch.mask.view(np.uint8)


def _means(scores: Sequence[Partition]) -> dict[str, float]:
    counted = [score for score in scores if score.ids.size]
    return {
        name: float(np.mean([score.share(fate) for score in counted])) if counted else 0.0
        for fate, name in FATES.items()
    }
