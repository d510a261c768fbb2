"""Gestures on drawn slices: what becomes of the cells, in one slice and in a range."""

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.errors import CopnetError
from napari_copnet.params import CellParams
from napari_copnet.proofreading import edit_tools, paths
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start


def count(session, z):
    return np.count_nonzero(np.unique(session.ids(z)))


def opened(tmp_path, contour, step1=None, iterations=None):
    contour = np.asarray(contour, np.uint8)
    start = Start(
        contour,
        contour * np.float32(0.9) if step1 is None else step1,
        iterations=iterations,
        cells=CellParams(min_size=0),
    )
    return Session.create(tmp_path / "drawn", start)


def test_one_click_into_a_gap_closes_it(session):
    edit = edit_tools.close_gap(session, [1], [(3, 4)])
    assert sum(flip.patch.count for flip in edit.flips) == 1
    session.apply(edit)
    assert count(session, 1) == 2 and session.contour[1, 3, 4] == 1
    with pytest.raises(CopnetError, match="no gap here"):
        edit_tools.close_gap(session, [1], [(3, 4)])


def test_a_click_beside_the_gap_means_it_too(tmp_path):
    contour = np.zeros((1, 30, 31), np.uint8)
    contour[0, :, 15] = 1
    contour[0, 12:18, 15] = 0
    step1 = contour * np.float32(0.9)
    # A weak ridge bends to the right in the gap.
    ridge = [(12, 16), (13, 17), (14, 17), (15, 17), (16, 17), (17, 16)]
    for y, x in ridge:
        step1[0, y, x] = 0.4
    with opened(tmp_path, contour, step1) as session:
        session.apply(edit_tools.close_gap(session, [0], [(15, 17)]))
        assert count(session, 0) == 2
        assert all(session.contour[0, y, x] for y, x in ridge)
        assert session.contour[0, :, :15].sum() == 0


def test_clicks_along_a_gap_are_led_through_and_end_on_the_contour(tmp_path):
    contour = np.zeros((1, 9, 40), np.uint8)
    contour[0, 4, :10] = contour[0, 4, 30:] = 1
    with opened(tmp_path, contour) as session:
        session.apply(edit_tools.close_gap(session, [0], [(5, 12), (7, 20), (4, 27)]))
        assert count(session, 0) == 2 and session.contour[0, 7, 20] == 1


def test_a_range_is_closed_where_it_is_open(tmp_path):
    contour = two_rooms(4)
    contour[2, 3, 4] = 0
    with opened(tmp_path, contour) as session:
        edit = edit_tools.close_gap(session, [1, 2, 3], [(3, 4)])
        assert edit.slices == (1, 2)
        session.apply(edit)
        assert [count(session, z) for z in range(4)] == [2, 2, 2, 2]
        session.undo()
        assert [count(session, z) for z in range(4)] == [2, 1, 1, 2]


def test_a_stub_that_parts_nothing_is_not_proposed(tmp_path):
    contour = np.zeros((1, 40, 40), np.uint8)
    contour[0, [0, -1]] = contour[0, :, [0, -1]] = 1
    # Two vesicles: a line between them and the side of the cell parts nothing.
    contour[0, 10:13, 18:21] = contour[0, 17:20, 18:21] = 1
    with opened(tmp_path, contour) as session:
        with pytest.raises(CopnetError, match="no line through the click divides the cell"):
            edit_tools.close_gap(session, [0], [(14.5, 19)])
        led = edit_tools.close_gap(session, [0], [(12, 19), (17, 19)])
        assert not edit_tools.parts_cells(session, led)
        across = edit_tools.split(session, [0], [(1, 19), (38, 19)])
        assert edit_tools.parts_cells(session, across)


def test_no_contour_within_reach_is_told(tmp_path):
    with (
        opened(tmp_path, np.zeros((1, 20, 20))) as session,
        pytest.raises(CopnetError, match="no contour near"),
    ):
        edit_tools.close_gap(session, [0], [(10, 10)])


def test_draw_and_erase_take_each_other_back(session):
    before = session.contour.copy()
    line = [(1, 0), (1, 3)]
    session.apply(edit_tools.draw(session, [0, 1], line))
    assert session.contour[0, 1].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert count(session, 0) == 3
    session.apply(edit_tools.erase(session, [0, 1], line))
    assert np.array_equal(session.contour, before)
    with pytest.raises(CopnetError, match="no contour"):
        edit_tools.erase(session, [0], line)


def test_a_wide_stroke_is_a_disk():
    assert paths.stroke((5, 5), [(2, 2)], 5).astype(int).tolist() == [
        [0, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [0, 1, 1, 1, 0],
    ]
    assert paths.stroke((5, 5), [(-3, 2), (9, 2)])[:, 2].all()


def test_a_painted_slice_becomes_an_edit(session):
    contour = session.contour[2].copy()
    contour[0] = 1
    session.apply(edit_tools.painted(session, 2, contour))
    assert np.array_equal(session.contour[2], contour)


def test_a_line_splits_a_cell_and_is_led_to_the_contour_ahead(session):
    session.apply(edit_tools.close_gap(session, [1], [(3, 4)]))
    session.apply(edit_tools.split(session, [0, 2], [(3, 1), (3, 2)]))
    for z in (0, 2):
        # Ahead of the second end is the wall, ahead of the first the side of the slice.
        assert session.contour[z, 3, :5].all() and count(session, z) == 3
    with pytest.raises(CopnetError, match="no cell"):
        edit_tools.split(session, [0], [(0, 4), (1, 4)])


def test_a_line_from_side_to_side_splits(session):
    session.apply(edit_tools.split(session, [0], [(3, 0), (3, 4)]))
    assert count(session, 0) == 3 and count(session, 2) == 2
    with pytest.raises(CopnetError, match="does not split"):
        edit_tools.split(session, [2], [(1, 1), (1, 1)])


def test_two_clicks_merge_in_a_range_and_leave_a_third_cell(tmp_path):
    contour = two_rooms(2, 9, 11)
    contour[1, 4, 5] = 1
    contour[:, 4, 5:] = 1
    with opened(tmp_path, contour) as session:
        assert count(session, 0) == 3
        session.apply(edit_tools.merge(session, [0, 1], (1, 2), (1, 8)))
        for z in (0, 1):
            assert count(session, z) == 2
            assert session.id_at(z, 1, 2) == session.id_at(z, 1, 8)
            assert session.id_at(z, 6, 8) not in (0, session.id_at(z, 1, 2))
        session.undo()
        assert count(session, 1) == 3


def _wall_of(thickness, height=40, width=60):
    """Two rooms with a wall of some thickness, by row, down the middle; a third room below."""
    contour = np.zeros((1, height + 20, width), np.uint8)
    contour[0, [0, -1]] = contour[0, :, [0, -1]] = 1
    contour[0, height : height + 3] = 1
    for y in range(height):
        left = 30 - thickness(y) // 2
        contour[0, y, left : left + thickness(y)] = 1
    return contour


@pytest.mark.parametrize(
    "thickness",
    [
        pytest.param(lambda y: 2 + 3 * (y // 5 % 2), id="ordinary"),
        pytest.param(lambda y: 1 if y < 4 else 14, id="brushed but for its end"),
    ],
)
def test_merge_erases_the_whole_wall_whatever_its_thickness(tmp_path, thickness):
    contour = _wall_of(thickness)
    with opened(tmp_path, contour) as session:
        session.apply(edit_tools.merge(session, [0], (20, 5), (20, 55)))
        assert count(session, 0) == 2
        left = session.contour[0].view(bool) & contour[0].view(bool)
        # All of it, but for what stands by the third room and the outer wall.
        wall = left[1:40, 15:45]
        assert wall.sum() <= 0.1 * contour[0, 1:40, 15:45].sum()
        assert left[40:43].all()


def test_merge_leaves_a_blob_that_the_wall_runs_into(tmp_path):
    contour = np.zeros((1, 60, 60), np.uint8)
    contour[0, [0, -1]] = contour[0, :, [0, -1]] = 1
    contour[0, :30, 29:32] = 1
    contour[0, 30:] = 1
    with opened(tmp_path, contour) as session:
        session.apply(edit_tools.merge(session, [0], (20, 5), (20, 55)))
        assert not session.contour[0, 1:29, 29:32].any()
        assert session.contour[0, 33:].all()


def test_cells_with_another_between_are_no_neighbours(tmp_path):
    contour = np.zeros((1, 5, 11), np.uint8)
    contour[0, :, 3] = contour[0, :, 7] = 1
    with opened(tmp_path, contour) as session:
        with pytest.raises(CopnetError, match="not neighbours"):
            edit_tools.merge(session, [0], (2, 1), (2, 9))
        with pytest.raises(CopnetError, match="the same cell"):
            edit_tools.merge(session, [0], (2, 1), (3, 1))


def test_a_thick_wall_is_opened_for_its_whole_thickness(tmp_path):
    contour = np.zeros((1, 7, 12), np.uint8)
    contour[0, :, 4:8] = 1
    with opened(tmp_path, contour) as session:
        session.apply(edit_tools.merge(session, [0], (3, 1), (3, 10)))
        assert count(session, 0) == 1


def test_delete_takes_the_cell_in_each_slice_by_its_links(session):
    session.apply(edit_tools.close_gap(session, [1], [(3, 4)]))
    session.apply(edit_tools.delete_cell(session, [1, 0, 2], (1, 1)))
    for z in range(3):
        assert count(session, z) == 1 and session.id_at(z, 1, 1) == 0
        assert session.contour[z, :, :5].all()


def test_fill_erases_what_encloses_no_other_cell(tmp_path):
    contour = np.zeros((1, 12, 20), np.uint8)
    contour[0, 2:4, 2:4] = 1
    # A ring with a cell in it.
    contour[0, 6:11, 6:11] = 1
    contour[0, 7:10, 7:10] = 0
    with opened(tmp_path, contour) as session:
        session.apply(edit_tools.fill(session, [0], (0, 0)))
        assert session.contour[0, 2:4, 2:4].sum() == 0 and session.contour[0, 6, 6] == 1
        with pytest.raises(CopnetError, match="no holes"):
            edit_tools.fill(session, [0], (0, 0))


def test_a_marked_area_has_no_cells_and_one_mark(session):
    region = edit_tools.inside(session.shape, [(-1, -1), (-1, 3), (7, 3), (7, -1)])
    session.apply(edit_tools.mark(session, [0], region, "vessel"))
    assert session.id_at(0, 3, 1) == 0 and session.marks[0, 3, 1] == 1
    session.apply(edit_tools.mark(session, [0], region, "haemorrhage"))
    assert set(np.unique(session.marks[0])) == {0, 2}
    session.apply(edit_tools.mark(session, [0], region, None))
    assert not session.marks.any() and session.id_at(0, 3, 1)
    with pytest.raises(CopnetError, match="no mark"):
        edit_tools.mark(session, [0], region, "bone")


def test_a_cell_can_be_marked_through_its_slices(session):
    session.apply(edit_tools.close_gap(session, [1], [(3, 4)]))
    session.apply(edit_tools.mark_cell(session, [0, 1, 2], (3, 7), "vessel"))
    assert (session.marks[:, :, 5:] == 1).all() and not session.marks[:, :, :5].any()
    assert [count(session, z) for z in range(3)] == [1, 1, 1]


def test_a_region_goes_back_to_an_earlier_iteration(tmp_path):
    contour = two_rooms(2)
    contour[1] = 0
    contour[1, :, 2] = 1
    first = np.zeros((2, 7, 9))
    first[:, :, 4] = 0.9
    iterations = np.stack([first, contour * 0.9])
    with opened(tmp_path, contour, first, iterations) as session:
        right = np.zeros((7, 9), bool)
        right[:3] = True
        session.apply(edit_tools.freeze(session, [0, 1], right, 0))
        assert session.contour[1, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
        assert session.contour[1, 3].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
        with pytest.raises(CopnetError, match="no iteration 2"):
            edit_tools.freeze(session, [0], right, 2)


def test_freezing_needs_iterations(session):
    with pytest.raises(CopnetError, match="did not keep"):
        edit_tools.freeze(session, [0], np.ones((7, 9), bool), 0)


def test_link_and_unlink_change_the_number_through_the_stack(session):
    session.apply(edit_tools.close_gap(session, [1], [(3, 4)]))
    left, right = session.cells(0)[0, 0], session.cells(0)[0, 8]
    edit = edit_tools.unlink(session, (0, (0, 0)), (1, (0, 0)))
    touched = {z for z, _ in session.apply(edit)}
    assert session.cells(0)[0, 0] == left
    assert session.cells(1)[0, 0] == session.cells(2)[0, 0] != left
    assert session.cells(2)[0, 8] == right and touched == {1, 2}
    assert edit.text == "unlink, slices 1 and 2"
    session.apply(edit_tools.link(session, (2, (0, 0)), (0, (0, 0))))
    assert session.history[-1].text == "link, slices 1 and 3"
    assert len(np.unique(session.all_cells()[:, 0, 0])) == 1
    with pytest.raises(CopnetError, match="already"):
        edit_tools.link(session, (0, (0, 0)), (1, (0, 0)))
    with pytest.raises(CopnetError, match="not the same cell"):
        edit_tools.unlink(session, (0, (0, 0)), (0, (0, 8)))
    session.undo()
    assert session.cells(1)[0, 0] != session.cells(0)[0, 0]


def test_a_click_off_the_cells_is_told(session):
    for point in ((0, 4), (-5, 0), (99, 99)):
        with pytest.raises(CopnetError, match="no cell where you clicked"):
            edit_tools.delete_cell(session, [0], point)
    with pytest.raises(CopnetError, match="no slice 8"):
        edit_tools.draw(session, [7], [(0, 0)])
