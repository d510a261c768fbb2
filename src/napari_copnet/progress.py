"""Long work is a generator that yields `Progress` and returns its result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a step has come.

    Attributes
    ----------
    step : str
        Name of the step, such as ``"contours"`` or ``"closing"``.
    done, total : float
        Work done and work in all, in `unit`.
    unit : str
        What is counted: ``"slices"``, ``"iterations"``, ``"tiles"``, ``"epochs"``.
    note : str
        A sentence for the user (a slice skipped, a fallback taken); empty most of the time.
    partial : object
        The newest partial result, for those who show work as it grows; its type is the step's.
    """

    step: str
    done: float
    total: float
    unit: str = ""
    note: str = ""
    partial: Any = None


Steps = Generator[Progress, None, Result]


def finish(work: Steps[Result], report: Callable[[Progress], None] | None = None) -> Result:
    """Run a step to its end and return its result.

    Parameters
    ----------
    work : generator of Progress
        The step. Stop asking for values, and call ``close()``, to cancel one.
    report : callable, optional
        Called with each `Progress`.
    """
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value
        if report is not None:
            report(progress)


def mapped(work: Steps[Result], change: Callable[[Progress], Progress | None]) -> Steps[Result]:
    """Run a step, passing on what `change` makes of its progress; None is left out.

    Closing it closes the step.
    """
    with contextlib.closing(work):
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                return end.value
            changed = change(progress)
            if changed is not None:
                yield changed
