"""There and back between processed and original frame."""

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_copnet.errors import InputError
from napari_copnet.steps.frame import (
    cells_to_original,
    margin,
    shift_mirrored,
    soft_contour,
    to_original,
    to_processed,
)
from napari_copnet.steps.resize import resize_mask
from napari_copnet.types import Frame


def frame_of(original, processed, shifts=None):
    depth = 1 if shifts is None else len(shifts)
    shifts = np.zeros((1, 2)) if shifts is None else np.asarray(shifts, float)
    return Frame((depth, *original), (depth, *processed), shifts)


@settings(max_examples=60, deadline=None)
@given(
    labels=arrays(np.uint32, (1, 5, 7), elements=st.integers(0, 9)),
    factor=st.integers(1, 4),
    shift=st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    kind=st.sampled_from(["labels", "mask"]),
)
def test_round_trip_is_exact_away_from_margins(labels, factor, shift, kind):
    if kind == "mask":
        labels = (labels > 4).astype(np.uint8)
    frame = frame_of((5, 7), (5 * factor, 7 * factor), [shift])
    back = to_original(to_processed(labels, frame, kind), frame, kind)
    # A pixel came through when none of its copies left the frame.
    y, x = np.mgrid[: 5 * factor, : 7 * factor]
    y, x = y + shift[0], x + shift[1]
    stayed = (y >= 0) & (y < 5 * factor) & (x >= 0) & (x < 7 * factor)
    stayed = stayed.reshape(5, factor, 7, factor).all(axis=(1, 3))
    if kind == "mask":  # the closing line lies beside what was lost
        lost = np.pad(~stayed, 1)
        near = lost[:-2, 1:-1] | lost[2:, 1:-1] | lost[1:-1, :-2] | lost[1:-1, 2:]
        near |= lost[:-2, :-2] | lost[2:, 2:] | lost[:-2, 2:] | lost[2:, :-2]
        stayed &= ~near
    np.testing.assert_array_equal(back[0][stayed], labels[0][stayed])


def test_shift_follows_the_convention_of_frame():
    labels = np.zeros((1, 4, 4), np.uint32)
    labels[0, 1, 2] = 9
    frame = frame_of((4, 4), (8, 8), [(2, -3)])
    processed = to_processed(labels, frame, "labels")
    # (p + 0.5) * 2 - 0.5 + shift for p = (1, 2): centre (4.5, 1.5), so pixels 4-5 by 1-2.
    assert sorted(zip(*np.nonzero(processed[0]), strict=True)) == [(4, 1), (4, 2), (5, 1), (5, 2)]


def test_margin_is_where_no_data_came():
    frame = frame_of((4, 5), (4, 5), [(0, 0), (1, 0), (0, -2)])
    expected = np.zeros((3, 4, 5), bool)
    expected[1, 0] = True
    expected[2, :, 3:] = True
    np.testing.assert_array_equal(margin(frame), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(-9, 9), st.integers(-9, 9))
def test_mirroring_is_that_of_numpy(dy, dx):
    image = np.arange(20).reshape(4, 5)
    padded = np.pad(image, 10, mode="symmetric")
    expected = padded[10 - dy : 14 - dy, 10 - dx : 15 - dx]
    np.testing.assert_array_equal(shift_mirrored(image, (dy, dx)), expected)


def ring(side, radius):
    """A closed one-pixel line that steps diagonally: a diamond."""
    y, x = np.mgrid[:side, :side] - side // 2
    return (np.abs(y) + np.abs(x) == radius).astype(np.uint8)


def parts(mask):
    return cc3d.connected_components((mask == 0).astype(np.uint8), connectivity=4).max()


@pytest.mark.parametrize("original", [(20, 20), (27, 31), (40, 40), (55, 90), (30, 90)])
@pytest.mark.parametrize("shift", [(0, 0), (3, -4)])
def test_a_closed_contour_stays_closed(original, shift):
    mask = ring(41, 15)[None]
    assert parts(mask[0]) == 2
    frame = frame_of(original, (41, 41), [shift])
    back = to_original(mask, frame, "mask")
    assert back.shape[1:] == original and back.dtype == np.uint8
    middle = cc3d.connected_components((back[0] == 0).astype(np.uint8), connectivity=4)
    inside = middle[original[0] // 2, original[1] // 2]
    border = np.concatenate([middle[0], middle[-1], middle[:, 0], middle[:, -1]])
    assert inside > 0 and inside not in border


def test_cells_cut_by_the_edge_of_the_frame_stay_closed():
    mask = np.zeros((1, 12, 12), np.uint8)
    mask[0, 6] = 1  # two cells, one above the other, cut by the right edge
    frame = frame_of((12, 12), (12, 12), [(0, 4)])
    back = to_original(mask, frame, "mask")
    assert parts(back[0, :, :]) == 3  # both, and the area without results
    np.testing.assert_array_equal(back[0, :, :8], mask[0, :, 4:])


def test_a_corner_without_results_is_closed_off():
    mask = np.zeros((1, 12, 12), np.uint8)
    frame = frame_of((12, 12), (12, 12), [(-3, 4)])
    assert parts(to_original(mask, frame, "mask")[0]) == 2


def test_cells_come_back_apart_from_each_other():
    mask = ring(41, 15)[None]
    labels = cc3d.connected_components((mask[0] == 0).astype(np.uint8), connectivity=4)[None]
    cells, closed = cells_to_original(labels, mask, frame_of((20, 20), (41, 41)))
    assert not (cells[closed > 0]).any()
    assert set(np.unique(cells)) == {0, 1, 2}
    for axis in (1, 2):
        a, b = np.delete(cells, 0, axis), np.delete(cells, -1, axis)
        assert not ((a > 0) & (b > 0) & (a != b)).any()


def test_probability_is_averaged_when_it_shrinks():
    checks = np.indices((1, 64, 64)).sum(axis=0) % 2
    back = to_original(checks.astype(np.float32), frame_of((16, 16), (64, 64)), "probability")
    np.testing.assert_allclose(back[0, 2:-2, 2:-2], 0.5, atol=0.05)
    assert back.dtype == np.float32


def test_the_identity_gives_a_copy():
    values = np.arange(12, dtype=np.uint32).reshape(1, 3, 4)
    back = to_original(values, frame_of((3, 4), (3, 4)), "labels")
    np.testing.assert_array_equal(back, values)
    assert not np.shares_memory(back, values)


def test_another_shape_is_refused():
    with pytest.raises(InputError, match="shape"):
        to_original(np.zeros((1, 3, 4)), frame_of((4, 4), (8, 8)), "mask")


def test_a_shrunk_contour_is_as_thin_as_its_probability_and_parts_what_it_parted():
    mask = np.zeros((1, 16, 16), np.uint8)
    mask[0, :, 4:8] = 1  # 4 px wide, and a line of 1 px that covers half a pixel at most
    mask[0, :, 12] = 1
    frame = frame_of((8, 8), (16, 16))
    back = to_original(mask, frame, "mask")[0]
    assert back[4].tolist() == [0, 0, 1, 1, 0, 0, 1, 0]
    assert parts(back) == 3


def test_a_shrunk_contour_takes_its_width_from_the_probability():
    # 5 px wide at a threshold of 0.5, in the middle of which the network is sure
    profile = [0, 0, 0, 0.6, 0.6, 0.9, 0.6, 0.6, 0, 0, 0, 0]
    u = np.tile(np.array(profile, np.float32), (1, 4, 1))
    mask = (u > 0.5).astype(np.uint8)
    frame = frame_of((2, 6), (4, 12))
    assert to_original(mask, frame, "mask")[0, 0].tolist() == [0, 0, 1, 1, 0, 0]
    soft = soft_contour(mask, u, np.zeros_like(u))
    line = to_original(mask, frame, "mask", soft)[0, 0]
    shrunk = to_original(u, frame, "probability")[0, 0]
    assert line.tolist() == (shrunk > 0.5).astype(int).tolist()
    assert line.sum() < mask[0, 0].sum() / 2


@settings(max_examples=40, deadline=None)
@given(
    u=arrays(np.float32, (1, 12, 14), elements=st.floats(0, 1, width=32)),
    start=arrays(np.float32, (1, 12, 14), elements=st.floats(0, 1, width=32)),
)
def test_the_probability_of_a_closed_contour_rounds_to_it_and_parts_what_it_parted(u, start):
    mask = ((u > 0.5) | (start > 0.5)).astype(np.uint8)
    soft = soft_contour(mask, u, start)
    np.testing.assert_array_equal(soft > 0.5, mask > 0)
    frame = frame_of((6, 7), (12, 14))
    back = to_original(mask, frame, "mask", soft)[0]
    areas = cc3d.connected_components((mask[0] == 0).astype(np.uint8), connectivity=4)
    kept = areas[1::2, 1::2]  # the pixels nearest to those of half the size
    left = cc3d.connected_components((back == 0).astype(np.uint8), connectivity=4)
    for part in range(1, left.max() + 1):
        inside = kept[left == part]
        assert len(set(inside[inside > 0].tolist())) <= 1


@pytest.mark.parametrize("plane", [(12, 14), (30, 41), (6, 41), (5, 7)])
@pytest.mark.parametrize("shift", [(0, 0), (2, -3)])
def test_cells_and_contours_come_back_as_by_the_nearest_pixel(plane, shift):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 9, (1, 12, 14)).astype(np.uint32)
    mask = (rng.random((1, 12, 14)) < 0.3).astype(np.uint8)
    frame = frame_of(plane, (12, 14), [shift])
    cells, closed = cells_to_original(labels, mask, frame)
    np.testing.assert_array_equal(closed, to_original(mask, frame, "mask"))
    expected = to_original(labels, frame, "labels")
    expected[closed > 0] = 0
    np.testing.assert_array_equal(cells, expected)
    # An independent way to the nearest label: the centre of each pixel of the original.
    moved = np.zeros_like(labels[0])
    y, x = np.mgrid[:12, :14]
    from_y, from_x = y + shift[0], x + shift[1]
    inside = (from_y >= 0) & (from_y < 12) & (from_x >= 0) & (from_x < 14)
    moved[inside] = labels[0][from_y[inside], from_x[inside]]
    rows, columns = (
        np.floor((np.arange(n) + 0.5) * m / n).astype(int)
        for n, m in zip(plane, (12, 14), strict=True)
    )
    nearest = moved[np.ix_(rows, columns)]
    np.testing.assert_array_equal(to_original(labels, frame, "labels")[0], nearest)


@pytest.mark.parametrize("edge", range(2, 9))
def test_half_a_pixel_is_not_most_of_it(edge):
    mask = np.zeros((20, 20), bool)
    mask[:edge] = True
    seen = resize_mask(mask, (10, 10))
    assert seen[:, 0].tolist() == [row < edge // 2 for row in range(10)]
