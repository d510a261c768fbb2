"""Arrays in memory, for stacks that fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_copnet.store.stage import Values, Workers


class MemoryStage:
    """A step's place in memory; see `stage.Stage`."""

    in_memory = True

    def __init__(self) -> None:
        self.value: Any = None
        self.worked = False
        self.workers: Workers | None = None

    def array(self, _name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return zeros: an array that was handed out before does not change."""
        return np.zeros(shape, dtype)

    def recalled(self, _phase: str, _block: str) -> Values | None:
        """Return None: finished steps are kept as a whole."""
        return None

    def keep(self, _phase: str, _block: str, _values: Values) -> None:
        """Note that a block was done."""
        self.worked = True

    def drop(self, *_names: str) -> None:
        """Do nothing: what nobody holds is freed."""


class MemoryStore:
    """Keeps the result of each step in memory; only steps behind a changed setting run again."""

    def __init__(self) -> None:
        self.workers: Workers | None = None
        self._kept: dict[str, tuple[str, MemoryStage]] = {}

    def stage(self, name: str, key: str) -> MemoryStage:
        """Return the place of a step; see `stage.RunStore`."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] == key:
            kept[1].worked = False
            return kept[1]
        stage = MemoryStage()
        self._kept[name] = key, stage
        return stage
