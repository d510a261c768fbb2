"""Shapes of parts, and of parts put together, against the pixels themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import ConvexHull

from napari_copnet.boundaries.shapes import shapes


def of(parts, distance=None):
    parts = np.array(parts)
    return shapes(parts, np.zeros(parts.shape) if distance is None else np.array(distance))


def test_a_square_has_no_bay_and_an_angle_has_one():
    square, angle = of(
        [
            [1, 1, 0, 2, 0, 0],
            [1, 1, 0, 2, 0, 0],
            [0, 0, 0, 2, 2, 2],
        ]
    )[1:]
    assert (square.area, square.solidity) == (4, 1.0)
    # Its hull is the 3×3 square without the triangle between (0, 1), (2, 3) and (0, 3).
    assert (angle.area, angle.solidity) == (5, pytest.approx(5 / 7))


def test_a_number_that_does_not_occur_has_no_shape():
    found = of([[0, 3], [0, 3]])
    assert [shape is None for shape in found] == [True, True, True, False]


def test_the_depth_of_parts_together_is_the_greater_one():
    one, two = of([[1, 1, 2, 2]], [[1.0, 2.0, 3.0, 1.5]])[1:]
    assert (one.depth, two.depth, (one + two).depth) == (2.0, 3.0, 3.0)


@given(hnp.arrays(np.int64, (7, 8), elements=st.integers(0, 2)))
def test_parts_together_have_the_hull_of_all_their_pixels(parts):
    if not ((parts == 1).any() and (parts == 2).any()):
        return
    one, two = of(parts)[1:]
    y, x = np.nonzero(parts)
    corners = np.concatenate([np.stack([y + a, x + b], axis=1) for a in (0, 1) for b in (0, 1)])
    both = one + two
    assert both.area == len(y)
    assert both.solidity == pytest.approx(len(y) / ConvexHull(corners).volume)
