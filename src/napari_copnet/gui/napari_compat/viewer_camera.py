"""The camera of a viewer, wherever napari keeps it."""

from __future__ import annotations

from typing import Any


def camera_of(viewer: Any) -> Any:
    """Return the camera of a viewer.

    Needed since napari 0.9.2, which has it in `viewer.scene`; `viewer.camera` of earlier versions
    is deprecated there.
    """
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
