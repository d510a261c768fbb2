"""Keep cells up to date with the contour: update every cell that an edit touches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_copnet.proofreading.edits import Change, Edit, Flip, Relink, Renumber, united
from napari_copnet.proofreading.link_edited_cells import new_links
from napari_copnet.proofreading.relabel import relabel
from napari_copnet.proofreading.session_view import SessionView


class Touched(NamedTuple):
    """Where contour, marks or cells have changed: look again there."""

    z: int
    box: tuple[slice, slice]


class LiveCells(SessionView):
    """Cells, ids and links kept up with the contour; `session.Session` adds who may change it."""

    def _perform(self, edit: Edit) -> tuple[Edit, list[Touched]]:
        """Apply an edit and what follows from it; return all of it as one edit."""
        model, touched = self._model, []
        before = model.links.lookup(model.next_id).copy()
        flips: dict[int, list[Flip]] = {}
        for change in edit.changes:
            if isinstance(change, Flip):
                flips.setdefault(change.patch.z, []).append(change)
            else:
                change.apply(model)
        changes: list[Change] = list(edit.changes)
        for patch in united(edit):
            first = model.next_id
            # Slice by slice: what a slice showed before is labelled before its pixels change.
            labels = self._label(patch.z)
            for flip in flips[patch.z]:
                flip.apply(model)
            done = relabel(
                model.contour[patch.z],
                labels,
                patch,
                self.facts.cells,
                next_id=first,
                excluded=self.excluded(patch.z),
            )
            labels[done.box] = done.labels
            touched.append(Touched(patch.z, done.box))
            if done.before or done.after:
                rename = Renumber(patch.z, done.before, done.after, first, done.next_id)
                rename.apply(model)
                changes.append(rename)
                # A cell that was split: its pieces find their partners in the next slices.
                split = done.next_id > first
                pairs = new_links(self, patch.z, done.touched, done.box) if split else ()
                if pairs:
                    relink = Relink(added=pairs)
                    relink.apply(model)
                    changes.append(relink)
        return Edit(edit.tool, tuple(changes)), touched + self._renumbered(before)

    def _replay(self, edit: Edit, whole_slices: bool) -> list[Touched]:
        """Apply an edit that is known whole."""
        model, touched = self._model, []
        before = model.links.lookup(model.next_id).copy()
        edit.apply(model)
        if whole_slices:
            for z in edit.slices:
                self._labels.drop(z)
            return [self._whole(z) for z in edit.slices] + self._renumbered(before)
        for patch in united(edit):
            z = patch.z
            labels = self._labels.peek(z)
            if labels is None:
                touched.append(self._whole(z))
                continue
            done = relabel(
                model.contour[z],
                labels,
                patch,
                self.facts.cells,
                next_id=model.next_id,
                excluded=self.excluded(z),
                ids=model.ids[z],
            )
            labels[done.box] = done.labels
            touched.append(Touched(z, done.box))
        return touched + self._renumbered(before)

    def _renumbered(self, before: np.ndarray) -> list[Touched]:
        """Return the slices in which a cell has another number through the stack than before."""
        size = min(before.size, self._model.next_id)
        ids = np.flatnonzero(before[:size] != self._model.links.lookup(size))
        slices = {self._model.slice_of(int(cell_id)) for cell_id in ids}
        return [self._whole(z) for z in sorted(slices) if z >= 0]

    def _whole(self, z: int) -> Touched:
        return Touched(z, (slice(0, self.shape[1]), slice(0, self.shape[2])))
