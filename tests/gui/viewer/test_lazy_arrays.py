"""Arrays computed slice by slice equal the whole array brought back at once."""

import numpy as np
import pytest

from napari_copnet.gui.viewer.lazy_arrays import Grid, Iterations
from napari_copnet.steps.frame import to_original
from napari_copnet.types import Frame


@pytest.fixture
def frame():
    return Frame((3, 10, 12), (3, 20, 24), np.array([[0.0, 0.0], [2.0, -4.0], [-2.0, 6.0]]))


@pytest.mark.parametrize("kind", ["probability", "mask"])
def test_grid_undoes_drift_and_resize(frame, kind):
    rng = np.random.default_rng(0)
    values = (rng.random(frame.processed_shape) > 0.6).astype(np.float32)
    grid = Grid(frame)
    made = grid.array((), np.float32, lambda z: grid.plane(values[z], z, kind))
    np.testing.assert_allclose(np.asarray(made), to_original(values, frame, kind))
    scale, translate = grid.placed(np.array([3.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0]))
    np.testing.assert_allclose(scale, (3, 2, 2))
    np.testing.assert_allclose(translate, 1)


def test_large_slices_stay_at_the_processed_size_in_the_same_place(frame, monkeypatch):
    monkeypatch.setattr("napari_copnet.gui.viewer.lazy_arrays.LARGEST_PLANE", 1)
    large = Frame((3, 40, 48), (3, 20, 24), frame.shifts)
    grid = Grid(large)
    assert not grid.is_original and grid.shape == (3, 20, 24)
    values = np.zeros(large.processed_shape, np.float32)
    # Processed pixel (5, 6) of slice 1, shifted by (2, -4), came from (3, 10) without drift.
    values[1, 5, 6] = 1
    plane = grid.plane(values[1], 1, "probability")
    assert np.argwhere(plane).tolist() == [[3, 10]]
    # Its centre lies over original pixels 6 and 7 along y, 20 and 21 along x.
    scale, translate = grid.placed(np.array([1.0, 1.0, 1.0]), np.zeros(3))
    np.testing.assert_allclose(translate[1:] + scale[1:] * (3, 10), (6.5, 20.5))


def test_iterations_hold_unchanged_slices_once():
    start = [np.full((2, 2), z, np.float16) for z in range(3)]
    iterations = Iterations(start, 10**6)
    iterations.add(1, {1: np.full((2, 2), 0.25, np.float16)})
    assert iterations.slice(1, 0) is start[0]
    assert float(iterations.slice(1, 1)[0, 0]) == 0.25
    assert float(iterations.slice(0, 1)[0, 0]) == 1
    # A closing that starts anew replaces what the last one left.
    iterations.add(2, {0: np.full((2, 2), 0.5, np.float16)})
    iterations.add(1, {2: np.full((2, 2), 0.75, np.float16)})
    assert iterations.numbers == [0, 1]
    assert iterations.slice(1, 1) is start[1]


def test_iterations_stay_within_their_memory():
    start = [np.zeros((10, 10), np.float16)]
    iterations = Iterations(start, 3 * start[0].nbytes)
    for number in range(1, 6):
        iterations.add(number, {0: np.full((10, 10), number, np.float16)})
    assert iterations.numbers == [0, 1, 5]
    assert iterations.dropped == 3
    assert float(iterations.slice(2, 0)[0, 0]) == 5
