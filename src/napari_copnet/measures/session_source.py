"""The cells of a session, with its marks, edits and open questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from napari_copnet.boundaries.gaps import UNSETTLED
from napari_copnet.lazy_array import LazyArray
from napari_copnet.measures.run_facts import reach_of
from napari_copnet.measures.source import Doubt, Doubts, Source
from napari_copnet.progress import Steps
from napari_copnet.proofreading.edits import MARKS
from napari_copnet.proofreading.queue import Item, build_queue
from napari_copnet.proofreading.session_view import SessionView
from napari_copnet.proofreading.still import StillView


def of_session(
    session: SessionView,
    numbers: np.ndarray | None = None,
    items: Iterable[Item] | None = None,
) -> Source:
    """Return the cells of a session as they are now, read slice by slice.

    Parameters
    ----------
    session : SessionView
    numbers : ndarray, shape (ids,), uint32, optional
        The cell of each id, for a copy of a session that has no links.
    items : iterable of Item, optional
        The review queue, where it is known; else it is made.
    """
    facts = session.facts
    joined = facts.cells.mode != "slice"
    if numbers is None:
        joined = joined or len(session.links) > 0
    else:
        joined = joined or bool(np.any(numbers != np.arange(numbers.size)))

    def mark(bit: int) -> Callable[[int], np.ndarray]:
        return lambda z: session.marks[z] & bit > 0

    def plane(read: Callable[[int], np.ndarray], dtype: Any) -> LazyArray:
        return LazyArray(session.shape, dtype, read)

    def cells(z: int) -> np.ndarray:
        return session.cells(z) if numbers is None else numbers[session.ids(z)]

    def find_doubts() -> Steps[Doubts]:
        found = list(items) if items is not None else (yield from build_queue(session))
        return doubts_by_slice(found)

    return Source(
        plane(cells, np.uint32),
        facts.voxel_size,
        facts.translate,
        facts.axes,
        joined=joined,
        walls=plane(lambda z: session.contour[z] > 0, bool),
        contours=plane(session.probability, np.float32),
        reach=reach_of(facts.runs[-1]),
        marks={name: mark(bit) for name, bit in MARKS.items()},
        edited=lambda z: (session.contour[z] > 0) != session.run_contour(z),
        find_doubts=find_doubts,
        name=session.folder.name,
        facts={
            "session": str(session.folder),
            "models": [run.get("models") for run in facts.runs],
        },
    )


def still_source(session: SessionView) -> Source:
    """Return the cells of a session as they are now, for a thread that measures them.

    Call it in the session's thread; what it returns may be used in another while edits go on.
    """
    # A still session has no links.
    numbers = session.links.lookup(session._model.next_id).copy()
    return of_session(StillView(session), numbers)


def doubts_by_slice(items: Iterable[Item]) -> Doubts:
    """Return by slice the walls of the items that nobody has decided on."""
    found: Doubts = {}
    for number, item in enumerate(items):
        if item.verdict or item.kind == UNSETTLED:
            continue
        for patch in item.patches:
            doubt = Doubt(number, (patch.top, patch.left), patch.mask)
            found.setdefault(patch.z, []).append(doubt)
    return found
