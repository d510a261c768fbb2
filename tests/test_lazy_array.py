"""The array that reads or computes a slice when it is asked for indexes as NumPy's own does."""

import numpy as np
import pytest

from napari_copnet.lazy_array import LazyArray


@pytest.fixture
def data():
    return np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


@pytest.fixture
def made(data):
    return LazyArray(data.shape, data.dtype, lambda i, z: data[i, z])


@pytest.mark.parametrize(
    "key",
    [
        np.s_[1],
        np.s_[1, 2],
        np.s_[-1, :, 2],
        np.s_[:, 1, 1:3, ::2],
        np.s_[..., 0],
        np.s_[0, ..., 3],
        np.s_[1, 2, 3, 4],
        np.s_[:],
        np.s_[1:, 0:2],
        np.s_[2:, :],
        np.s_[[1, 0]],
        np.s_[:, [True, False, True]],
        np.s_[1, :, ...],
    ],
    ids=str,
)
def test_it_indexes_like_an_array(data, made, key):
    np.testing.assert_array_equal(made[key], data[key])
    assert made[key].shape == data[key].shape
    assert made[key].dtype == data.dtype


def test_the_whole_of_it_is_an_array(data, made):
    np.testing.assert_array_equal(np.asarray(made), data)
    assert np.asarray(made, np.float32).dtype == np.float32
    assert (made.ndim, made.size, made.nbytes, len(made)) == (4, data.size, data.nbytes, 2)
    with pytest.raises(ValueError, match="without a copy"):
        made.__array__(copy=False)


@pytest.mark.parametrize("key", [np.s_[2], np.s_[0, -4], np.s_[0, 0, 4], np.s_[0, 0, 0, 0, 0]])
def test_what_lies_outside_is_an_index_error(made, key):
    with pytest.raises(IndexError):
        made[key]


def test_an_image_has_one_plane():
    image = np.arange(20.0).reshape(4, 5)
    made = LazyArray(image.shape, float, lambda: image)
    np.testing.assert_array_equal(made[1:, 2], image[1:, 2])
    np.testing.assert_array_equal(np.asarray(made), image)


def test_planes_are_converted_and_belong_to_the_caller():
    plane = np.full((2, 2), 300.0)
    made = LazyArray((3, 2, 2), np.uint16, lambda _: plane)
    made[1][:] = 0
    assert made[1].dtype == np.uint16
    assert plane.min() == made[1, 0, 0] == 300


def test_only_the_plane_asked_for_is_computed():
    asked = []

    def plane(z):
        asked.append(z)
        return np.zeros((2, 2))

    made = LazyArray((100, 2, 2), float, plane)
    made[7]
    made[:, 0, 0]
    assert asked[0] == 7 and asked[1:] == list(range(100))
