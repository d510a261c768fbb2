"""The same fix in neighbouring slices: proposed where the situation is alike, and nowhere else."""

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.params import CellParams, TissueParams
from napari_copnet.progress import finish
from napari_copnet.proofreading import edit_tools
from napari_copnet.proofreading.edits import Edit, Judge, Patch, Verdict
from napari_copnet.proofreading.same_fix import copied, same_fixes, together
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.synthetic import make_tissue

HEIGHT, WIDTH = 30, 41
GAP = slice(12, 18)
INNER = np.zeros((128, 128), bool)
INNER[20:-20, 20:-20] = True


def wall_at(z):
    """The wall drifts to the right by two pixels a slice."""
    return 14 + 2 * z


def drawn(gaps=(1, 2, 3), slices=5):
    """Two rooms in each slice; in some the wall has a gap with a weak ridge in it."""
    contour = np.zeros((slices, HEIGHT, WIDTH), np.uint8)
    contour[:, [0, -1]] = contour[:, :, [0, -1]] = 1
    step1 = np.zeros(contour.shape, np.float32)
    for z in range(slices):
        contour[z, :, wall_at(z)] = 1
        step1[z, :, wall_at(z)] = 0.3
        if z in gaps:
            contour[z, GAP, wall_at(z)] = 0
    return contour, np.maximum(step1, contour * np.float32(0.9))


@pytest.fixture
def make(tmp_path):
    opened = []

    def session(contour, step1=None, **cells):
        step1 = contour * np.float32(0.9) if step1 is None else step1
        start = Start(contour, step1, cells=CellParams(min_size=0, **cells))
        opened.append(Session.create(tmp_path / "drawn", start))
        return opened[-1]

    yield session
    for one in opened:
        one.close()


def proposed(session, edit, reach=10):
    session.apply(edit)
    return finish(same_fixes(copied(session, edit, reach), edit))


def places(edit):
    return {(f.patch.z, f.patch.top, f.patch.left, f.patch.count) for f in edit.flips}


def count(session, z):
    return np.count_nonzero(np.unique(session.ids(z)))


def test_a_closed_gap_is_followed_along_the_drifting_wall(make):
    contour, step1 = drawn()
    session = make(contour, step1)
    edit = edit_tools.close_gap(session, [2], [(14, wall_at(2))])
    found = proposed(session, edit)
    assert [p.slices for p in found] == [(1,), (3,)]
    for proposal, z in zip(found, (1, 3), strict=True):
        # On the ridge of that slice, not where the wall of slice 2 is.
        assert places(proposal) == {(z, GAP.start, wall_at(z), GAP.stop - GAP.start)}
    # Nothing was made yet; all of it is one edit.
    assert len(session.history) == 1 and count(session, 1) == 1
    session.apply(together(found))
    assert [count(session, z) for z in range(5)] == [2] * 5
    assert session.history[1].tool == "close gap, neighbours"
    session.undo()
    assert [count(session, z) for z in range(5)] == [2, 1, 2, 1, 2]


def test_of_a_range_the_slices_outside_are_looked_at_and_only_so_far(make):
    contour, step1 = drawn(gaps=range(6), slices=7)
    session = make(contour, step1)
    edit = edit_tools.close_gap(session, [3, 2], [(14, wall_at(2))])
    assert edit.slices == (2, 3)
    found = proposed(session, edit, reach=1)
    assert [p.slices for p in found] == [(1,), (4,)]
    assert [p.slices for p in finish(same_fixes(copied(session, edit), edit))] == [
        (0,),
        (1,),
        (4,),
        (5,),
    ]


def test_a_gap_that_is_not_open_or_was_rejected_there_ends_it(make):
    contour, step1 = drawn(gaps=(0, 2, 3, 4))
    session = make(contour, step1)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[GAP, wall_at(3)] = True
    verdict = Verdict("a", "gap", Patch.of(3, mask), "rejected")
    session.apply(Edit("reject", (Judge(None, verdict),)))
    edit = edit_tools.close_gap(session, [2], [(14, wall_at(2))])
    # Slice 0 is open too, but 1 between them is not.
    assert proposed(session, edit) == []


def test_a_merge_is_proposed_where_both_cells_are_and_the_wall_is_near(make):
    contour, _ = drawn(gaps=(4,))
    session = make(contour)
    edit = edit_tools.merge(session, [1], (5, 5), (5, 30))
    found = proposed(session, edit)
    assert [p.slices for p in found] == [(0,), (2,), (3,)]
    session.apply(together(found))
    assert [count(session, z) for z in range(5)] == [1] * 5
    assert all(session.contour[z, [0, -1]].all() for z in range(5))


def test_deleted_filled_and_marked_cells_are_found_again_by_overlap(make):
    contour, _ = drawn(gaps=())
    contour[1:4, 20, 5] = 1
    contour[2, 5, 8] = 1
    contour[4, :, 1:12] = 1
    session = make(contour)
    fill = edit_tools.fill(session, [2], (15, 5))
    found = proposed(session, fill)
    # The dot of slices 1 and 3; that of slice 2 has no like.
    assert {place for p in found for place in places(p)} == {(1, 20, 5, 1), (3, 20, 5, 1)}
    session.undo()
    for edit in (
        edit_tools.delete_cell(session, [2], (15, 5)),
        edit_tools.mark_cell(session, [2], (15, 5), "vessel"),
    ):
        found = proposed(session, edit)
        # In slice 4 the cell is too different.
        assert [p.slices for p in found] == [(0,), (1,), (3,)]
        session.apply(together(found))
        assert not any(session.id_at(z, 15, 9) for z in range(4))
        assert all(session.id_at(z, 15, 30) for z in range(4)) and session.id_at(4, 15, 15)
        session.undo()
        session.undo()


def test_strokes_that_part_nothing_propose_nothing(make):
    contour, step1 = drawn()
    session = make(contour, step1)
    assert proposed(session, edit_tools.draw(session, [2], [(5, 5), (5, 8)])) == []
    clear = edit_tools.mark_cell(session, [2], (15, 5), "vessel")
    session.apply(clear)
    cleared = edit_tools.mark(session, [2], session.marks[2] > 0, None)
    assert proposed(session, cleared) == []
    iterations = Edit("freeze", clear.changes)
    assert copied(session, iterations) == {}


def test_a_hole_through_a_wall_of_tissue_is_mended_in_all_slices(make):
    """Slices of synthetic tissue; where a wall is punched through, its cells come back in each."""
    tissue = make_tissue(TissueParams(slices=3, size=128, vessel=False), seed=4)
    contour = tissue.cells == 0
    first, other, at = thin_wall(tissue.cells)
    grid = np.mgrid[:128, :128]
    punched = contour.copy()
    for z, (y, x) in enumerate(at):
        punched[z] &= np.hypot(grid[0] - y, grid[1] - x) > 4
    step1 = punched * np.float32(0.9) + (contour & ~punched) * np.float32(0.35)
    session = make(punched.astype(np.uint8), step1)
    before = [count(session, z) for z in range(3)]
    edit = edit_tools.close_gap(session, [1], [at[1]])
    found = proposed(session, edit)
    assert [p.slices for p in found] == [(0,), (2,)]
    session.apply(together(found))
    assert [count(session, z) for z in range(3)] == [n + 1 for n in before]
    for z in range(3):
        ids = session.ids(z)
        kept = [np.bincount(ids[tissue.cells[z] == n]).argmax() for n in (first, other)]
        assert kept[0] and kept[1] and kept[0] != kept[1]


def thin_wall(cells):
    """Return two cells and, in each slice, a place of the wall between them far from all others."""
    sides = {
        n: ndimage.distance_transform_edt(cells != n, sampling=(1e3, 1, 1))
        for n in np.unique(cells[cells > 0])
    }
    ids = sorted(sides)
    best = None
    for first in ids:
        for other in (n for n in ids if n > first):
            both = np.maximum(sides[first], sides[other])
            third = np.min([sides[n] for n in ids if n not in (first, other)], axis=0)
            room = np.where((both <= 4) & (cells == 0), third, 0)
            room[:, ~INNER] = 0
            at = [np.unravel_index(plane.argmax(), plane.shape) for plane in room]
            moved = np.abs(np.diff(at, axis=0)).max()
            least = min(plane.max() for plane in room)
            if moved < 8 and (best is None or least > best[0]):
                best = least, first, other, at
    assert best is not None and best[0] > 8
    return best[1:]
