"""A snapshot of a session, for threads that compute on it while proofreading continues.

Only the main thread may read its session, because reading labels slices. The snapshot shares what
never changes, and has a copy of the rest: it opens no file again, and waits for no edit.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_copnet.proofreading.session_view import SessionView


class StillView(SessionView):
    """The current state of a session, created in its thread and used in another.

    Parameters
    ----------
    session : SessionView
    slices : iterable of int, optional
        Slices that may be looked at; by default all. Labels of given slices are copied where they
        are at hand; others are computed again on demand. Links are not copied.
    """

    def __init__(self, session: SessionView, slices: Iterable[int] | None = None) -> None:
        self.folder, self.facts = session.folder, session.facts
        excluded = session._excluded
        self._taken = frozenset(range(session.shape[0]) if slices is None else slices)
        self._show(session._model.still(), None if excluded is None else excluded.still())
        for z in () if slices is None else sorted(self._taken):
            labels = session._labels.peek(z)
            if labels is not None:
                self._labels.put(z, labels.copy())
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

    def _label(self, z: int) -> np.ndarray:
        if z not in self._taken:
            raise ValueError(f"slice {z} is not in this copy")
        return super()._label(z)
