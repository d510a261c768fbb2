"""Take over the contour of a new run, except where the user has decided otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from napari_copnet.proofreading.edits import CONTOUR, Change, Edit, Flip, Patch
from napari_copnet.proofreading.session_view import SessionView


def edit_of_run(session: SessionView, contour: Any, keep: Iterable[int] = ()) -> Edit:
    """Return the edit that takes the contour of a new run and keeps what was decided by hand.

    Parameters
    ----------
    session : SessionView
        Its last run is still the one before.
    contour : array-like, shape (Z, Y, X)
        Of the new run, above 0 on contours.
    keep : iterable of int
        Slices that stay as they are.

    Returns
    -------
    Edit
        Of no pixel that an edit has changed since the last run, or that belongs to an accepted
        or rejected item.
    """
    flips: list[Change] = []
    kept, verdicts = set(keep), session.verdicts.values()
    for z in range(session.shape[0]):
        if z in kept:
            continue
        old = session.contour[z].view(bool)
        decided = old != session.run_contour(z)
        for verdict in verdicts:
            if verdict.patch.z == z:
                decided[verdict.patch.box] |= verdict.patch.mask
        change = ((np.asarray(contour[z]) > 0) != old) & ~decided
        if change.any():
            flips.append(Flip(CONTOUR, Patch.of(z, change)))
    return Edit("networks ran again", tuple(flips))
