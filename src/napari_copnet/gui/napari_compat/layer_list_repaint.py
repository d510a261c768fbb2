"""The list of layers, spared the painting that shows nothing new.

napari paints a layer's row anew at every event of the layer, of which a change of slice brings a
dozen: with the layers of a run and of a session that takes longer than to draw the image. Needed
in napari 0.9.2, whose model of the list takes all events by `_process_event`.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from qtpy.QtWidgets import QAbstractItemView, QWidget

# The events that change something in a row.
PAINTED = frozenset({"thumbnail", "visible", "name", "loaded", "locked"})


def spare_repaints(window: QWidget | None) -> None:
    """Let the rows of a window's layers be painted only when they change.

    Nothing is changed where napari has other names for its own.
    """
    if window is None:
        return
    with contextlib.suppress(RuntimeError):  # deleted
        views = window.findChildren(QAbstractItemView)
        view = next((view for view in views if type(view).__name__ == "QtLayerList"), None)
        model: Any = view.model() if view is not None else None
        # The list shows the model from its end.
        model = getattr(model, "sourceModel", lambda: model)()
        if not hasattr(model, "_process_event") or "_process_event" in vars(model):
            return
        # A model that held itself would stay until garbage is collected.
        known = weakref.ref(model)

        def process(event: Any) -> None:
            owner = known()
            if owner is not None and event.type in PAINTED:
                type(owner)._process_event(owner, event)

        model._process_event = process
