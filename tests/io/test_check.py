import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.io.check import blank_slices, check_pixels, numbered
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import Stack


def stack_with(*holes):
    data = np.arange(5 * 3 * 3, dtype=np.float32).reshape(5, 3, 3)
    for hole, value in holes:
        data[hole] = value
    return Stack(data, name="tissue")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_slices_are_named(value):
    stack = stack_with(((1, 0, 0), value), ((3, 2, 2), value), ((4, 2, 2), value))
    with pytest.raises(InputError, match=r"Slices 1, 3–4 of tissue .*3 in all") as caught:
        check_pixels(stack)
    assert "repair" in caught.value.hint


def test_finite_stack_is_returned_itself():
    stack = stack_with()
    assert check_pixels(stack) is stack
    whole = Stack(np.ones((2, 2, 2), np.uint8))
    assert check_pixels(whole) is whole


@pytest.mark.parametrize("lazy", [False, True])
def test_repair_takes_the_nearest_pixel_and_slice(lazy):
    stack = stack_with(((1, 0, 0), np.nan), ((4,), np.inf))
    before = stack.data.copy()
    given = stack
    if lazy:
        given = Stack(LazyArray(stack.shape, np.float32, lambda z: stack.data[z]))
    fixed = check_pixels(given, repair=True)
    assert isinstance(fixed.data, LazyArray) is lazy
    values = np.asarray(fixed.data)
    assert values[1, 0, 0] in (before[1, 0, 1], before[1, 1, 0])
    np.testing.assert_array_equal(values[4], before[3])
    untouched = np.isfinite(before)
    np.testing.assert_array_equal(values[untouched], before[untouched])
    assert "10 NaN or infinite pixels" in fixed.notes[0]
    np.testing.assert_array_equal(stack.data, before)


def test_nothing_to_repair_from():
    with pytest.raises(InputError, match="no finite pixel"):
        check_pixels(Stack(np.full((2, 2, 2), np.nan, np.float32)), repair=True)


def test_blank_slices():
    data = np.zeros((4, 2, 2), np.float32)
    data[1, 0, 0] = 1
    data[2] = 7
    data[3] = np.nan
    assert blank_slices(Stack(data)) == (0, 2, 3)


def test_numbered():
    assert numbered([0, 3, 4, 5, 9]) == "0, 3–5, 9"
