"""A second canvas beside the first: another iteration, with camera and slice linked."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.qt import QtViewer
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QLabel, QWidget

from napari_copnet.gui.napari_compat.viewer_camera import camera_of
from napari_copnet.gui.viewer.layer_source import frame_of
from napari_copnet.gui.viewer.world import unit_ratio
from napari_copnet.gui.widgets.controls import column_in
from napari_copnet.lazy_array import LazyArray

_CAMERA = ("center", "zoom", "angles", "perspective")


class SecondCanvas(QWidget):
    """Show one iteration beside the window's own canvas.

    Parameters
    ----------
    viewer : napari.Viewer
        The window; moving or zooming either side moves both.
    layer : napari.layers.Image
        Contour probability by iteration, shape (I, Z, Y, X).
    position : int
        Of the iteration along the first axis.

    Attributes
    ----------
    model : ViewerModel
        Of this side.
    """

    def __init__(self, viewer: Any, layer: Any, position: int) -> None:
        super().__init__()
        self.viewer, self.layer, self.position = viewer, layer, position
        self.model = ViewerModel()
        self.setObjectName("copnet_twin")
        self.setMinimumSize(240, 200)
        self._is_following = False
        self._is_closed = False
        self._title = QLabel()
        self._title.setContentsMargins(6, 4, 6, 2)
        column = column_in(self, 0)
        column.addWidget(self._title)
        self._qt = QtViewer(self.model)
        # The first side's sliders move both; a second set would take room.
        self._qt.dims.hide()
        column.addWidget(self._qt, 1)
        image = _image_under(viewer, layer)
        if image is not None:
            self.model.add_layer(_copied(image))
        self._contour = Image(
            self._data(),
            name="Contour probability",
            colormap=layer.colormap.name,
            blending="additive",
            opacity=layer.opacity,
            contrast_limits=layer.contrast_limits,
            **frame_of(layer, lead=1),
        )
        self.model.add_layer(self._contour)
        self.model.theme = viewer.theme
        for mine, theirs in ((self.model, self._on_mine), (viewer, self._on_theirs)):
            for name in _CAMERA:
                getattr(camera_of(mine).events, name).connect(theirs)
            mine.dims.events.current_step.connect(theirs)
            mine.dims.events.ndisplay.connect(theirs)
        layer.events.data.connect(self._on_data)
        self._on_theirs()

    def choose(self, position: int, name: str) -> None:
        """Show another iteration."""
        self._title.setText(name)
        if position != self.position:
            self.position = position
            self._contour.data = self._data()

    def finish(self) -> None:
        """Unlink, and let the canvas and its layers go."""
        if self._is_closed:
            return
        self._is_closed = True
        for mine, theirs in ((self.model, self._on_mine), (self.viewer, self._on_theirs)):
            for name in _CAMERA:
                getattr(camera_of(mine).events, name).disconnect(theirs)
            mine.dims.events.current_step.disconnect(theirs)
            mine.dims.events.ndisplay.disconnect(theirs)
        with contextlib.suppress(ValueError):
            self.layer.events.data.disconnect(self._on_data)
        self.model.layers.clear()
        canvas, self._qt = self._qt, None
        with contextlib.suppress(RuntimeError):
            canvas.close()
            canvas.setParent(None)
            canvas.deleteLater()

    def event(self, event: QEvent | None) -> bool:
        """Let the canvas go before Qt deletes it."""
        if event is not None and event.type() == QEvent.Type.DeferredDelete:
            self.finish()
        return bool(super().event(event))

    def _data(self) -> Any:
        data, at = self.layer.data, min(self.position, self.layer.data.shape[0] - 1)
        if isinstance(data, np.ndarray):
            return data[at]
        return LazyArray(data.shape[1:], data.dtype, lambda *lead: data[(at, *lead)])

    def _on_data(self) -> None:
        self._contour.data = self._data()

    def _on_mine(self) -> None:
        self._follow(self.viewer, self.model)

    def _on_theirs(self) -> None:
        self._follow(self.model, self.viewer)

    def _follow(self, follower: Any, leader: Any) -> None:
        if self._is_following or self._is_closed:
            return
        self._is_following = True
        try:
            if follower.dims.ndisplay != leader.dims.ndisplay:
                follower.dims.ndisplay = leader.dims.ndisplay
            count = min(follower.dims.ndim, leader.dims.ndim, 3)
            units = _ratio(follower, leader, count)
            point = np.asarray(leader.dims.point[-count:]) * units
            axes = range(follower.dims.ndim - count, follower.dims.ndim)
            shown = leader.dims.ndisplay
            if count > shown:
                follower.dims.set_point(list(axes)[:-shown], point[:-shown])
            for name in _CAMERA:
                value = getattr(camera_of(leader), name)
                if name == "zoom":
                    value = value / float(units[-1])
                elif name == "center":
                    value = (*value[: 3 - count], *(np.asarray(value[-count:]) * units).tolist())
                if getattr(camera_of(follower), name) != value:
                    setattr(camera_of(follower), name, value)
        finally:
            self._is_following = False


def _ratio(follower: Any, leader: Any, count: int) -> np.ndarray:
    """Return how many units of one viewer one of another is, along the last axes."""
    one, other = (getattr(viewer.dims, "units", None) or () for viewer in (leader, follower))
    if min(len(one), len(other)) < count:
        return np.ones(count)
    return unit_ratio(one[-count:], other[-count:])


def _image_under(viewer: Any, layer: Any) -> Any:
    """Return the grey image that an iterations layer lies over, or None."""
    for other in viewer.layers:
        is_grey = isinstance(other, Image) and "copnet" not in other.metadata and not other.rgb
        if is_grey and other.visible and other.ndim == layer.ndim - 1 and not other.multiscale:
            return other
    return None


def _copied(image: Any) -> Image:
    return Image(
        image.data,
        name=image.name,
        colormap=image.colormap.name,
        contrast_limits=image.contrast_limits,
        gamma=image.gamma,
        **frame_of(image),
    )
