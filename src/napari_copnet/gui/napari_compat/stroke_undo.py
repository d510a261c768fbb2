"""Undo and redo of a labels layer, taken over from napari."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any


def replace_undo(layer: Any, undo: Callable[[], Any], redo: Callable[[], Any]) -> None:
    """Let the keys for undo and redo call these instead of a labels layer's own methods.

    napari 0.9.2 keeps a history of strokes in private attributes of the layer, has no signal for
    the two keys, and would write pixels that are stale where something else has changed the data.
    """
    layer.undo, layer.redo = undo, redo


def restore_undo(layer: Any) -> None:
    """Give a layer napari's own methods again."""
    with contextlib.suppress(AttributeError):
        del layer.undo, layer.redo
