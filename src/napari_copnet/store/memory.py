"""Arrays in memory, for stacks that fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.store.stage import Values, Workers


class MemoryStage:
    """A step's place in memory, for one time that it is done; see `stage.Stage`."""

    in_memory = True

    def __init__(self) -> None:
        self.value: Any = None
        self.worked = False
        self.workers: Workers | None = None
        self._kept: dict[tuple[str, str], Values] = {}

    def array(self, _name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return zeros: an array that was handed out before does not change."""
        return np.zeros(shape, dtype)

    def recalled(self, phase: str, block: str) -> Values | None:
        """Return the values kept for a block of a phase, or None."""
        return self._kept.get((phase, block))

    def keep(self, phase: str, block: str, values: Values) -> None:
        """Keep the values of a block: it is done."""
        self.worked = True
        self._kept[phase, block] = values

    def drop(self, *_names: str) -> None:
        """Do nothing: what nobody holds is freed."""

    def finish(self, value: Any) -> None:
        """Keep the result of the step alone."""
        self.value = value
        self._kept.clear()


class MemoryStore:
    """Keeps the result of each step in memory; only steps behind a changed setting run again."""

    def __init__(self) -> None:
        self.workers: Workers | None = None
        self._kept: dict[str, tuple[str, MemoryStage]] = {}

    def stage(self, name: str, key: str) -> MemoryStage:
        """Return the place of a step; see `stage.RunStore`."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] == key and kept[1].value is not None:
            kept[1].worked = False
            return kept[1]
        # What a step that was stopped has left is not worth its memory.
        stage = MemoryStage()
        self._kept[name] = key, stage
        return stage
