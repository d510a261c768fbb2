"""A map moved to a threshold: what was above it is above one half, and nothing else changes."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_copnet.progress import Progress
from napari_copnet.steps.threshold import at_threshold, stack_at_threshold, told_at_threshold
from napari_copnet.types import SliceResult, is_contour

THRESHOLDS = st.floats(0.01, 0.99)
MAPS = arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32))


def test_by_hand():
    # odds 1 : 4, 1 : 1 and 4 : 1 over those of 0.2, 1 : 4
    moved = at_threshold(np.float32([0, 0.2, 0.5, 0.8, 1]), 0.2)
    np.testing.assert_allclose(moved, [0, 0.5, 0.8, 16 / 17, 1], rtol=1e-6)
    assert moved.dtype == np.float32


def test_one_half_changes_nothing():
    probability = np.float32([[0.3, 0.7]])
    assert at_threshold(probability, 0.5) is probability
    assert stack_at_threshold(probability, 0.5) is probability


@given(MAPS, THRESHOLDS)
def test_contour_is_what_was_above_the_threshold(probability, threshold):
    moved = at_threshold(probability, threshold)
    clear = np.abs(probability - threshold) > 1e-5
    np.testing.assert_array_equal(is_contour(moved)[clear], (probability > threshold)[clear])
    assert moved.min() >= 0 and moved.max() <= 1
    order = np.argsort(probability, axis=None)
    assert (np.diff(moved.ravel()[order]) >= -1e-6).all()


@given(MAPS, THRESHOLDS)
def test_it_is_a_constant_on_the_logit(probability, threshold):
    inner = np.clip(probability.astype(float), 0.01, 0.99)
    logit = np.log(inner / (1 - inner)) - np.log(threshold / (1 - threshold))
    moved = at_threshold(inner.astype(np.float32), threshold)
    np.testing.assert_allclose(moved, 1 / (1 + np.exp(-logit)), atol=1e-5)


class OnDisk:
    """A stack that is read slice by slice."""

    shape, dtype = (2, 1, 2), np.dtype(np.float32)

    def __getitem__(self, z):
        return np.float32([[0.2, 0.9]]) if z == 0 else np.float32([[0.1, 0.2]])


def test_a_stack_on_disk_stays_there_and_reaches_other_processes():
    lazy = pickle.loads(pickle.dumps(stack_at_threshold(OnDisk(), 0.2)))
    assert not isinstance(lazy, np.ndarray) and lazy.shape == (2, 1, 2)
    np.testing.assert_allclose(lazy[0], [[0.5, 36 / 37]], rtol=1e-6)
    np.testing.assert_allclose(lazy[1], [[4 / 13, 0.5]], rtol=1e-6)


def test_slices_are_told_at_the_threshold_too():
    told = Progress("contours", 1, 2, "slices", "note", SliceResult(4, np.float32([[0.2]])))
    moved = told_at_threshold(told, 0.2)
    assert moved.partial.index == 4 and moved.partial.values == pytest.approx(0.5)
    assert (moved.step, moved.note) == ("contours", "note")
    plain = Progress("contours", 0, 2, "slices")
    assert told_at_threshold(plain, 0.2) == plain
