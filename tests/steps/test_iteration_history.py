"""Iterations drawn by hand: what came, what went, and when."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_copnet.errors import InputError
from napari_copnet.progress import finish
from napari_copnet.steps.iteration_history import (
    ADDED,
    REMOVED,
    births,
    changed_share,
    contour_after,
    difference,
)


def drawn(*rows):
    """One slice of one row for each iteration; # is contour."""
    values = [[[0.9 if c == "#" else 0.1 for c in row]] for row in rows]
    return np.array(values, np.float16)[:, None]


def row(array):
    return array[0, 0].tolist()


def test_difference_marks_added_and_removed():
    stack = drawn("##..", ".#.#")
    assert row(finish(difference(stack, 0, 1, unite=False))) == [REMOVED, 0, 0, ADDED]


def test_difference_with_union_never_loses_step_1():
    stack = drawn("##..", ".#.#")
    assert row(finish(difference(stack, 0, 1))) == [0, 0, 0, ADDED]


def test_difference_backwards_swaps_the_signs():
    stack = drawn("##..", ".#.#")
    assert row(finish(difference(stack, 1, 0, unite=False))) == [ADDED, 0, 0, REMOVED]


def test_births_count_from_step_1():
    stack = drawn("#....", "##...", "##.#.")
    assert row(finish(births(stack))) == [1, 2, 0, 3, 0]


def test_births_count_from_the_return_of_a_pixel():
    stack = drawn("#.", "..", "#.")
    assert row(finish(births(stack, unite=False))) == [3, 0]
    assert row(finish(births(stack))) == [1, 0]


def test_half_is_no_contour_as_in_closing():
    stack = np.full((1, 1, 1, 2), 0.5, np.float32)
    assert not contour_after(stack, 0, 0).any()


def test_changed_share_counts_rounded_pixels_without_union():
    stack = drawn("##..", ".#.#", ".#.#")
    assert changed_share(stack, 1) == 0.5
    assert changed_share(stack, 2) == 0.0


@given(arrays.arrays(np.float32, (3, 2, 3, 4), elements=st.floats(0, 1, width=32)), st.booleans())
def test_laws(stack, unite):
    born = finish(births(stack, unite))
    last = np.stack([contour_after(stack, 2, z, unite) for z in range(2)])
    assert np.array_equal(born > 0, last)
    there = finish(difference(stack, 0, 2, unite))
    # What was added since Step 1 was born later; what was removed is gone.
    assert (born[there == ADDED] > 1).all()
    assert (born[there == REMOVED] == 0).all()


def test_lazy_arrays_are_read_slice_by_slice():
    class Lazy:
        shape = (2, 3, 1, 2)

        def __getitem__(self, at):
            assert len(at) == 2
            return np.full((1, 2), 0.9 if at[0] else 0.1)

    assert (finish(births(Lazy())) == 2).all()


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 0, 4, 4)])
def test_arrays_without_iterations_are_refused(shape):
    with pytest.raises(InputError, match="does not hold iterations"):
        finish(births(np.zeros(shape)))


def test_an_iteration_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no iteration 2"):
        finish(difference(drawn("#.", "##"), 0, 2))
