"""What the dock for simulated gaps can take: true contours, and places where real gaps are."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_copnet.gui.simulation.simulated_layer import ROLE
from napari_copnet.gui.viewer.dock_places import docked
from napari_copnet.gui.viewer.layer_roles import role_of


def truths(viewer: Any) -> list[Any]:
    """Return the layers of a window that may hold true contours."""
    return [layer for layer in viewer.layers if _is_truth(layer)]


def real_gaps(viewer: Any, truth: Any) -> list[tuple[str, Any]]:
    """Return where real gaps can be counted beside a truth, if any.

    Parameters
    ----------
    viewer : napari.Viewer
    truth : Labels or None

    Returns
    -------
    list of (str, layer or Session)
        Each with what to call it.
    """
    if truth is None:
        return []
    found: list[tuple[str, Any]] = [
        (f"{layer.name} against the truth", layer)
        for layer in viewer.layers
        if isinstance(layer, Image | Labels)
        and layer is not truth
        and role_of(layer) not in (ROLE, "iterations")
        and layer.data.shape == truth.data.shape
        and _is_map(layer)
    ]
    session = _session_of(viewer)
    if session is not None and session.shape == stack_of(truth).shape:
        found.append(("gaps fixed in the session", session))
    return found


def position_of(real: Any) -> int | None:
    """Return at which edit a session stands; None for layers."""
    history = getattr(real, "history", None)
    return None if history is None else int(history.position)


def stack_of(layer: Any) -> Any:
    """Return the data of a layer as a stack, shape (Z, Y, X)."""
    data = layer.data
    return data if data.ndim == 3 else data[None]


def _is_truth(layer: Any) -> bool:
    """Whether a layer may hold true contours: labels, but not cells and marks of this plugin."""
    if not isinstance(layer, Labels) or layer.ndim not in (2, 3) or layer.multiscale:
        return False
    role = role_of(layer)
    return role in ("", "closed") or (role == "session" and layer.editable)


def _is_map(layer: Any) -> bool:
    """Whether a layer may be a contour map: probabilities, or a mask."""
    if isinstance(layer, Labels):
        return role_of(layer) in ("", "closed")
    return role_of(layer) != "" or np.dtype(layer.data.dtype).kind == "f"


def _session_of(viewer: Any) -> Any:
    """Return the session that is open in the proofreading dock, or None."""
    sessions = (getattr(widget, "session", None) for widget in docked(viewer))
    return next((session for session in sessions if session is not None), None)
