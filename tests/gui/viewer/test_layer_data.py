"""Layers take other data while they are hidden."""

import numpy as np
import pytest

from napari_copnet.gui.viewer.layer_data import set_data


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (5, 8, 8), (2, 3, 8, 8)])
def test_sliders_follow_a_layer_in_view_or_not(make_napari_viewer, visible, shape):
    viewer = make_napari_viewer()
    axes = ("z", "y", "x")
    viewer.add_image(np.zeros((3, 8, 8), np.uint8), axis_labels=axes)
    layer = viewer.add_image(np.zeros((3, 8, 8), np.uint8), axis_labels=axes)
    layer.visible = visible
    told = []
    layer.events.visible.connect(told.append)
    set_data(layer, np.ones(shape, np.uint8))
    assert viewer.dims.ndim == len(shape)
    assert viewer.dims.nsteps[: len(shape) - 2] == shape[:-2]
    assert layer.visible is visible and not told
    viewer.add_labels(np.zeros((3, 8, 8), np.uint8))
