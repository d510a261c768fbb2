"""The sample that comes with the package is what the package would make."""

import numpy as np
import pytest

from napari_copnet.gui.samples import tissue
from napari_copnet.gui.stages.sample import _result
from napari_copnet.progress import finish
from napari_copnet.synthetic import sample_stack
from napari_copnet.verdict.types import GREEN


def test_the_kept_sample_is_the_synthetic_one():
    made, kept = sample_stack(), tissue.sample()
    np.testing.assert_array_equal(kept.data, made.stack.data)
    assert kept.voxel_size == made.stack.voxel_size and kept.name == made.stack.name
    contours, cells = tissue.truth()
    np.testing.assert_array_equal(contours > 0, made.contours > 0)
    np.testing.assert_array_equal(cells, made.cells)


def test_the_kept_result_has_the_verdict_of_its_run():
    result = finish(_result(tissue.sample()))
    assert result.verdict is not None and result.verdict.light == GREEN
    # Measured on what is kept beside it.
    counts = result.cells.counts
    assert result.verdict.measures["cells_per_slice"] == pytest.approx(np.mean(counts), abs=1e-3)
    assert result.verdict.size == max(result.preprocessed.frame.processed_shape[1:])
