"""A plain edit: paint or erase on the closed contour, and the cells of that slice follow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_copnet.gui.workflow.run_stages import packed
from napari_copnet.params import CellParams
from napari_copnet.proofreading.edits import Patch
from napari_copnet.proofreading.relabel import relabel

# As many as napari keeps for its undo.
MOST_STEPS = 100


class _Step(NamedTuple):
    """A change of one slice's contour, told by digests of the contour before and after."""

    z: int
    before: bytes
    after: bytes

    @property
    def back(self) -> _Step:
        return _Step(self.z, self.after, self.before)


class ContourEditing:
    """Keep a layer of cells in step with its layer of closed contours.

    A stroke is found by comparing slices with a copy at one bit a pixel, so that paint, fill,
    polygon, undo and redo are all seen, whatever napari's events carry.

    Parameters
    ----------
    contour, cells : napari.layers.Labels
        Closed contour (0 or 1) and cells, of one shape, (Z, Y, X) or (Y, X).
    params : CellParams
        Sizes in pixels of these layers: see `proofreading.session_start.scaled_params`.
    excluded : callable
        Returns where slice z has no cells, shape (Y, X), bool, or None.
    in_view : callable
        Returns the z of the slice in view.
    largest : int
        Largest label in use.
    shadow : ndarray, optional
        From `run_stages.packed`, of the contour as it is now.

    Attributes
    ----------
    edited : set of int
        Slices that were changed.
    changed : Signal
        (slice, cells in it) after cells followed.
    """

    changed = Signal(int, int)

    def __init__(
        self,
        contour: Any,
        cells: Any,
        params: CellParams,
        excluded: Callable[[int], np.ndarray | None],
        in_view: Callable[[], int],
        largest: int,
        shadow: np.ndarray | None = None,
    ) -> None:
        self.contour, self.cells = contour, cells
        self.edited: set[int] = set()
        self._params = params
        self._excluded = excluded
        self._in_view = in_view
        self._largest = largest
        self._shadow = packed(_stack(contour.data)) if shadow is None else shadow
        self._seen = self._in_view()
        self._stopped = False
        self._steps: dict[_Step, tuple[tuple[slice, slice], np.ndarray]] = {}
        contour.events.paint.connect(self._on_paint)
        contour.events.set_data.connect(self._on_set_data)

    def stop(self) -> None:
        """Let the layers go."""
        self._stopped = True
        self.contour.events.paint.disconnect(self._on_paint)
        self.contour.events.set_data.disconnect(self._on_set_data)

    def is_edited(self) -> bool:
        """Whether the contour was changed, edits out of sight by other programs included."""
        return bool(self.edited or self.follow())

    def follow(self, slices: set[int] | None = None) -> list[int]:
        """Relabel those of `slices` whose contour changed (default: all); return them."""
        mask = _stack(self.contour.data)
        touched = []
        for z in sorted(slices) if slices is not None else range(len(mask)):
            now, before = packed(mask[z : z + 1])[0], self._shadow[z].copy()
            if np.array_equal(now, before):
                continue
            self._shadow[z] = now
            self.edited.add(z)
            touched.append(z)
            flipped = np.unpackbits(now ^ before, count=mask[z].size).reshape(mask[z].shape)
            step = _Step(z, digest(before.tobytes()), digest(now.tobytes()))
            count = self._relabel(mask[z], Patch.of(z, flipped), step)
            self.changed.emit(z, count)
        if touched:
            self.cells.refresh()
        return touched

    def _relabel(self, mask: np.ndarray, flipped: Patch, step: _Step) -> int:
        z, cells = step.z, _stack(self.cells.data)
        known = self._steps.pop(step.back, None)
        if known is not None:
            # An undo: the very cells that were there come back.
            box, values = known
            self._remember(step, box, cells[z][box])
            cells[z][box] = values
        else:
            done = relabel(
                mask,
                cells[z],
                flipped,
                self._params,
                next_id=self._largest + 1,
                excluded=self._excluded(z),
            )
            self._largest = done.next_id - 1
            if self._largest > np.iinfo(cells.dtype).max:
                cells = self._widen()
            self._remember(step, done.box, cells[z][done.box])
            cells[z][done.box] = done.labels
        return int(np.count_nonzero(np.bincount(cells[z].ravel())[1:]))

    def _remember(self, step: _Step, box: tuple[slice, slice], values: np.ndarray) -> None:
        self._steps[step] = box, values.copy()
        while len(self._steps) > MOST_STEPS:
            self._steps.pop(next(iter(self._steps)))

    def _widen(self) -> np.ndarray:
        self.cells.data = self.cells.data.astype(np.uint32)
        return _stack(self.cells.data)

    def _on_paint(self) -> None:
        # Fill and polygon tell of an edit before they make it.
        QTimer.singleShot(0, self._on_painted)
        self._on_painted()

    def _on_painted(self) -> None:
        if self._stopped:
            return
        near = {self._in_view()}
        if not self.follow(near) and self.contour.n_edit_dimensions > 2:
            self.follow()

    def _on_set_data(self) -> None:
        # Each step through the stack draws the layer anew, and means no change.
        now = self._in_view()
        if now != self._seen:
            self._seen = now
            return
        self.follow(self.edited | {now})


def digest(data: bytes) -> bytes:
    """Return a short name of some bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()


def _stack(data: np.ndarray) -> np.ndarray:
    """View (Y, X) or (Z, Y, X) data as (Z, Y, X)."""
    return data if data.ndim == 3 else data[None]
