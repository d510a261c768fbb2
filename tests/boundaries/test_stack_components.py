"""Components of a stack from runs of pixels, against a library and against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_copnet.boundaries.stack_components import StackComponents


def added(free):
    parts = StackComponents(free.shape[1:])
    for plane in free:
        parts.add(plane)
    return parts


def drawn(parts, shape):
    labels = np.full(shape, 99, np.uint32)
    for z in range(shape[0]):
        parts.draw(z, labels[z])
    return labels


stacks = arrays(
    bool, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()
)


@settings(max_examples=200, deadline=None)
@given(stacks)
def test_they_are_those_of_scipy_numbered_by_their_first_pixel(free):
    expected, _ = ndimage.label(free)
    parts = added(free)
    parts.number()
    np.testing.assert_array_equal(drawn(parts, free.shape), expected)
    np.testing.assert_array_equal(parts.counts, [len(set(s[s > 0].tolist())) for s in expected])


@settings(max_examples=100, deadline=None)
@given(stacks, st.integers(0, 6), st.booleans())
def test_small_ones_and_those_at_the_border_are_left_out(free, min_size, remove_border):
    expected, count = ndimage.label(free)
    kept = []
    for number in range(1, count + 1):
        part = expected == number
        inner = np.zeros(free.shape, bool)
        inner[:, 1:-1, 1:-1] = True
        at_border = bool((part & ~inner).any())
        if part.sum(axis=(1, 2)).max() >= min_size and not (remove_border and at_border):
            kept.append(number)
    lookup = np.zeros(count + 1, int)
    lookup[kept] = np.arange(1, len(kept) + 1)
    parts = added(free)
    parts.number(min_size, remove_border)
    labels = drawn(parts, free.shape)
    np.testing.assert_array_equal(labels, lookup[expected])
    assert parts.count == len(kept)
    np.testing.assert_array_equal(parts.counts, [len(set(s[s > 0].tolist())) for s in labels])


@pytest.mark.parametrize("side", [40, 41])
def test_as_many_runs_as_there_can_be_find_room(side):
    """A checkerboard has the most runs, and each slice joins none of its own."""
    free = np.indices((5, side, side)).sum(axis=0) % 2 == 0
    parts = added(free)
    parts.number()
    assert parts.counts.sum() == drawn(parts, free.shape).max() == free.sum()


def test_what_meets_only_in_the_last_slice_is_one():
    """A fork through many slices: late joins reach back to the first slice."""
    free = np.zeros((6, 3, 9), bool)
    free[:, 1, ::2] = True
    free[5, 1] = True
    parts = added(free)
    parts.number()
    labels = drawn(parts, free.shape)
    assert labels.max() == 1 and (labels > 0).sum() == free.sum()
    assert parts.counts.tolist() == [1] * 6
