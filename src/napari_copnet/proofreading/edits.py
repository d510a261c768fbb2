"""Edits as values: each can be applied to a model and inverted.

An `Edit` is what one gesture did: a list of changes. Pixels change by `Flip`, which is its own
inverse; ids of slice cells by `Renumber`; links between slice cells by `Relink`; verdicts on items
of the review queue by `Judge`. `packing` turns them into bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_copnet.proofreading.slice_names import named

if TYPE_CHECKING:
    from napari_copnet.proofreading.session_model import SessionModel

# The contour, and the areas without cells. Each mark is a bit of `SessionModel.marks`.
CONTOUR = "contour"
MARKS = {"vessel": 1, "haemorrhage": 2, "background": 4}
PLANES = (CONTOUR, *MARKS)
ACCEPTED, REJECTED = "accepted", "rejected"

Box = tuple[slice, slice]
Ids = tuple[tuple[int, int], ...]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Patch:
    """Some pixels of a slice: a box and one bit for each of its pixels.

    Attributes
    ----------
    z, top, left, height, width : int
        Slice, and the box in it.
    bits : bytes
        `numpy.packbits` of the box, row by row.
    """

    z: int
    top: int
    left: int
    height: int
    width: int
    bits: bytes

    @classmethod
    def of(cls, z: int, mask: np.ndarray, origin: tuple[int, int] = (0, 0)) -> Patch:
        """Pack what is set in a mask, shape (Y, X), whose first pixel lies at `origin`."""
        rows, columns = bounding_box(mask)
        inside = np.ascontiguousarray(mask[rows, columns]) != 0
        return cls(
            int(z),
            int(origin[0] + rows.start),
            int(origin[1] + columns.start),
            inside.shape[0],
            inside.shape[1],
            np.packbits(inside).tobytes(),
        )

    @property
    def box(self) -> Box:
        """Where the pixels lie in the slice."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    @property
    def mask(self) -> np.ndarray:
        """The pixels, shape (height, width), bool."""
        count = self.height * self.width
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=count)
        return bits.reshape(self.height, self.width).view(bool)

    @property
    def count(self) -> int:
        """Number of pixels that are set."""
        return int.from_bytes(self.bits, "big").bit_count()

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether the box lies inside a stack of `shape` and its bits are of its size."""
        return (
            0 <= self.z < shape[0]
            and min(self.top, self.left, self.height, self.width) >= 0
            and self.top + self.height <= shape[1]
            and self.left + self.width <= shape[2]
            and len(self.bits) == (self.height * self.width + 7) // 8
        )


@dataclass(frozen=True)
class Flip:
    """Pixels of a plane that change their value. It is its own inverse.

    Attributes
    ----------
    plane : str
        One of `PLANES`.
    patch : Patch
    """

    plane: str
    patch: Patch

    @property
    def inverse(self) -> Flip:
        """The same flip again."""
        return self

    def apply(self, model: SessionModel) -> None:
        """Flip the pixels."""
        patch = self.patch
        if self.plane == CONTOUR:
            model.contour.change(patch.z)[patch.box] ^= patch.mask.view(np.uint8)
        else:
            bit = np.uint8(MARKS[self.plane])
            model.marks.change(patch.z)[patch.box] ^= patch.mask.view(np.uint8) * bit


@dataclass(frozen=True)
class Renumber:
    """The ids of the cells of a slice before and after its pixels changed.

    Attributes
    ----------
    z : int
    before, after : tuple of (int, int)
        First pixel (row times width plus column) and id of the cells that differ.
    next_before, next_after : int
        The id that the next new cell gets.
    """

    z: int
    before: Ids
    after: Ids
    next_before: int
    next_after: int

    @property
    def inverse(self) -> Renumber:
        """The ids as they were."""
        return Renumber(self.z, self.after, self.before, self.next_after, self.next_before)

    def apply(self, model: SessionModel) -> None:
        """Give the cells their new ids."""
        ids = model.ids.change(self.z)
        for seed, _ in self.before:
            del ids[seed]
        ids.update(self.after)
        for _, cell_id in self.after:
            model.place(cell_id, self.z)
        model.next_id = self.next_after


@dataclass(frozen=True)
class Relink:
    """Links between slice cells that come and go; each is a pair of ids, the lower first."""

    added: Pairs = ()
    removed: Pairs = ()

    @property
    def inverse(self) -> Relink:
        """The links as they were."""
        return Relink(self.removed, self.added)

    def apply(self, model: SessionModel) -> None:
        """Add and remove the links."""
        model.links.remove(self.removed)
        model.links.add(self.added)


@dataclass(frozen=True)
class Verdict:
    """What was decided on an item of the review queue.

    Attributes
    ----------
    key : str
        Name of the item.
    kind : str
        Kind of the item.
    patch : Patch
        Its pixels, by which it is found again after the networks ran anew.
    verdict : str
        `ACCEPTED` or `REJECTED`.
    """

    key: str
    kind: str
    patch: Patch
    verdict: str


@dataclass(frozen=True)
class Judge:
    """A verdict that comes, goes or is replaced."""

    before: Verdict | None
    after: Verdict | None

    @property
    def inverse(self) -> Judge:
        """The verdict as it was."""
        return Judge(self.after, self.before)

    def apply(self, model: SessionModel) -> None:
        """Put the verdict in place of the one before."""
        if self.before is not None:
            del model.verdicts[self.before.key]
        if self.after is not None:
            model.verdicts[self.after.key] = self.after


Change = Flip | Renumber | Relink | Judge


@dataclass(frozen=True)
class Edit:
    """The changes made by one gesture.

    Attributes
    ----------
    tool : str
        Name of the tool, such as ``"draw"``.
    changes : tuple of Change
        In the order in which they apply.
    """

    tool: str
    changes: tuple[Change, ...] = field(default=())

    @property
    def inverse(self) -> Edit:
        """The edit that takes this one back."""
        return Edit(self.tool, tuple(change.inverse for change in reversed(self.changes)))

    @property
    def flips(self) -> Iterator[Flip]:
        """The pixel changes."""
        return (change for change in self.changes if isinstance(change, Flip))

    @property
    def slices(self) -> tuple[int, ...]:
        """Slices whose pixels change."""
        return tuple(sorted({flip.patch.z for flip in self.flips}))

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return not self.changes

    @property
    def text(self) -> str:
        """One line for a list of edits, slices counted from 1."""
        pixels = sum(flip.patch.count for flip in self.flips)
        judged = {c.after.kind: None for c in self.changes if isinstance(c, Judge) and c.after}
        parts = [self.tool, named(self.slices), *judged, f"{pixels} px" if pixels else ""]
        return ", ".join(part for part in parts if part)

    def apply(self, model: SessionModel) -> None:
        """Apply every change in turn."""
        for change in self.changes:
            change.apply(model)


def joined(tool: str, *edits: Edit) -> Edit:
    """Return one edit that does what several do, in their order."""
    return Edit(tool, tuple(change for edit in edits for change in edit.changes))


def united(edit: Edit) -> list[Patch]:
    """Return one patch for each slice an edit changes: all its flipped pixels, of any plane."""
    found = []
    by_slice: dict[int, list[Patch]] = {}
    for flip in edit.flips:
        by_slice.setdefault(flip.patch.z, []).append(flip.patch)
    for z, patches in sorted(by_slice.items()):
        if len(patches) == 1:
            found.append(patches[0])
            continue
        top, left = min(p.top for p in patches), min(p.left for p in patches)
        bottom = max(p.top + p.height for p in patches)
        right = max(p.left + p.width for p in patches)
        mask = np.zeros((bottom - top, right - left), bool)
        for patch in patches:
            rows = slice(patch.top - top, patch.top - top + patch.height)
            columns = slice(patch.left - left, patch.left - left + patch.width)
            mask[rows, columns] |= patch.mask
        found.append(Patch.of(z, mask, (top, left)))
    return found


def bounding_box(mask: np.ndarray) -> Box:
    """Return the smallest box around what is set in a mask, shape (Y, X); empty for none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
