"""Give a layer other data, also while it is hidden."""

from __future__ import annotations

from typing import Any


def set_data(layer: Any, data: Any) -> None:
    """Give a layer data that may have another shape or number of axes.

    napari measures a layer anew only while it is visible: the sliders keep the length of a hidden
    layer's data before, and with another number of axes they raise an error.

    Parameters
    ----------
    layer : napari.layers.Layer
    data : array_like
        Of the type that the layer takes.
    """
    if layer.visible:
        layer.data = data
        return
    with layer.events.visible.blocker():
        layer.visible = True
        layer.data = data
        layer.visible = False
