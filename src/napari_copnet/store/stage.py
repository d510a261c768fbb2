"""What a step needs of the place where it works."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

import numpy as np

from napari_copnet.progress import Progress, Steps

# The few numbers that a block returns, by name.
Values = dict[str, np.ndarray]
# A function that does the work of a block of slices.
Work = Callable[[tuple[int, ...], Any], Steps[Values]]


class Workers(Protocol):
    """Other processes that do blocks."""

    def run(
        self, work: Work, blocks: Sequence[tuple[int, ...]], shared: Any
    ) -> Generator[tuple[int, Values] | Progress, None, None]:
        """Do blocks in any order; yield the position and the values of each as it ends."""


class Stage(Protocol):
    """The place of one step of a run, for one state of its inputs and settings.

    Attributes
    ----------
    value : object
        The result of the step where it is kept in memory; else None.
    in_memory : bool
        Whether arrays are NumPy arrays in memory.
    worked : bool
        Whether any block was done, and not only recalled.
    workers : Workers or None
        Who does blocks; None for this process.
    """

    value: Any
    in_memory: bool
    worked: bool
    workers: Workers | None

    def array(self, name: str, /, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return an array by name, indexed slice by slice: what is there, or zeros."""

    def recalled(self, phase: str, block: str, /) -> Values | None:
        """Return the values kept for a block of a phase, or None."""

    def keep(self, phase: str, block: str, values: Values, /) -> None:
        """Keep the values of a block: it is done."""

    def drop(self, *names: str) -> None:
        """Remove arrays that are no longer needed, once all is done."""

    def finish(self, value: Any) -> None:
        """Note the result of the step."""


class RunStore(Protocol):
    """The places of all steps of a run.

    Attributes
    ----------
    workers : Workers or None
        Who does blocks; None for this process.
    """

    workers: Workers | None

    def stage(self, name: str, key: str) -> Stage:
        """Return the place of a step.

        Parameters
        ----------
        name : str
        key : str
            Made of all that goes into the step. What was kept under another key is dropped.
        """
