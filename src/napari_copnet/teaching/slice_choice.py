"""Which slices to annotate: every n-th, or those from which networks would learn most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.params import ChooseParams, checked
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.session_view import SessionView
from napari_copnet.training.cases import MARGIN
from napari_copnet.types import is_contour

# Slices are looked at no larger than this: what they look like shows in a small copy.
LOOK_SIDE = 256
# A measure stands out when it exceeds the median by this many robust standard deviations.
STANDS_OUT = 1.5
# The range of probabilities in which the contour network is uncertain.
UNSURE = (0.2, 0.8)
LOOKS = (
    "median",
    "skew",
    "fine texture",
    "middle texture",
    "coarse texture",
    "contour",
    "uncertain contour",
)


@dataclass(frozen=True)
class Proposal:
    """A slice to annotate.

    Attributes
    ----------
    z : int
        The slice.
    reason : str
        Why, for people.
    need : float
        How much it is needed; 0 when slices are taken by step.
    """

    z: int
    reason: str
    need: float = 0.0


def propose(
    session: SessionView,
    params: ChooseParams = ChooseParams(),
    *,
    done: Iterable[int] = (),
    items: Sequence[Any] = (),
    trained_on: np.ndarray | None = None,
) -> Steps[list[Proposal]]:
    """Propose slices, by step or by need as the settings say; see `every_nth` and `by_need`."""
    params = checked(params)
    if params.by == "step":
        yield Progress("choose", 1, 1, "slices")
        return every_nth(session.shape[0], params.every, params.first)
    found = yield from by_need(session, params.count, done=done, items=items, trained_on=trained_on)
    return found


def every_nth(depth: int, every: int = 10, first: int = 0) -> list[Proposal]:
    """Return every n-th slice of a stack.

    Raises
    ------
    InputError
        The first slice lies beyond the stack.
    """
    if first >= depth:
        raise InputError(f"There is no slice {first}.", f"Slices are numbered 0 to {depth - 1}.")
    reason = "every slice" if every == 1 else f"one in {every}"
    return [Proposal(z, reason) for z in range(first, depth, every)]


def by_need(
    session: SessionView,
    count: int,
    *,
    done: Iterable[int] = (),
    items: Sequence[Any] = (),
    trained_on: np.ndarray | None = None,
) -> Steps[list[Proposal]]:
    """Propose the slices from which networks would learn most.

    A slice is needed the more, the longer closing took in it, the more open items the review
    queue has in it, the larger the share of pixels of which Step 1 is unsure, and the less it
    looks like slices that are annotated or that the model was trained on. Each measure counts in
    deviations from that of a usual slice. Neighbours look alike, so a slice nearer than
    `cases.MARGIN` to a done or better one is passed over while there are others.

    Parameters
    ----------
    session : SessionView
    count : int
        How many to propose.
    done : iterable of int
        Slices annotated already.
    items : sequence of review.queue.Item
        The review queue, when it was built.
    trained_on : ndarray, shape (N, len(LOOKS)), optional
        Looks of slices that the model has learnt from: see `looks`.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of Proposal
        The most needed first.
    """
    annotated = sorted(set(done))
    depth = session.shape[0]
    found = np.zeros((depth, len(LOOKS)))
    image = session.image
    for z in range(depth):
        found[z] = looks(None if image is None else image[z], session.step1[z])
        yield Progress("choose", z + 1, depth, "slices")
    measures = {
        "passes": _passes(session),
        "items": _open_items(items, depth),
        "unsure": found[:, LOOKS.index("uncertain contour")],
        "unlike": _unlike(found, annotated, trained_on),
    }
    standing = {name: _deviations(values) for name, values in measures.items()}
    need = sum(np.clip(values, 0, 4) for values in standing.values())
    blank = [z for z in range(depth) if _is_blank(session, z)]
    order = [int(z) for z in np.argsort(-need, kind="stable") if z not in annotated]
    order = [z for z in order if z not in blank]
    taken: list[int] = []
    for nearest in (MARGIN, 1):
        for z in order:
            near = min((abs(z - other) for other in (*taken, *annotated)), default=depth)
            if len(taken) < count and near >= nearest:
                taken.append(z)
    unlike = "those annotated" if annotated else "most"
    return [
        Proposal(z, _reason(z, measures, standing, unlike), round(float(need[z]), 3))
        for z in sorted(taken, key=lambda z: -need[z])
    ]


def looks(image: np.ndarray | None, step1: np.ndarray) -> np.ndarray:
    """Return numbers that say what a slice looks like to a network: see `LOOKS`.

    The image is z-scored as for the network, so brightness and contrast do not count: median and
    skewness of its values, and the deviation left in three bands of detail. Of the contour
    probability: the share above ½, and between 0.2 and 0.8.

    Parameters
    ----------
    image : ndarray, shape (Y, X), or None
    step1 : ndarray, shape (Y, X), float

    Returns
    -------
    ndarray, shape (len(LOOKS),), float64
    """
    values = np.zeros(len(LOOKS))
    probability = np.asarray(step1, np.float32)
    values[5] = float(is_contour(probability).mean())
    values[6] = float(((probability > UNSURE[0]) & (probability < UNSURE[1])).mean())
    if image is None:
        return values
    step = max(1, max(image.shape) // LOOK_SIDE)
    small = np.asarray(image, np.float32)
    if step > 1:
        rows, columns = (size // step * step for size in small.shape)
        small = small[:rows, :columns].reshape(rows // step, step, -1, step).mean(axis=(1, 3))
    spread = float(small.std())
    if spread < 1e-8:
        return values
    small = (small - small.mean()) / spread
    values[0] = float(np.median(small))
    values[1] = float(np.mean(small**3))
    smooth = [small, *(ndimage.gaussian_filter(small, sigma) for sigma in (1.0, 2.0, 4.0))]
    for band in range(3):
        values[2 + band] = float((smooth[band] - smooth[band + 1]).std())
    return values


def looks_of(session: SessionView, slices: Iterable[int]) -> np.ndarray:
    """Return the looks of some slices of a session, shape (N, len(LOOKS))."""
    image = session.image
    rows = [looks(None if image is None else image[z], session.step1[z]) for z in slices]
    return np.array(rows, float).reshape(-1, len(LOOKS))


def _passes(session: SessionView) -> np.ndarray:
    """Return how many passes closing took in each slice; zeros where it is not known."""
    depth = session.shape[0]
    known = session.facts.runs[-1].get("iterations_by_slice", [])
    passes = np.array(known, float) if len(known) == depth else np.zeros(depth)
    if session.converged is not None:
        # A slice that never settled is worse than any that did.
        passes[~np.asarray(session.converged, bool)] += 1 + passes.max(initial=0.0)
    return passes


def _open_items(items: Sequence[Any], depth: int) -> np.ndarray:
    open_items = [item.z for item in items if not item.verdict]
    return np.bincount(np.array(open_items, int), minlength=depth).astype(float)[:depth]


def _unlike(
    found: np.ndarray, annotated: Sequence[int], trained_on: np.ndarray | None
) -> np.ndarray:
    """Return how far each slice lies from the nearest known one, in deviations of the stack.

    Known are annotated slices and those trained on; without any, the middle of the stack.
    """
    known = found[list(annotated)]
    if trained_on is not None and len(trained_on):
        known = np.concatenate([known, np.asarray(trained_on, float)])
    if not len(known):
        known = np.median(found, axis=0, keepdims=True)
    scale = found.std(axis=0)
    scale[scale < 1e-9] = np.inf
    apart = (found[:, None] - known[None]) / scale
    return np.sqrt((apart**2).mean(axis=2)).min(axis=1)


def _deviations(values: np.ndarray) -> np.ndarray:
    """Return how far values lie above the median, in usual deviations from it."""
    middle = float(np.median(values))
    usual = 1.4826 * float(np.median(np.abs(values - middle)))
    # Most values are the same: then any larger one stands out by its share of the spread.
    usual = usual or float(values.std())
    return (values - middle) / usual if usual > 1e-12 else np.zeros(len(values))


def _reason(
    z: int, measures: dict[str, np.ndarray], standing: dict[str, np.ndarray], unlike: str
) -> str:
    usual = {name: float(np.median(values)) for name, values in measures.items()}
    texts = {
        "passes": f"closing took {measures['passes'][z]:.0f} passes (median {usual['passes']:.0f})",
        "items": f"{measures['items'][z]:.0f} open items (median {usual['items']:.0f})",
        "unsure": f"{measures['unsure'][z]:.1%} of it uncertain (median {usual['unsure']:.1%})",
        "unlike": f"looks unlike {unlike}",
    }
    order = sorted(standing, key=lambda name: -standing[name][z])
    parts = [texts[name] for name in order if standing[name][z] > STANDS_OUT]
    return "; ".join(parts) if parts else f"the most useful of the rest: {texts[order[0]]}"


def _is_blank(session: SessionView, z: int) -> bool:
    unseen = session.unseen(z)
    return unseen is not None and bool(unseen.all())
