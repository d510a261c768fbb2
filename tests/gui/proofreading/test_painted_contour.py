"""What napari paints on is indexed as an array, and shows the session where nothing is painted."""

import numpy as np
import pytest

from napari_copnet.gui.proofreading.painted_contour import PaintedContour
from napari_copnet.proofreading.planes import Planes

SHAPE = (4, 6, 8)


class Shown:
    """As much of a session as is looked at."""

    def __init__(self):
        self.array = np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint8)
        self.contour = Planes.of(self.array)
        self.shape = SHAPE


POINTS = (np.array([0, 0, 2]), np.array([1, 5, 3]), np.array([7, 0, 3]))


@pytest.mark.parametrize(
    "key",
    [
        1,
        -1,
        (2, 3, 4),
        (2, slice(1, 4), slice(2, 5)),
        (slice(1, 2), slice(1, 4), slice(2, 5)),
        (slice(None), 3),
        ...,
        (..., 4),
        POINTS,
        (np.int64(1), np.int64(2), np.int64(3)),
    ],
    ids=str,
)
def test_reading_and_writing_are_those_of_an_array(key):
    shown = Shown()
    painted, plain = PaintedContour(shown), shown.array.copy()
    assert np.array_equal(painted[key], plain[key])
    new = 1 - plain[key]
    painted[key], plain[key] = new, new
    assert np.array_equal(painted, plain) and np.array_equal(painted[key], new)
    painted[key], plain[key] = 1, 1
    assert np.array_equal(painted, plain)
    # The session is not touched by it.
    assert np.array_equal(shown.contour, shown.array)


def test_only_slices_painted_on_are_copies_until_they_are_renewed():
    shown = Shown()
    painted = PaintedContour(shown)
    painted[POINTS] = 1 - shown.array[POINTS]
    assert painted.painted == [0, 2]
    painted.renew(0, (slice(1, 2), slice(7, 8)))
    # The other point of slice 0 is still painted.
    assert 0 in painted.painted and painted[0, 1, 7] == shown.array[0, 1, 7]
    assert painted[0, 5, 0] != shown.array[0, 5, 0]
    painted.renew(0, (slice(None), slice(None)))
    painted.renew(2, (slice(3, 4), slice(3, 4)))
    painted.renew(3, (slice(None), slice(None)))
    assert painted.painted == []
    shown.contour.change(1)[2, 2] ^= 1
    assert painted[1, 2, 2] != shown.array[1, 2, 2]
