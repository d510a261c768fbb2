"""napari's brush cursor, without what napari 0.9 leaves behind it."""

from __future__ import annotations

import contextlib
from typing import Any


def hide_brush_box(viewer: Any) -> None:
    """Keep napari from drawing a box behind the circle of its brush.

    napari 0.9 gives every overlay a box in the colour of the background. That of the brush holds
    nothing; it comes up when layers change while one paints, and stays on the canvas as a dark
    square of eight pixels where the brush was last. Earlier versions have none.
    """
    with contextlib.suppress(AttributeError, KeyError):
        viewer.canvas.overlays["_brush_circle"].box = False
