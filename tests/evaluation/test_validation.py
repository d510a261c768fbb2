"""Maps and truth at the size networks see."""

import numpy as np
import pytest

from napari_copnet.evaluation.validation import at_network_size
from napari_copnet.training.truth import WIDTH


def test_maps_and_truth_are_resized_together():
    labels = np.ones((2, 30, 40), np.uint16)
    labels[:, :, 20:] = 2
    labels[:, 15:, 20:] = 3
    u = np.full(labels.shape, 0.1, np.float32)
    u[:, :, 19:21] = 0.9
    maps, true = at_network_size(u, labels, size=160)
    assert maps.shape == true.shape == (2, 120, 160)
    assert maps.max() == pytest.approx(0.9, abs=0.05) and maps.min() == pytest.approx(0.1)
    assert true.contours[0, 20, 60:100].sum() == pytest.approx(WIDTH, abs=1)
    assert np.unique(true.slice(0).cells).tolist() == [0, 1, 2, 3]
    kept, same = at_network_size(u, labels, size=0)
    np.testing.assert_array_equal(kept, u)
    assert same.shape == u.shape


def test_what_is_not_annotated_is_not_scored():
    labels = np.ones((1, 30, 40), np.uint16)
    labels[:, :, 20:] = 2
    labels[:, :10, :10] = 0
    _, true = at_network_size(np.zeros(labels.shape, np.float32), labels, 0, "labels", "ignore")
    assert true.slice(0).out[:10, :10].all() and not true.slice(0).out[12:, 12:].any()
