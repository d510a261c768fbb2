"""The view of an open session: go to a slice, a position or an item of the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_copnet.gui.napari_compat.canvas_widget import canvas_of
from napari_copnet.gui.proofreading.overlays import Overlays
from napari_copnet.gui.proofreading.session_layers import SessionLayers
from napari_copnet.gui.viewer.camera import fly_to, is_in_view


class SessionCamera:
    """Brings parts of a session into view.

    Parameters
    ----------
    viewer : napari.Viewer
    layers : SessionLayers
    marks : Overlays
        Outline the item in question.
    window : callable
        Returns the window, which has the canvas.
    """

    def __init__(
        self,
        viewer: Any,
        layers: SessionLayers,
        marks: Overlays,
        window: Callable[[], QWidget | None],
    ) -> None:
        self._viewer, self._layers, self._marks, self._window = viewer, layers, marks, window

    def slice(self, z: int) -> None:
        """Show a slice; the camera stays."""
        fly_to(self._viewer, self._layers.contour, z, None, 0, None)

    def nearest(self, slices: Collection[int]) -> None:
        """Show the nearest of some slices, unless one of them is in view."""
        if slices and self._layers.z not in slices:
            self.slice(min(slices, key=lambda z: abs(z - self._layers.z)))

    def place(self, z: int, place: tuple[float, float] | None) -> None:
        """Show a slice, and move the camera only where the place is out of sight."""
        canvas, layer = canvas_of(self._window()), self._layers.contour
        if place is not None and is_in_view(self._viewer, layer, place, canvas):
            place = None
        fly_to(self._viewer, layer, z, place, 0, canvas)

    def shows(self, item: Any) -> bool:
        """Whether an item of the queue is in view: one of its slices, and its middle."""
        viewer, layer = self._viewer, self._layers.contour
        if viewer.dims.ndisplay == 3 or self._layers.z not in {p.z for p in item.patches}:
            return False
        return not item.patch.count or is_in_view(
            viewer, layer, item.centre, canvas_of(self._window())
        )

    def outline(self, item: Any) -> None:
        """Show an item of the queue where it is; None shows none."""
        patches = item.patches if item is not None else ()
        self._marks.item(patches)
        self._layers.areas.ask(patches)
        self._layers.renew_areas()

    def item(self, item: Any) -> None:
        """Show an item of the queue and fly to it."""
        patch = item.patch
        # Another slice is drawn with its marks anyway.
        stays = item.z == self._layers.z
        self._marks.item(item.patches, at_once=stays)
        self._layers.areas.ask(item.patches)
        self._layers.renew_areas(at_once=stays)
        fly_to(
            self._viewer,
            self._layers.contour,
            item.z,
            item.centre if patch.count else None,
            max(patch.height, patch.width),
            canvas_of(self._window()),
        )
