"""A snapshot of a session, for threads that compute on it while proofreading continues.

Only the main thread may read its session, because reading labels slices. The snapshot holds a copy
of what a worker needs: it opens no file again, and waits for no edit.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_copnet.proofreading.session_model import SessionModel
from napari_copnet.proofreading.session_view import SessionView


class StillView(SessionView):
    """The current state of a session, created in its thread and used in another.

    Parameters
    ----------
    session : SessionView
    slices : iterable of int, optional
        Slices to copy; by default all. Labels of given slices are copied too. For a copy of all
        slices they are computed again on demand, because copying them would block the window for
        longer than copying the contour (4 bytes per pixel instead of 1). Links are not copied.
    """

    def __init__(self, session: SessionView, slices: Iterable[int] | None = None) -> None:
        self.folder, self.facts = session.folder, session.facts
        given, depth = session._model, session.shape[0]
        every = slices is None
        self._taken = frozenset(range(depth) if slices is None else slices)
        # Memory of slices that are not copied is never touched, and costs nothing.
        model = SessionModel(given.contour.copy() if every else np.zeros_like(given.contour))
        model.verdicts, model.next_id = dict(given.verdicts), given.next_id
        self._show(model, session._excluded)
        for z in self._taken:
            model.ids[z] = dict(given.ids[z])
            if given.marks[z].any():
                model.marks[z] = given.marks[z]
            if not every:
                model.contour[z] = given.contour[z]
                if session._labelled[z]:
                    self._ids[z], self._labelled[z] = session._ids[z], True
        # The results of the run are on disk and never change, so both share the open arrays.
        for name in ("contours.npy", "iterations.npy", "converged.npy", "closed.npy"):
            session._run_array(name)
        self._arrays = dict(session._arrays)
        if session.facts.image.get("kept"):
            self._image = session.image

    @property
    def slices(self) -> list[int]:
        """The slices in this copy."""
        return sorted(self._taken)

    def _label(self, z: int) -> None:
        if z not in self._taken:
            raise ValueError(f"slice {z} is not in this copy")
        super()._label(z)
