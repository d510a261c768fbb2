"""The gaps that users closed by hand in a session."""

from __future__ import annotations

from collections.abc import Sequence

from napari_copnet.evaluation.fit_gaps import Gaps, find_gaps
from napari_copnet.proofreading.session_view import SessionView


def fixed_gaps(session: SessionView, slices: Sequence[int] | None = None) -> Gaps:
    """Return the gaps that the contour of a session had when its run ended, and has no more.

    Parameters
    ----------
    session : Session
    slices : sequence of int, optional
        Where to look; by default the slices whose contour differs from that of the run.
    """
    depth = session.shape[0]
    if slices is None:
        slices = [
            z for z in range(depth) if ((session.contour[z] > 0) != session.run_contour(z)).any()
        ]
    return find_gaps((session.contour[z], session.run_contour(z)) for z in slices)
