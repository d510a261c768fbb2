"""The review queue: every suspect of a session as an item with a score, the likeliest errors first.

An item asks about a wall. Accepting a closure, or a wall that is there, keeps it; rejecting erases
it. Accepting a gap draws the wall; rejecting leaves the cell whole. A wall that runs on through
neighbouring slices is one item, and the answer counts for all of them. What was decided is kept as
a verdict with its pixels: items found anew at the same place, also after the networks ran again,
take it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_copnet.boundaries.gap_classifier import usual_area
from napari_copnet.boundaries.gaps import (
    CLOSURE,
    GAP,
    SPLIT,
    UNSETTLED,
    SlicePlane,
    Suspect,
    drawn_walls,
    gaps,
)
from napari_copnet.errors import CopnetError
from napari_copnet.progress import Progress, Steps
from napari_copnet.proofreading.edits import (
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
from napari_copnet.proofreading.error_probability import judged, sort_of
from napari_copnet.proofreading.merge_across_slices import chained
from napari_copnet.proofreading.queue_reasons import cells_beside
from napari_copnet.proofreading.session_view import SessionView
from napari_copnet.proofreading.slice_names import named

# Score of a slice that did not converge: such items come after the clearer ones.
_UNSETTLED = 0.05
# Items with a lower score are not listed, except those that the network closed.
WORTH_ASKING = 0.0015
# Two items are at the same place when this share of the smaller one overlaps the other.
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
        Expected number of cells that become correct when it is decided, over all its slices.
    likely : float
        0 to 1: how likely an error is.
    hanging : int
        Cell pixels that hang on it.
    verdict : str
        What was decided; empty when nothing was.
    also : tuple of Item
        The same wall in the slices around: what is decided counts for these as well.
    beside : tuple of int
        Ids of the one or two slice cells at the wall.
    """

    key: str
    kind: str
    patch: Patch
    score: float
    likely: float
    hanging: int
    verdict: str = ""
    also: tuple[Item, ...] = ()
    beside: tuple[int, ...] = ()

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The wall in each of its slices, from the first slice to the last."""
        every = (self.patch, *(item.patch for item in self.also))
        return tuple(sorted(every, key=lambda patch: patch.z))

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
            CLOSURE: "The network closed this gap. Two cells, or one?",
            GAP: "There may be a gap here. Two cells, or one?",
            SPLIT: "This wall may cut a cell in two. Two cells, or one?",
            UNSETTLED: "Closing did not converge in this slice. Is the contour right?",
        }[self.kind]
        slices = {patch.z for patch in self.patches}
        where = named(slices).capitalize()
        if len(slices) > 1:
            where += ", one decision for all"
        return f"{what} {where}. At stake: {self.hanging} px of cells."


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
    usual = usual_cell(session)
    image = session.image
    items: list[Item] = []
    for done, z in enumerate(wanted, start=1):
        # A wall that somebody drew at, or erased, is no question.
        by_hand = (session.contour[z].view(bool) != session.run_contour(z)).ravel()
        found = [
            item
            for item in (
                _item(z, suspect, usual, session.shape)
                for suspect in suspects(plane_of(session, z, image))
                if not by_hand[suspect.pixels].any()
            )
            if item.score >= WORTH_ASKING or item.kind == CLOSURE
        ]
        unsettled = session.converged is not None and not session.converged[z]
        if unsettled:
            everything = int(np.count_nonzero(session.ids(z)))
            nothing = Patch(z, 0, 0, 0, 0, b"")
            key, likely = f"{UNSETTLED} {z}", _UNSETTLED
            found.append(Item(key, UNSETTLED, nothing, likely, likely, everything))
        alone = _judged(_without_doubles(found), [v for v in verdicts if v.patch.z == z])
        cells = session.ids(z)
        items += [replace(i, beside=cells_beside(cells, i.patch)) for i in alone]
        yield Progress("queue", done, len(wanted), "slices")
    return sorted(_through_slices(items), key=lambda item: (-item.score, item.key))


def renewed(
    items: Iterable[Item],
    found: Iterable[Item],
    slices: Iterable[int],
    is_decided: Callable[[Item], bool],
) -> list[Item]:
    """Put items found anew in some slices in place of what was listed there.

    Parameters
    ----------
    items : iterable of Item
        Listed before.
    found : iterable of Item
        From `build_queue` of these slices.
    slices : iterable of int
    is_decided : callable
        Whether an item is decided: it stays as it is.

    Returns
    -------
    list of Item
        The highest score first. Each wall is listed once, and those that run on from these slices
        into others are put together again.
    """
    touched = set(slices)
    kept: list[Item] = []
    loose: list[Item] = []
    for item in items:
        if is_decided(item) or not touched.intersection(patch.z for patch in item.patches):
            kept.append(item)
        else:
            loose += [one for one in _apart(item) if one.z not in touched]
    known = {one.key for item in kept for one in (item, *item.also)}
    loose += [one for item in found for one in _apart(item) if one.key not in known]
    return sorted([*kept, *_through_slices(loose)], key=lambda item: (-item.score, item.key))


def _apart(item: Item) -> list[Item]:
    """Return the wall of each slice of an item as an item of its own."""
    own = item.score - sum(one.score for one in item.also)
    return [replace(item, score=own, also=()), *item.also]


def accept(session: SessionView, item: Item) -> Edit:
    """Return the edit that accepts an item: its wall becomes contour, whatever it is now."""
    return _decide(session, item, ACCEPTED)


def reject(session: SessionView, item: Item) -> Edit:
    """Return the edit that rejects an item: its wall is erased, whatever it is now."""
    return _decide(session, item, REJECTED)


def _decide(session: SessionView, item: Item, verdict: str) -> Edit:
    changes: list[Change] = []
    for one in (item, *item.also):
        patch = one.patch
        before = session.verdicts.get(one.key)
        after = Verdict(one.key, one.kind, patch, verdict)
        contour = session.contour[patch.z][patch.box].view(bool)
        change = patch.mask & (contour != (verdict == ACCEPTED))
        if change.any():
            changes.append(Flip(CONTOUR, Patch.of(patch.z, change, (patch.top, patch.left))))
        if before != after:
            changes.append(Judge(before, after))
    if not changes:
        raise CopnetError(f"This item is already {verdict}.", "Go to the next one.")
    return Edit("accept" if verdict == ACCEPTED else "reject", tuple(changes))


def suspects(plane: SlicePlane) -> list[Suspect]:
    """Return every wall of a slice that is drawn or that may be missing, likely an error or not."""
    return [*drawn_walls(plane), *gaps(plane)]


def plane_of(session: SessionView, z: int, image: Any = None) -> SlicePlane:
    """Return what a session knows of a slice.

    Parameters
    ----------
    session : SessionView
    z : int
    image : array, shape (Z, Y, X), optional
        Its image: looked up once for all slices, as it may have to be read anew.
    """
    around = [session.ids(at) for at in (z - 1, z + 1) if 0 <= at < session.shape[0]]
    return SlicePlane(
        session.contour[z].view(bool),
        session.ids(z),
        np.asarray(session.step1[z], np.float32),
        session.probability(z),
        around,
        None if image is None else np.asarray(image[z]),
    )


def _item(z: int, suspect: Suspect, usual: float, shape: tuple[int, ...]) -> Item:
    likely, wins = judged(suspect, usual)
    rows, columns = np.divmod(suspect.pixels, shape[2])
    top, left = int(rows.min()), int(columns.min())
    mask = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), bool)
    mask[rows - top, columns - left] = True
    middle = len(rows) // 2
    key = f"{suspect.kind} {z} {rows[middle]} {columns[middle]}"
    return Item(key, suspect.kind, Patch.of(z, mask, (top, left)), wins, likely, suspect.hanging)


def _through_slices(items: list[Item]) -> list[Item]:
    """Put walls that run through neighbouring slices, and are decided alike, together."""
    done = [item for item in items if item.kind == UNSETTLED]
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.kind != UNSETTLED:
            groups.setdefault((sort_of(item.kind), item.verdict), []).append(item)
    for group in groups.values():
        # What was decided together comes together again, however likely the rest is by now.
        likely = [1.0 if i.verdict else i.likely for i in group]
        for chain in chained([i.patch for i in group], likely):
            head, *also = (group[index] for index in chain)
            score = sum(group[index].score for index in chain)
            done.append(replace(head, score=score, also=tuple(also)) if also else head)
    return done


def usual_cell(session: SessionView) -> float:
    """Return the median area of a cell."""
    return usual_area([session.ids(z) for z in _sample(session.shape[0])])


def slices_for(slices: Iterable[int], depth: int) -> set[int]:
    """Return the slices that `build_queue` looks at to find the items of some.

    These are the slices themselves, their neighbours, and a sample from which the usual size of a
    cell is told.
    """
    near = {z + step for z in slices for step in (-1, 0, 1)}
    return {z for z in near if 0 <= z < depth} | set(_sample(depth))


def _sample(depth: int) -> range:
    return range(0, depth, max(1, depth // 10))


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
            item = replace(
                item, key=mine.key, kind=mine.kind, patch=mine.patch, verdict=mine.verdict
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
