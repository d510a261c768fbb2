"""A session as it was at one moment, for threads that compute on it while the session goes on.

Only the thread of the window may look at its session, since looking labels slices. What a worker
needs is copied here: no file is opened anew, and no edit is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_copnet.proofreading.session_model import SessionModel
from napari_copnet.proofreading.session_view import SessionView


class StillView(SessionView):
    """What a session holds at present. Made in the session's thread, used in another.

    Parameters
    ----------
    session : SessionView
    slices : iterable of int, optional
        Only these can be looked at; all when not given. Of these, cells that are labelled come
        along; of all slices they are labelled anew where they are asked for, since copying them
        would hold the window up for longer than the contour does (4 bytes a pixel instead of 1).
        Links stay behind.
    """

    def __init__(self, session: SessionView, slices: Iterable[int] | None = None) -> None:
        self.folder, self.facts = session.folder, session.facts
        given, depth = session._model, session.shape[0]
        every = slices is None
        self._taken = frozenset(range(depth) if slices is None else slices)
        # Pages of slices that are not taken are never touched, and cost nothing.
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
