"""The viewer behind the proxy that napari hands to plugins."""

from __future__ import annotations

from typing import Any


def bare_viewer(viewer: Any) -> Any:
    """Return the viewer itself.

    Up to napari 0.9.2 a plugin is given a proxy that wraps a layer anew each time it is asked for;
    layers held as objects need the viewer itself. Nothing private is used of it.
    """
    return getattr(viewer, "__wrapped__", viewer)
