"""The layers of each stack as a group: in view while the stack is chosen, and never lost.

Of a run the list shows the contour and the cells, under the name of their stack; what is on the way
to them is in the list only while it is in view. What the user deletes comes back with a button.
"""

from __future__ import annotations

import contextlib
from typing import Any

from qtpy.QtWidgets import QPushButton

from napari_copnet.gui.napari_compat.hidden_rows import HiddenRows
from napari_copnet.gui.viewer.camera import show_some_slice
from napari_copnet.gui.viewer.layer_roles import is_listed, role_of
from napari_copnet.gui.viewer.placed_layers import WORKING
from napari_copnet.gui.widgets.controls import named


class LayerGroups(QPushButton):
    """A button that brings deleted layers back, hidden where there are none.

    Parameters
    ----------
    panel : WorkflowPanel
        Above whose buttons it stands.
    """

    def __init__(self, panel: Any) -> None:
        super().__init__()
        named(self, "bring_back", "Deleted layers can be brought back until the next run.")
        self._panel, self._viewer = panel, panel.viewer
        self._chosen = panel.stack.layer
        # Of stacks that are not chosen: which of their layers were in view.
        self._seen: dict[Any, list[Any]] = {}
        self._gone: list[tuple[Any, int]] = []
        self._rows: HiddenRows | None = None
        self.clicked.connect(lambda: self.bring_back())
        panel.run_controls.add(self)
        panel.stack.source_changed.connect(self._on_chosen)
        panel.ended.connect(self._on_ended)
        events = self._viewer.layers.events
        self._heard = ((events.inserted, self._on_inserted), (events.removed, self._on_removed))
        for emitter, slot in self._heard:
            emitter.connect(slot)
        self.hide()

    def stop(self) -> None:
        """Let the viewer go."""
        for emitter, slot in self._heard:
            with contextlib.suppress(ValueError):
                emitter.disconnect(slot)

    def watch(self, window: Any) -> None:
        """Keep working layers out of a window's list, from now on."""
        if self._rows is None:
            self._rows = HiddenRows(window, is_listed)
            self._rows.look()

    def bring_back(self) -> None:
        """Add the layers that were deleted, where they were."""
        gone, self._gone = self._gone, []
        for layer, at in reversed(gone):
            if layer not in self._viewer.layers:
                self._viewer.layers.insert(min(at, len(self._viewer.layers)), layer)
        self._offer()

    # Groups ------------------------------------------------------------------

    def _layers_of(self, image: Any) -> list[Any]:
        run = self._panel.runs.of(image)
        made = [] if run is None else run.layers.every
        return [layer for layer in (image, *made) if layer in self._viewer.layers]

    def _on_chosen(self) -> None:
        before, self._chosen = self._chosen, self._panel.stack.layer
        if self._chosen is before or self._chosen is None:
            return
        if before is not None and before in self._viewer.layers:
            self._hide(before)
        shown = self._seen.pop(self._chosen, [self._chosen])
        for layer in shown:
            if layer in self._viewer.layers:
                layer.visible = True
        show_some_slice(self._viewer, self._chosen)

    def _hide(self, image: Any) -> None:
        group = self._layers_of(image)
        shown = [layer for layer in group if layer.visible]
        before = self._seen.get(image)
        if before is not None:
            # Hidden already; a run has ended since, of which all or nothing is in view.
            made = [layer for layer in shown if layer is not image]
            shown = [*([image] if image in before else []), *made] if made else before
        self._seen[image] = shown
        for layer in group:
            layer.visible = False

    def _on_ended(self, source: Any, _state: str) -> None:
        self._gone = []
        self._offer()
        chosen = self._panel.stack.layer
        if (
            chosen is not None
            and source.layer is not chosen
            and source.layer in self._viewer.layers
        ):
            self._hide(source.layer)
        if self._rows is not None:
            self._rows.look()

    # What was deleted --------------------------------------------------------

    def _on_inserted(self, event: Any) -> None:
        if role_of(event.value) in WORKING:
            event.value.events.visible.connect(self._on_visible)

    def _on_visible(self, _: Any = None) -> None:
        if self._rows is not None:
            self._rows.look()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        self._seen.pop(layer, None)
        if any(layer is run.layer or run.layers.is_ours(layer) for run in self._panel.runs.every):
            self._gone.append((layer, event.index))
            self._offer()

    def _offer(self) -> None:
        there = [layer for layer, _ in self._gone if layer not in self._viewer.layers]
        self.setVisible(bool(there) and self._panel.job is None)
        if len(there) == 1:
            self.setText(f"Bring back {there[0].name}")
        else:
            self.setText(f"Bring back {len(there)} layers")
