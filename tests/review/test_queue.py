"""The review queue on drawn slices: what is suspected, why, and what deciding does."""

import dataclasses

import numpy as np
import pytest
from drawn import two_rooms

from napari_copnet.errors import CopnetError
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.review.edits import ACCEPTED, REJECTED, Patch
from napari_copnet.review.effort import Oracle, repair_slices, walk_queue
from napari_copnet.review.gaps import CLOSURE, GAP, SPLIT, closures, gaps, one_slice_splits
from napari_copnet.review.queue import Item, accept, build_queue, item_at, reject, same_place
from napari_copnet.review.session import Session
from napari_copnet.review.start import Start
from napari_copnet.steps.cells import label_slice

ALL = CellParams(min_size=0)


def hourglass():
    """Two rooms of 20×20 px joined by a doorway three pixels wide; 1 is contour."""
    contour = np.ones((24, 46), np.uint8)
    contour[2:22, 2:22] = contour[2:22, 24:44] = 0
    contour[10:13, 22:24] = 0
    return contour


def closed_hourglass():
    contour = hourglass()
    contour[10:13, 22:24] = 1
    return contour


def test_a_doorway_is_a_likely_gap():
    contour = hourglass()
    cells = label_slice(contour, ALL)
    found = list(gaps(contour, cells, contour * 0.9, []))
    assert len(found) == 1
    (gap,) = found
    rows, columns = np.nonzero(gap.mask)
    assert set(rows) == {10, 11, 12} and set(columns) <= {21, 22, 23, 24}
    assert gap.kind == GAP and 390 <= gap.hanging <= 420 and gap.witness == 0
    closed = contour.copy()
    closed[gap.mask] = 1
    assert label_slice(closed, ALL).max() == 2


def test_a_weak_ridge_in_a_wide_cell_is_a_likely_gap():
    contour = np.zeros((30, 61), np.uint8)
    probability = np.zeros(contour.shape)
    probability[:, 29:32] = 0.35
    found = list(gaps(contour, label_slice(contour, ALL), probability, []))
    assert len(found) == 1 and set(np.nonzero(found[0].mask)[1]) <= {29, 30, 31}


def test_a_round_cell_is_not_suspected():
    y, x = np.mgrid[-20:21, -20:21]
    contour = (y**2 + x**2 > 300).astype(np.uint8)
    assert not list(gaps(contour, label_slice(contour, ALL), contour * 0.9, []))


def test_the_slices_around_are_witnesses():
    parted, whole = label_slice(closed_hourglass(), ALL), label_slice(hourglass(), ALL)
    contour = hourglass()
    for around, says in (([parted, parted], 1), ([whole, whole], -1), ([parted, whole], 0)):
        (gap,) = gaps(contour, whole, contour * 0.9, around)
        assert gap.witness == says
    (gap,) = gaps(contour, whole, contour * 0.9, [parted])
    assert gap.echo == 1


def test_what_the_network_closed_is_found_where_it_parts_cells():
    step1, closed = hourglass(), closed_hourglass()
    # A thickening parts nothing.
    closed[2, 2:10] = 1
    cells = label_slice(closed, ALL)
    (closure,) = closures(closed > 0, step1 > 0, cells, closed * 0.7, [])
    assert closure.kind == CLOSURE
    assert np.argwhere(closure.mask).min(0).tolist() == [10, 22]
    assert closure.mask.sum() == 6 and closure.hanging == 392
    assert closure.probability == pytest.approx(0.7)


def test_a_wall_in_one_slice_only_is_found():
    contour = two_rooms(1, 12, 13)[0]
    cells = label_slice(contour, ALL)
    whole = np.ones_like(cells)
    (wall,) = one_slice_splits(contour, cells, contour * 0.6, [whole, whole], None)
    assert wall.kind == SPLIT and wall.witness == -1
    assert wall.mask[:, 6].any() and not wall.mask[:, :6].any() and not wall.mask[:, 7:].any()
    assert not list(one_slice_splits(contour, cells, contour * 0.6, [whole, cells], None))


@pytest.fixture
def doubtful(tmp_path):
    """Three slices: a closure in the first, an open doorway in the others; 1 did not converge."""
    contour = np.stack([closed_hourglass(), hourglass(), hourglass()])
    step1 = np.stack([hourglass()] * 3) * np.float32(0.9)
    start = Start(contour, step1, converged=np.array([True, False, True]), cells=ALL)
    with Session.create(tmp_path / "doubtful", start) as session:
        yield session, start


def test_the_queue_holds_each_kind_sorted_by_score(doubtful):
    session, _ = doubtful
    items = finish(build_queue(session))
    assert sorted((item.kind, item.z) for item in items) == [
        ("closure", 0),
        ("gap", 1),
        ("gap", 2),
        ("unsettled", 1),
    ]
    scores = [item.score for item in items]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    assert len({item.key for item in items}) == 4
    gap = next(item for item in items if (item.kind, item.z) == ("gap", 2))
    assert item_at(items, 2, 11, round(gap.centre[1])) == gap
    assert item_at(items, 2, 0, 0) is None and item_at(items, 0, 11, 2) is None
    assert finish(build_queue(session, [2])) == [item for item in items if item.z == 2]


def test_deciding_draws_and_erases_and_can_be_undone(doubtful):
    session, _ = doubtful
    items = {(item.kind, item.z): item for item in finish(build_queue(session))}
    session.apply(accept(session, items["gap", 1]))
    assert np.count_nonzero(np.unique(session.names(1))) == 2
    session.apply(reject(session, items["closure", 0]))
    assert np.count_nonzero(np.unique(session.names(0))) == 1
    session.apply(reject(session, items["gap", 2]))
    session.apply(accept(session, items["unsettled", 1]))
    decided = {(item.kind, item.z): item.verdict for item in finish(build_queue(session))}
    assert decided == {
        ("gap", 1): ACCEPTED,
        ("closure", 0): REJECTED,
        ("gap", 2): REJECTED,
        ("unsettled", 1): ACCEPTED,
    }
    with pytest.raises(CopnetError, match="accepted already"):
        accept(session, items["gap", 1])
    # A change of mind.
    session.apply(accept(session, items["closure", 0]))
    assert np.count_nonzero(np.unique(session.names(0))) == 2
    session.jump(0)
    assert not session.verdicts and not any(i.verdict for i in finish(build_queue(session)))


def test_decisions_survive_running_the_networks_again(doubtful):
    session, start = doubtful
    items = {(item.kind, item.z): item for item in finish(build_queue(session))}
    session.apply(reject(session, items["closure", 0]))
    session.apply(accept(session, items["gap", 1]))
    # The networks close the first again, a pixel thicker, and open nothing.
    again = start.contour.copy()
    again[0, 10:13, 24] = 1
    session.add_run(dataclasses.replace(start, contour=again))
    found = finish(build_queue(session))
    assert session.contour[0][10:13, 22:24].sum() == 0
    assert np.count_nonzero(np.unique(session.names(1))) == 2
    verdicts = {(item.kind, item.z): item.verdict for item in found if item.verdict}
    assert verdicts == {("closure", 0): REJECTED, ("gap", 1): ACCEPTED}


def test_one_place_is_most_of_the_smaller_on_or_beside_the_larger():
    wall = Patch.of(0, np.ones((6, 1)), (3, 5))
    assert same_place(wall, Patch.of(0, np.ones((6, 1)), (4, 6)))
    assert same_place(wall, Patch.of(0, np.ones((2, 2)), (3, 5)))
    assert not same_place(wall, Patch.of(0, np.ones((6, 1)), (3, 8)))
    assert not same_place(wall, Patch.of(1, np.ones((6, 1)), (3, 5)))
    assert not same_place(wall, Patch.of(0, np.ones((6, 1)), (8, 5)))


def test_one_who_walks_the_queue_needs_an_edit_for_each_error(doubtful):
    session, _ = doubtful
    truth = np.stack([closed_hourglass()] * 3)
    oracle = Oracle(truth)
    items = [item for item in finish(build_queue(session)) if item.patch.count]
    wrong = [item.kind for item in items if oracle.is_error(item, session.contour > 0)]
    assert wrong == ["gap", "gap"]
    effort = finish(walk_queue(session.contour, items, oracle))
    assert oracle.cells == 6
    assert effort.labelled[0] == 2 and effort.labelled[-1] == 6 and len(effort.labelled) == 4
    assert effort.edits_to(6) == 1 + max(i for i, item in enumerate(items) if item.kind == GAP)
    assert effort.edits_to(7) is None
    # Step 1 is open in all three.
    repaired = finish(repair_slices(session.step1 > 0.5, oracle))
    assert repaired.labelled.tolist() == [0, 2, 4, 6]


def test_a_wall_across_a_narrow_cell_is_not_true_for_lying_near_the_contour():
    # A corridor nine pixels wide between two lines; a cut across it lies near both.
    truth = np.zeros((1, 20, 40), np.uint8)
    truth[0, 6], truth[0, 16] = 1, 1
    oracle = Oracle(truth)
    cut, along = np.zeros((20, 40), bool), np.zeros((20, 40), bool)
    cut[7:16, 20] = True
    along[7, :] = True
    whole = truth.astype(bool)
    contour = whole.copy()
    contour[0, 6] = False

    def item(mask):
        return Item("", GAP, Patch.of(0, mask), 0.5, 0.5, 100)

    assert oracle.near[0][cut].mean() > 0.5 and not oracle.is_true(item(cut), whole)
    assert oracle.is_true(item(along), contour) and oracle.is_error(item(along), contour)


def test_the_contour_given_to_a_proofreader_stays_as_it_is(doubtful):
    session, _ = doubtful
    before = session.contour.copy()
    oracle = Oracle(np.stack([closed_hourglass()] * 3))
    finish(walk_queue(session.contour, finish(build_queue(session)), oracle))
    finish(repair_slices(before, oracle))
    assert np.array_equal(session.contour, before)
