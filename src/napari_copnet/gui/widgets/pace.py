"""How far work is in words, and how long it will still take."""

from __future__ import annotations

import time

from napari_copnet.progress import Progress
from napari_copnet.verdict.judge import PAIRS

_WORDS = {
    "wait": "Stopping the previous run",
    "check": "Checking the stack",
    "read": "Reading",
    "sizes": "Choosing the size",
    "preprocess": "Preprocessing",
    "contours": "Predicting contours",
    "closing": "Closing gaps",
    "cells": "Labelling cells",
    "verdict": "Judging the result",
    "restore": "Returning to the frame of the stack",
    "write": "Writing results",
    "session": "Creating the session",
    "open": "Opening the session",
    "queue": "Searching for likely errors",
    "fit": "Fitting",
    "choose": "Examining slices",
    "annotated": "Writing annotated slices",
    "dataset": "Creating the data set",
    "evaluate": "Scoring",
}


# Closing usually converges in 3 to 5 iterations; it is told so rather than how many are allowed.
USUAL_ITERATIONS = 4
_USUALLY = "usually 3 to 5"


class Pace:
    """How fast the present step goes, to tell the time left."""

    def __init__(self) -> None:
        self._step = ""
        self._start = 0.0
        self._done = 0.0

    def text(self, progress: Progress, now: float | None = None) -> str:
        """Return a line such as ``Predicting contours: slice 12 of 160, 40 s left``."""
        now = time.monotonic() if now is None else now
        if progress.step != self._step:
            self._step, self._start, self._done = progress.step, now, progress.done
        words = _WORDS.get(progress.step, progress.step.capitalize())
        made, spent = progress.done - self._done, now - self._start
        left = ""
        if progress.unit == "iterations":
            where = f"iteration {int(progress.done) + 1} of at most {int(progress.total)}"
            if progress.done >= progress.total:
                where = f"{int(progress.done)} iterations"
            if made >= 1:
                left = f", {duration(spent / made)} each"
        else:
            singular = progress.unit.removesuffix("s")
            at = min(int(progress.done) + 1, int(progress.total))
            where = f"{singular} {at} of {int(progress.total)}"
            if made > 0 and spent > 1:
                left = f", {duration(spent / made * (progress.total - progress.done))} left"
        return f"{words}: {where}{left}"


# The steps of a run in order.
_RUN = ("sizes", "preprocess", "contours", "closing", "cells", "verdict")
# Choosing a size takes as long as some 80 slices of Step 1 however many there are; of the other
# steps each slice takes its part. With the default models, a median of several stacks on a CPU.
_SIZES_SLICES = 80.0
_SHARES = {"preprocess": 0.3, "contours": 1.0, "closing": 5.0, "cells": 0.1}
# The verdict looks at this many slices at most, each as long as this part of a slice of Step 1.
_JUDGED, _JUDGING = 2 * PAIRS, 0.3
# Less than this share of a run, or of this many seconds, says nothing on the rest.
_ENOUGH, _SOON = 0.02, 2.0


class RunPace:
    """How fast a whole run goes, to tell the time left of all of it.

    Each step is a share of the run: what was done so far against the time it took says how long the
    rest will take.

    Parameters
    ----------
    slices : int
        Of the stack.
    """

    def __init__(self, slices: int = 30) -> None:
        judged = _JUDGING * min(slices, _JUDGED) / max(1, slices)
        self._shares = {"sizes": _SIZES_SLICES / max(1, slices), **_SHARES, "verdict": judged}
        self._seen: set[str] = set()
        self._pace = Pace()
        self._start: tuple[float, float] | None = None

    def share(self, progress: Progress) -> float:
        """Return how much of the whole run is done, 0 to 1."""
        step = progress.step
        if step not in _RUN:
            return progress.done / progress.total if progress.total else 0.0
        self._seen.add(step)
        earlier, later = _RUN[: _RUN.index(step)], _RUN[_RUN.index(step) + 1 :]
        # A run that was given a size, or takes up steps of an earlier one, did without some.
        before = sum(self._shares[name] for name in earlier if name in self._seen)
        after = sum(self._shares[name] for name in later)
        here = self._shares[step]
        return (before + here * _done(progress)) / (before + here + after)

    def text(self, progress: Progress, now: float | None = None) -> str:
        """Return a line such as ``Predicting contours: slice 12 of 160 · about 4 min left``."""
        now = time.monotonic() if now is None else now
        if progress.step not in _RUN:
            return self._pace.text(progress, now)
        share = self.share(progress)
        if self._start is None:
            self._start = now, share
        words = _WORDS[progress.step]
        if progress.unit == "iterations":
            where = f"iteration {int(progress.done) + 1}, {_USUALLY}"
        else:
            singular = progress.unit.removesuffix("s")
            at = min(int(progress.done) + 1, int(progress.total))
            where = f"{singular} {at} of {int(progress.total)}"
        made, spent = share - self._start[1], now - self._start[0]
        left = ""
        if made > _ENOUGH and spent > _SOON:
            left = f" · about {duration(spent / made * (1 - share))} left"
        return f"{words}: {where}{left}"


def _done(progress: Progress) -> float:
    """Return how much of a step is done, 0 to 1."""
    total = progress.total
    if progress.unit == "iterations":
        # It ends when it has converged, long before the most that are allowed.
        total = min(total, max(USUAL_ITERATIONS, progress.done + 1))
    return min(1.0, progress.done / total) if total else 0.0


def duration(seconds: float) -> str:
    """Return a time for people, such as ``40 s`` or ``3 min``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
