"""Which layers are what, and the colours of marks."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import ensure_colormap

from napari_copnet.gui.viewer.dock_places import docked

ADDED_COLOUR, REMOVED_COLOUR, STEP_1_COLOUR = "#40c4ff", "#ff5252", "#bdbdbd"
# Under this name the metadata of a layer say that the dock shows and hides it: no list needs it.
INSIDE = "inside"
# Layers that others stand for now: out of sight until `bring_back`.
_aside: weakref.WeakSet[Any] = weakref.WeakSet()
SCORE_COLOURS = {"labelled": "#81c784", "merged": "#ff8a65", "split": "#ba68c8"}


def is_iterations(layer: Any) -> bool:
    """Return whether a layer holds contour probability by iteration."""
    return isinstance(layer, Image) and role_of(layer) == "iterations"


def is_truth(layer: Any) -> bool:
    """Return whether a layer may hold a truth: labels that no run has made."""
    return isinstance(layer, Labels) and not role_of(layer)


def birth_colours(count: int) -> list[str]:
    """Return a colour for Step 1, then from cold to warm for each iteration after it.

    Parameters
    ----------
    count : int
        Iterations, Step 1 included.
    """
    ramp = ensure_colormap("turbo").map(np.linspace(0.12, 0.92, max(1, count - 1)))
    hexes = ["#" + "".join(f"{round(255 * float(v)):02x}" for v in c[:3]) for c in ramp]
    return [STEP_1_COLOUR, *hexes][:count]


def panel_of(viewer: Any) -> Any:
    """Return the workflow dock of a window, or None."""
    return next((w for w in docked(viewer) if hasattr(w, "sources")), None)


def role_of(layer: Any) -> str:
    """Return what a layer of this plugin is for; empty for others."""
    return str((layer.metadata.get("copnet") or {}).get("role", ""))


def put_aside(layers: Iterable[Any]) -> None:
    """Leave layers out of the list of layers, as others stand for them."""
    _aside.update(layers)


def bring_back(layers: Iterable[Any]) -> None:
    """Show layers in the list again."""
    _aside.difference_update(layers)


def is_listed(layer: Any) -> bool:
    """Return whether a user needs a layer in the list of layers.

    Not one that the dock shows and hides, nor one for which another stands, nor a step on the way
    of a run that is not in view.
    """
    kept = layer.metadata.get("copnet") or {}
    if kept.get(INSIDE) or layer in _aside:
        return False
    return bool(layer.visible) or not kept.get("working")


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape for people."""
    return " × ".join(str(n) for n in shape)


def square(colour: str) -> str:
    """Return a coloured square for a legend."""
    return f"<span style='color:{colour}'>■</span>"
