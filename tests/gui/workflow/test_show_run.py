"""A finished run in napari."""

import numpy as np
from fake_networks import made_image

from napari_copnet.gui.workflow.show_run import add_run
from napari_copnet.params import CellParams, ClosingParams, PreprocessParams, Settings
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.restored import restore
from napari_copnet.types import Stack, VoxelSize


def test_a_run_overlays_its_stack(make_napari_viewer_proxy, models):
    stack = Stack(made_image(), VoxelSize(0.1, 0.02, 0.02), translate=(0.5, 0.0, 1.0))
    settings = Settings(
        PreprocessParams(size=96, align=False),
        cells=CellParams(min_size=4),
        closing=ClosingParams(keep_iterations=True),
    )
    result = finish(run(stack, settings, load=models))
    restored = finish(restore(result))
    viewer = make_napari_viewer_proxy()
    layers = add_run(viewer, result, restored)
    np.testing.assert_array_equal(layers.layer("cells").data, restored.cells)
    np.testing.assert_array_equal(layers.layer("closed").data, restored.closed)
    np.testing.assert_allclose(
        np.asarray(layers.layer("contours").data), restored.contours, atol=1e-3
    )
    np.testing.assert_allclose(
        np.asarray(layers.layer("iterations").data), restored.iterations, atol=2e-3
    )
    for role in ("contours", "closed", "cells"):
        np.testing.assert_allclose(layers.layer(role).scale, stack.voxel_size)
        np.testing.assert_allclose(layers.layer(role).translate, stack.translate)
    # Editing what is shown leaves the run's own arrays alone.
    layers.layer("closed").paint((0, 5, 5), 1)
    assert restored.closed[0, 5, 5] == 0
