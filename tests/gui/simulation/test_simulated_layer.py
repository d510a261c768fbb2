"""The simulated map lies over the contours that it was made of, whichever these are."""

import numpy as np
from napari.components import ViewerModel

from napari_copnet.gui.simulation.simulated_layer import SimulatedLayer


def test_it_follows_from_one_truth_to_another():
    viewer = ViewerModel()
    cells = np.zeros((3, 40, 50), np.uint8)
    first = viewer.add_labels(cells, scale=(0.05, 0.01, 0.01), units=("micrometer",) * 3)
    second = viewer.add_labels(cells, scale=(5, 2, 2), affine=np.diag([1.0, 3, 3, 1]))
    shown = SimulatedLayer(viewer)
    for truth, side in ((first, 20), (second, 30)):
        box = (slice(4, 4 + side), slice(6, 6 + side))
        shown.show(np.ones((side, side), np.float32), truth, box)
        layer = viewer.layers["Simulated gaps"]
        assert tuple(layer.units) == tuple(truth.units[-2:])
        for at in ((0, 0), (side - 1, 3)):
            there = truth.data_to_world((0, 4 + at[0], 6 + at[1]))[-2:]
            np.testing.assert_allclose(layer.data_to_world(at), there)
