"""Cells outlined by hand and erased again, and the line between two clicks."""

import cc3d
import numpy as np
import pytest

from napari_copnet.errors import CopnetError
from napari_copnet.params import CellParams
from napari_copnet.proofreading import outlines
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start

SIDE = 60


def opened(tmp_path, contour):
    contour = np.asarray(contour, np.uint8)
    start = Start(contour, contour * np.float32(0.9), cells=CellParams(min_size=0))
    return Session.create(tmp_path / "drawn", start)


def cells(contour):
    """Sizes of the pieces of a slice that contour parts."""
    found = cc3d.connected_components(contour == 0, connectivity=4)
    return sorted(np.bincount(found.ravel())[1:].tolist())


def square(top, left, side):
    """Corners of a square, in order."""
    return [(top, left), (top, left + side), (top + side, left + side), (top + side, left)]


def test_a_closed_line_makes_one_cell_of_all_within(tmp_path):
    contour = np.zeros((1, SIDE, SIDE), np.uint8)
    contour[0, 25:27, 12:38] = 1  # goes through what is outlined, and beyond
    with opened(tmp_path, contour) as session:
        session.apply(outlines.outline(session, [0], square(10, 10, 30)))
        drawn = session.contour[0]
        assert len(cells(drawn)) == 2 and cells(drawn)[0] == 27 * 27
        assert not drawn[12:39, 12:39].any() and drawn[10, 10:41].all()
        with pytest.raises(CopnetError, match="outlined so already"):
            outlines.outline(session, [0], square(10, 10, 30))
        with pytest.raises(CopnetError, match="encloses nothing"):
            outlines.outline(session, [0], [(5, 5), (5, 20)])
        session.undo()
        np.testing.assert_array_equal(session.contour, contour)


def test_what_lies_between_a_line_and_the_next_is_no_cell(tmp_path):
    contour = np.zeros((1, SIDE, SIDE), np.uint8)
    contour[0, :, 10] = contour[0, 4:9, 50] = contour[0, 4:9, 54] = 1
    contour[0, 4, 50:55] = contour[0, 8, 50:55] = 1
    with opened(tmp_path, contour) as session:
        # The left side bends away from the wall and comes back: 12 px lie between them.
        bent = [(20, 12), (24, 13), (28, 12), (28, 40), (20, 40)]
        session.apply(outlines.outline(session, [0], bent))
        sizes = cells(session.contour[0])
        # A small cell that was there, the new one, and the two sides of the wall.
        assert len(sizes) == 4 and sizes[0] == 9
        assert session.contour[0, 22:27, 11].all()


def test_an_open_line_is_led_to_the_contour_at_its_ends(tmp_path):
    contour = np.zeros((2, SIDE, SIDE), np.uint8)
    contour[:, :, 20] = 1
    with opened(tmp_path, contour) as session:
        session.apply(outlines.wall(session, [0], [(30, 23), (34, 40), (30, 57)]))
        assert len(cells(session.contour[0])) == 3 and not session.contour[1, :, 21:].any()
        assert outlines.joined(contour[0], (30, 24)) == (30, 20)
        assert outlines.joined(contour[0], (30, 40)) is None
        assert outlines.joined(contour[0], (57, 40)) == (59, 40)


def test_an_erased_cell_becomes_part_of_its_closest_neighbour(tmp_path):
    contour = np.zeros((1, SIDE, SIDE), np.uint8)
    with opened(tmp_path, contour) as session:
        session.apply(outlines.outline(session, [0], square(10, 10, 20)))
        one = session.contour[0].copy()
        session.apply(outlines.outline(session, [0], [(10, 32), (10, 44), (30, 44), (30, 32)]))
        assert len(cells(session.contour[0])) == 3
        session.apply(outlines.erase_cell(session, [0], (20, 40)))
        # The outline of the other cell stays.
        assert len(cells(session.contour[0])) == 2
        assert session.contour[0][one > 0].mean() > 0.95
        session.apply(outlines.erase_cell(session, [0], (20, 20)))
        assert len(cells(session.contour[0])) == 1 and not session.contour[0].any()
        with pytest.raises(CopnetError, match="no neighbour"):
            outlines.erase_cell(session, [0], (20, 20))


def test_a_line_follows_the_probability_only_where_that_is_sure():
    rows, columns = np.mgrid[:SIDE, :SIDE]
    ridge = np.abs(rows - (30 + 8 * np.sin(columns / 10))) < 1.5
    ends = (round(30 + 8 * np.sin(0.5)), 5), (round(30 + 8 * np.sin(5.0)), 50)
    sure = outlines.span(ridge * np.float32(0.9), *ends)
    assert ridge[tuple(sure.T)].mean() > 0.95
    assert tuple(sure[0]) == ends[0] and tuple(sure[-1]) == ends[1]
    # Unsure, or gone for a fifth of the way: straight.
    gap = ridge & ~((columns > 20) & (columns < 30))
    for probability in (ridge * np.float32(0.4), gap * np.float32(0.9), 0 * ridge):
        path = outlines.span(probability.astype(np.float32), *ends)
        along = (path[:, 1] - ends[0][1]) / (ends[1][1] - ends[0][1])
        straight = ends[0][0] + along * (ends[1][0] - ends[0][0])
        assert np.abs(path[:, 0] - straight).max() <= 0.5
