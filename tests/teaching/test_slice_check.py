"""Checks on slices that can be drawn by hand: squares of 19 px between lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_copnet.params import CheckParams
from napari_copnet.teaching.slice_check import check_slice, without_islands


@pytest.fixture
def squares():
    contour = np.zeros((81, 81), np.uint8)
    contour[::20] = contour[:, ::20] = 1
    return contour


def places(contour, **more):
    return [(one.kind, one.y, one.x) for one in check_slice(contour, **more)]


def test_closed_squares_are_fine(squares):
    assert places(squares) == []


def test_a_gap_shows_as_an_open_end(squares):
    squares[20, 22:28] = 0
    # the other end is two pixels from its fork: a rough edge
    assert places(squares) == [("open contour", 20, 28)]
    found = check_slice(squares)[0]
    assert found.size == pytest.approx(12, abs=1)
    assert places(squares, params=CheckParams(dangling=20)) == []


def test_a_thick_stub_is_measured_from_the_edge_of_the_line(squares):
    thick = np.zeros((81, 81), np.uint8)
    for at in range(0, 81, 20):
        thick[max(at - 2, 0) : at + 3] = 1
        thick[:, max(at - 2, 0) : at + 3] = 1
    stub = thick.copy()
    # 7 px beyond the edge of a line of 5 px
    stub[22:30, 29:32] = 1
    assert places(stub) == []
    longer = thick.copy()
    longer[22:36, 29:32] = 1
    assert [kind for kind, *_ in places(longer)] == ["open contour"]


def test_an_end_at_the_border_goes_on_beyond_it():
    line = np.zeros((60, 60), np.uint8)
    line[30] = 1
    assert places(line, params=CheckParams(island=0)) == []
    out = np.zeros((60, 60), bool)
    out[:, :20] = True
    short = line.copy()
    short[:, :18] = 0
    assert places(short, params=CheckParams(island=0), excluded=out) == []
    assert [kind for kind, *_ in places(short, params=CheckParams(island=0))] == ["open contour"]


def test_a_cell_without_contour_is_large():
    contour = np.zeros((81, 81), np.uint8)
    contour[::8] = contour[:, ::8] = 1
    contour[1:32, 1:32] = 0
    found = check_slice(contour, CheckParams(island=0))
    assert [(one.kind, one.size) for one in found] == [("large cell", 31 * 31)]
    assert 14 <= found[0].y <= 18 and 14 <= found[0].x <= 18
    assert check_slice(contour, CheckParams(island=0, large=30)) == []


def test_nothing_drawn_is_one_finding_not_none():
    found = check_slice(np.zeros((20, 20)))
    assert [one.kind for one in found] == ["large cell"]
    assert check_slice(np.zeros((20, 20)), excluded=np.ones((20, 20), bool)) == []


def test_islands_of_contour_and_cell_are_named_but_not_at_the_border(squares):
    squares[30, 30] = 1
    squares[44:47, 45:48] = 1
    squares[45, 46] = 0
    squares[0:3, 5] = 1
    found = {(one.kind, one.y, one.x, one.size) for one in check_slice(squares)}
    assert found == {
        ("tiny island", 30, 30, 1.0),
        ("tiny island", 45, 47, 8.0),
        ("tiny island", 45, 46, 1.0),
    }
    assert places(squares, params=CheckParams(island=0)) == []


def test_islands_are_removed_and_nothing_else(squares):
    clean = squares.copy()
    squares[30, 30] = 1
    squares[44:47, 45:48] = 1
    squares[45, 46] = 0
    # a hole in a thick line, which is no island of contour
    squares[18:23, 62:70] = 1
    thick = squares.copy()
    squares[20, 65] = 0
    expected = np.where(clean | (np.indices(clean.shape)[1] > 60), thick, 0)
    np.testing.assert_array_equal(without_islands(squares), expected > 0)
    assert places(without_islands(squares)) == []
    # not as tiny as that, or not looked at
    kept = without_islands(squares, 1)
    np.testing.assert_array_equal(kept, squares > 0)
    out = np.zeros(squares.shape, bool)
    out[25:50] = True
    np.testing.assert_array_equal(without_islands(squares, excluded=out)[25:50], squares[25:50] > 0)


def test_pieces_at_the_border_are_kept(squares):
    squares[0:3, 5] = 1
    np.testing.assert_array_equal(without_islands(squares), squares > 0)


@given(arrays(bool, (16, 16)), st.integers(0, 12))
def test_no_island_is_left(contour, smallest):
    left = check_slice(without_islands(contour, smallest), CheckParams(island=smallest))
    assert not [one for one in left if one.kind == "tiny island"]


def test_a_slice_that_is_all_contour_is_one_finding():
    (found,) = check_slice(np.ones((20, 20)))
    assert found.kind == "open contour" and "all contour" in found.text
    out = np.zeros((20, 20), bool)
    out[:, 10:] = True
    (found,) = check_slice(~out, excluded=out)
    assert "all contour" in found.text
