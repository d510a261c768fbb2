"""Whether a window can be opened at all; imports neither napari nor Qt."""

from __future__ import annotations

import importlib.util
import os
import sys


def has_display() -> bool:
    """Return whether there is a display and napari is installed to open a window on it."""
    if importlib.util.find_spec("napari") is None:
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
