"""The review queue: every suspect of a session as an item with a score, the likeliest errors first.

An item asks about a wall. Accepting a closure, or a wall that is there, keeps it; rejecting erases
it. Accepting a gap draws the wall; rejecting leaves the cell whole. What was decided is kept as a
verdict with its pixels: items found anew at the same place, also after the networks ran again,
take it on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_copnet.errors import CopnetError
from napari_copnet.progress import Progress, Steps
from napari_copnet.review.edits import (
    ACCEPTED,
    CONTOUR,
    REJECTED,
    Change,
    Edit,
    Flip,
    Judge,
    Patch,
    Verdict,
)
from napari_copnet.review.gaps import (
    CLOSURE,
    GAP,
    SPLIT,
    UNSETTLED,
    Suspect,
    closures,
    gaps,
    one_slice_splits,
)
from napari_copnet.review.view import SessionView

# How likely a suspect is an error: a logistic model of (1, logarithm of the contour probability
# along the wall, witness of the slices around, logarithm of the wall's length over the smaller
# side's diameter, echo of the slices around).
# Fitted to the suspects of slices 60-69 of fib25 and of 16 slices of made tissue (seed 5), whose
# truth is known, with the default models; rounded.
WEIGHTS = {
    CLOSURE: (1.2, -0.4, 0.0, 1.2, -1.5),
    GAP: (-0.5, 0.5, 0.8, -0.2, 0.8),
    SPLIT: (-0.3, -1.6, 0.0, 0.1, -1.4),
}
# A slice that did not converge is looked at when the plainer suspects are done.
_UNSETTLED = 0.05
# Two items are at one place when so much of the smaller one lies on the other.
SAME_PLACE = 0.5


@dataclass(frozen=True)
class Item:
    """One question to the proofreader.

    Attributes
    ----------
    key : str
        Kind, slice and middle of the item: it names it within the session.
    kind : str
        ``"closure"``, ``"gap"``, ``"split"`` or ``"unsettled"``.
    patch : Patch
        The wall in question; empty for a slice that did not converge.
    score : float
        0 to 1: how likely an error is, times the share of the pixels that hang on it beside a
        usual cell.
    likely : float
        0 to 1: how likely an error is.
    hanging : int
        Cell pixels that hang on it.
    verdict : str
        What was decided; empty when nothing was.
    """

    key: str
    kind: str
    patch: Patch
    score: float
    likely: float
    hanging: int
    verdict: str = ""

    @property
    def z(self) -> int:
        """The slice."""
        return self.patch.z

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of its box (y, x), where the camera flies to."""
        return (
            self.patch.top + (self.patch.height - 1) / 2,
            self.patch.left + (self.patch.width - 1) / 2,
        )

    @property
    def text(self) -> str:
        """What is asked, for people."""
        what = {
            CLOSURE: "The network closed this gap. Is it a contour?",
            GAP: "A gap may be open here. Is it a contour?",
            SPLIT: "This wall is in one slice only. Is it a contour?",
            UNSETTLED: "Closing did not converge in this slice. Is it right?",
        }[self.kind]
        return f"{what} Slice {self.z}, {self.hanging} px of cell."


def build_queue(session: SessionView, slices: Iterable[int] | None = None) -> Steps[list[Item]]:
    """Find the items of a session.

    Parameters
    ----------
    session : SessionView
    slices : iterable of int, optional
        Only these; after an edit those it touched are enough.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    list of Item
        The highest score first; decided ones with their verdict.
    """
    wanted = list(range(session.shape[0]) if slices is None else slices)
    verdicts = list(session.verdicts.values())
    usual = _usual_cell(session)
    items: list[Item] = []
    for done, z in enumerate(wanted, start=1):
        found = [_item(z, suspect, usual) for suspect in _suspects(session, z)]
        unsettled = session.converged is not None and not session.converged[z]
        if unsettled:
            everything = int(np.count_nonzero(session.names(z)))
            nothing = Patch(z, 0, 0, 0, 0, b"")
            key, likely = f"{UNSETTLED} {z}", _UNSETTLED
            found.append(Item(key, UNSETTLED, nothing, likely, likely, everything))
        items += _judged(_without_doubles(found), [v for v in verdicts if v.patch.z == z])
        yield Progress("queue", done, len(wanted), "slices")
    return sorted(items, key=lambda item: (-item.score, item.key))


def item_at(items: Iterable[Item], z: int, y: int, x: int) -> Item | None:
    """Return the item of the highest score whose box holds a pixel, or None."""
    found = [
        item
        for item in items
        if item.z == z
        and item.patch.count
        and item.patch.top <= y < item.patch.top + item.patch.height
        and item.patch.left <= x < item.patch.left + item.patch.width
    ]
    return max(found, key=lambda item: item.score, default=None)


def accept(session: SessionView, item: Item) -> Edit:
    """Return the edit that says yes to an item: its wall is contour, whatever it is now."""
    return _decide(session, item, ACCEPTED)


def reject(session: SessionView, item: Item) -> Edit:
    """Return the edit that says no to an item: its wall is no contour, whatever it is now."""
    return _decide(session, item, REJECTED)


def _decide(session: SessionView, item: Item, verdict: str) -> Edit:
    patch = item.patch
    before = session.verdicts.get(item.key)
    after = Verdict(item.key, item.kind, patch, verdict)
    if before == after:
        raise CopnetError(f"This item is {verdict} already.", "Go on to the next one.")
    changes: list[Change] = []
    contour = session.contour[patch.z][patch.box].view(bool)
    change = patch.mask & (contour != (verdict == ACCEPTED))
    if change.any():
        changes.append(Flip(CONTOUR, Patch.of(patch.z, change, (patch.top, patch.left))))
    changes.append(Judge(before, after))
    return Edit("accept" if verdict == ACCEPTED else "reject", tuple(changes))


def _suspects(session: SessionView, z: int) -> list[Suspect]:
    around = [session.names(at) for at in (z - 1, z + 1) if 0 <= at < session.shape[0]]
    contour, cells = session.contour[z].view(bool), session.names(z)
    step1, best = np.asarray(session.step1[z]) > 0.5, session.probability(z)
    return [
        *closures(contour, step1, cells, best, around),
        *one_slice_splits(contour, cells, best, around, session.excluded(z)),
        *gaps(contour, cells, best, around),
    ]


def _item(z: int, suspect: Suspect, usual: float) -> Item:
    values = (1.0, *features(suspect))
    strength = sum(w * v for w, v in zip(WEIGHTS[suspect.kind], values, strict=True))
    likely = 1 / (1 + math.exp(-strength))
    patch = Patch.of(z, suspect.mask)
    y, x = np.argwhere(suspect.mask)[suspect.mask.sum() // 2]
    weight = suspect.hanging / (suspect.hanging + usual)
    key = f"{suspect.kind} {z} {y} {x}"
    return Item(key, suspect.kind, patch, likely * weight, likely, suspect.hanging)


def features(suspect: Suspect) -> tuple[float, float, float, float]:
    """Return what the likelihood of an error is told from; see `WEIGHTS`."""
    return (
        math.log(suspect.probability + 0.01),
        suspect.witness,
        math.log(max(suspect.width, 1e-3)),
        suspect.echo,
    )


def _usual_cell(session: SessionView) -> float:
    """Return a tenth of the median area of a cell: below it an error weighs little."""
    depth = session.shape[0]
    sample = range(0, depth, max(1, depth // 10))
    areas = [np.unique(session.names(z), return_counts=True) for z in sample]
    cells = np.concatenate([counts[names > 0] for names, counts in areas])
    return 0.1 * float(np.median(cells)) if cells.size else 1.0


def _without_doubles(items: list[Item]) -> list[Item]:
    """Of items at one place keep the one with the highest score."""
    kept: list[Item] = []
    for item in sorted(items, key=lambda item: -item.score):
        if not any(same_place(item.patch, other.patch) for other in kept):
            kept.append(item)
    return kept


def _judged(items: list[Item], verdicts: list[Verdict]) -> list[Item]:
    """Give items the verdict of their key or place; verdicts without an item come back as one."""
    judged, left = [], list(verdicts)
    for item in items:
        mine = next((v for v in left if v.key == item.key), None) or next(
            (v for v in left if same_place(v.patch, item.patch)), None
        )
        if mine is not None:
            left.remove(mine)
            item = Item(
                mine.key, mine.kind, mine.patch, item.score, item.likely, item.hanging, mine.verdict
            )
        judged.append(item)
    return judged + [Item(v.key, v.kind, v.patch, 0.0, 0.0, 0, v.verdict) for v in left]


def same_place(first: Patch, second: Patch) -> bool:
    """Whether most of the smaller of two patches lies on the other, or a pixel beside it."""
    if first.z != second.z or not first.count or not second.count:
        return False
    small, large = sorted((first, second), key=lambda patch: patch.count)
    if (
        small.top > large.top + large.height
        or large.top > small.top + small.height
        or small.left > large.left + large.width
        or large.left > small.left + small.width
    ):
        return False
    points = np.argwhere(small.mask) + np.array([small.top - large.top, small.left - large.left])
    wide = np.pad(large.mask, 2)
    near = wide.copy()
    for axis in (0, 1):
        near |= np.roll(near, 1, axis) | np.roll(near, -1, axis)
    points += 2
    seen = ((points >= 0) & (points < near.shape)).all(axis=1)
    return bool(near[tuple(points[seen].T)].sum() >= SAME_PLACE * len(points))
