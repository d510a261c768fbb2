"""The sample that comes with the package is what the package would make."""

import numpy as np

from napari_copnet.gui.samples import tissue
from napari_copnet.synthetic import sample_stack


def test_the_kept_sample_is_the_synthetic_one():
    made, kept = sample_stack(), tissue.sample()
    np.testing.assert_array_equal(kept.data, made.stack.data)
    assert kept.voxel_size == made.stack.voxel_size and kept.name == made.stack.name
    contours, cells = tissue.truth()
    np.testing.assert_array_equal(contours > 0, made.contours > 0)
    np.testing.assert_array_equal(cells, made.cells)
