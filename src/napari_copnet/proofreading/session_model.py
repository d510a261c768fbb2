"""What is edited: contour, marks, ids of slice cells, links and verdicts. No files, no cells."""

from __future__ import annotations

import numpy as np

from napari_copnet.proofreading.edits import Change, Flip, Relink, Renumber, Verdict
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.planes import Planes
from napari_copnet.proofreading.slice_ids import SliceIds


class SessionModel:
    """The truth of a session, from which cells are derived.

    Parameters
    ----------
    contour, marks : Planes, or ndarray of shape (Z, Y, X), uint8
        By default there are no marks.

    Attributes
    ----------
    contour : Planes
        1 on the closed contour.
    marks : Planes
        Bits of `edits.MARKS`: areas without cells.
    ids : SliceIds
        For each slice: first pixel (row times width plus column) of each cell to its id.
    links : Links
    verdicts : dict of str to Verdict
        By item of the review queue.
    next_id : int
        The id that the next new cell gets.
    """

    def __init__(
        self, contour: Planes | np.ndarray, marks: Planes | np.ndarray | None = None
    ) -> None:
        self.contour = contour if isinstance(contour, Planes) else Planes.of(contour)
        if marks is None:
            marks = Planes(contour.shape, is_mask=False)
        self.marks = marks if isinstance(marks, Planes) else Planes.of(marks, is_mask=False)
        self.ids = SliceIds(len(contour))
        self.links = Links()
        self.verdicts: dict[str, Verdict] = {}
        self.next_id = 1
        self._slices = np.full(1024, -1, np.int32)

    def copy(self) -> SessionModel:
        """Return a model that changes by itself."""
        other = self.still()
        other.links = Links(self.links.pairs(), self.next_id)
        other.restore_places(self._slices)
        return other

    def still(self) -> SessionModel:
        """Return a model, without links, that other threads may read while this one changes."""
        other = SessionModel(self.contour.still(), self.marks.still())
        other.ids = self.ids.still()
        other.verdicts = dict(self.verdicts)
        other.next_id = self.next_id
        return other

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Z, Y, X)."""
        depth, height, width = self.contour.shape
        return depth, height, width

    def fits(self, change: Change) -> bool:
        """Whether a change that a tool made can be applied now. Ids are not for tools."""
        if isinstance(change, Renumber):
            return False
        if isinstance(change, Flip):
            return change.patch.fits(self.shape)
        if isinstance(change, Relink):
            new = all(pair not in self.links and pair[0] < pair[1] for pair in change.added)
            return new and all(pair in self.links for pair in change.removed)
        decided = change.before or change.after
        return decided is not None and self.verdicts.get(decided.key) == change.before

    def slice_of(self, cell_id: int) -> int:
        """Return the slice of a cell's id, also where no cell bears it now; -1 if unknown."""
        return int(self._slices[cell_id]) if 0 <= cell_id < self._slices.size else -1

    def place(self, cell_id: int, z: int) -> None:
        """Note that an id belongs to slice z."""
        if cell_id >= self._slices.size:
            more = np.full(max(self._slices.size, cell_id + 1 - self._slices.size), -1, np.int32)
            self._slices = np.concatenate([self._slices, more])
        self._slices[cell_id] = z

    def places(self) -> np.ndarray:
        """Return the slice of each id below `next_id`, int32, -1 where unknown."""
        self.place(self.next_id, -1)
        return self._slices[: self.next_id]

    def restore_places(self, places: np.ndarray) -> None:
        """Take the slices of ids from `places`."""
        self._slices = np.array(places, np.int32)
