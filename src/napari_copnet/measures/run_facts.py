"""What the record of a run says that measures need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_copnet.measures.walls import REACH


def mode_of(record: Mapping[str, Any]) -> str:
    """Return how the cells of a run were joined, from its record; empty where it is not said."""
    settings = record.get("settings")
    cells = settings.get("cells", settings) if isinstance(settings, Mapping) else None
    return str(cells.get("mode", "")) if isinstance(cells, Mapping) else ""


def reach_of(record: Mapping[str, Any]) -> int:
    """Return how far cells reach into walls, px of the results of a run."""
    frame = record.get("frame")
    if not isinstance(frame, Mapping) or frame.get("results") == "processed":
        return REACH
    try:
        original, processed = (frame[f"{name}_shape"][1:] for name in ("original", "processed"))
        ratio = (original[0] * original[1]) / (processed[0] * processed[1])
    except (KeyError, TypeError, IndexError, ZeroDivisionError):
        return REACH
    return max(1, round(REACH * ratio**0.5))
