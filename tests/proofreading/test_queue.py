"""The review queue on drawn slices: what is suspected, why, and what deciding does."""

import dataclasses

import numpy as np
import pytest

from napari_copnet.boundaries.gaps import CLOSURE, GAP, SPLIT, SlicePlane, drawn_walls, gaps
from napari_copnet.errors import CopnetError
from napari_copnet.params import CellParams
from napari_copnet.progress import finish
from napari_copnet.proofreading.edits import ACCEPTED, REJECTED, Edit, Flip, Patch
from napari_copnet.proofreading.queue import (
    Item,
    accept,
    build_queue,
    reject,
    renewed,
    same_place,
)
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.steps.cells import label_slice
from napari_copnet.types import Stack
from research.proofreading_effort import TOLERANCE, Oracle, repair_slices, walk_queue

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


def plane(contour, probability, around=(), step1=None):
    step1 = contour if step1 is None else step1
    return SlicePlane(
        contour > 0, label_slice(contour, ALL), step1 * 1.0, probability, list(around)
    )


def mask_of(suspect, shape):
    mask = np.zeros(shape, bool)
    mask.ravel()[suspect.pixels] = True
    return mask


def strongest(suspects):
    """The wall on which most hangs; the watershed cuts corners off as well."""
    return max(suspects, key=lambda suspect: suspect.hanging)


def test_a_doorway_is_a_likely_gap():
    contour = hourglass()
    gap = strongest(gaps(plane(contour, contour * 0.9)))
    mask = mask_of(gap, contour.shape)
    rows, columns = np.nonzero(mask)
    assert set(rows) == {10, 11, 12} and set(columns) <= {21, 22, 23, 24}
    assert gap.kind == GAP and 390 <= gap.hanging <= 420 and gap.witness == 0
    assert gap.small + gap.large == np.count_nonzero(contour == 0)
    closed = contour.copy()
    closed[mask] = 1
    assert label_slice(closed, ALL).max() == 2


def test_a_weak_ridge_in_a_wide_cell_is_a_likely_gap():
    contour = np.zeros((30, 61), np.uint8)
    probability = np.zeros(contour.shape)
    probability[:, 29:32] = 0.35
    (gap,) = gaps(plane(contour, probability))
    assert set(np.nonzero(mask_of(gap, contour.shape))[1]) <= {29, 30, 31}


def test_a_round_cell_is_not_suspected():
    y, x = np.mgrid[-20:21, -20:21]
    contour = (y**2 + x**2 > 300).astype(np.uint8)
    assert not list(gaps(plane(contour, contour * 0.9)))


def test_a_wall_in_the_slices_around_is_proposed_where_the_probability_says_nothing():
    contour = np.zeros((30, 61), np.uint8)
    parted = contour.copy()
    parted[:, 29:32] = 1
    blind = np.zeros(contour.shape)
    assert not list(gaps(plane(contour, blind)))
    (gap,) = gaps(plane(contour, blind, [label_slice(parted, ALL)] * 2))
    assert set(np.nonzero(mask_of(gap, contour.shape))[1]) <= {29, 30, 31}
    assert gap.witness == 1 and gap.echo == 1


def test_the_slices_around_are_witnesses():
    parted, whole = label_slice(closed_hourglass(), ALL), label_slice(hourglass(), ALL)
    contour = hourglass()
    for around, says in (([parted, parted], 1), ([whole, whole], -1), ([parted, whole], 0)):
        gap = strongest(gaps(plane(contour, contour * 0.9, around)))
        assert gap.witness == says
    gap = strongest(gaps(plane(contour, contour * 0.9, [parted])))
    # Each side is its cell there but for the doorway; both together are twice as large as either.
    small, large, both = gap.fits
    assert small > 0.95 and large > 0.95 and 0.45 < both < 0.55
    gap = strongest(gaps(plane(contour, contour * 0.9, [whole])))
    small, large, both = gap.fits
    assert 0.45 < small < 0.55 and 0.45 < large < 0.55 and both > 0.95


def test_what_the_network_closed_is_found_where_it_parts_cells():
    step1, closed = hourglass(), closed_hourglass()
    (closure,) = drawn_walls(plane(closed, closed * 0.7, step1=step1))
    assert closure.kind == CLOSURE and closure.hanging == 400 and closure.large == 400
    assert closure.probability == pytest.approx(0.7)
    # Three of the 24 rows of the middle line are new.
    assert closure.added == pytest.approx(3 / 24)


def test_every_drawn_wall_can_be_taken_away_and_opens_no_third_cell():
    # A T: one cell above, two below.
    contour = np.zeros((31, 41), np.uint8)
    contour[15:17] = 1
    contour[16:, 20:22] = 1
    found = list(drawn_walls(plane(contour, contour * 0.6)))
    assert len(found) == 3 and {wall.kind for wall in found} == {SPLIT}
    for wall in found:
        mask = mask_of(wall, contour.shape)
        assert contour[mask].all()
        opened = contour.copy()
        opened[mask] = 0
        assert label_slice(opened, ALL).max() == 2


def test_cells_far_apart_have_no_wall_between_them():
    far = np.ones((20, 60), np.uint8)
    far[2:18, 2:18] = far[2:18, 42:58] = 0
    assert not list(drawn_walls(plane(far, far * 0.9)))


@pytest.fixture
def doubtful(tmp_path):
    """Three slices: a closure in the first, an open doorway in the others; 1 did not converge."""
    contour = np.stack([closed_hourglass(), hourglass(), hourglass()])
    step1 = np.stack([hourglass()] * 3) * np.float32(0.9)
    start = Start(contour, step1, converged=np.array([True, False, True]), cells=ALL)
    with Session.create(tmp_path / "doubtful", start) as session:
        yield session, start


def test_the_queue_looks_at_the_image(tmp_path):
    """Of two like doorways the one across which the image shows a membrane comes first."""
    contour = np.zeros((46, 131), np.uint8)
    contour[:3] = contour[43:] = contour[:, :3] = contour[:, 128:] = 1
    contour[:, 43:45] = contour[:, 86:88] = 1
    membranes = contour.copy()
    contour[19:27, 43:45] = contour[19:27, 86:88] = 0
    membranes[19:27, 86:88] = 0
    grain = np.random.default_rng(0).normal(scale=0.2, size=contour.shape)
    image = (200 - 60 * (membranes + grain)).astype(np.uint8)

    def columns(name, image):
        stack = Stack(image[None]) if image is not None else None
        start = Start(contour[None], contour[None] * np.float32(0.9), stack, cells=ALL)
        with Session.create(tmp_path / name, start) as session:
            items = finish(build_queue(session))
        doors = [item for item in items if item.kind == "gap" and 18 < item.centre[0] < 27]
        return {int(round(item.centre[1], -1)): item.score for item in doors}

    shown = columns("image", image)
    assert shown[40] > 2 * shown[90]
    # Whether membranes are dark, and how bright they are, does not matter.
    for name, other in (
        ("inverted", 255 - image),
        ("brighter", 1000 + 7 * image.astype(np.uint16)),
    ):
        assert columns(name, other) == pytest.approx(shown, rel=0.02)
    blind = columns("none", None)
    assert shown[40] / shown[90] > 2 * blind[40] / blind[90]
    # One that shows nothing is as good as none.
    assert columns("constant", np.full_like(image, 9)) == blind


def test_the_queue_holds_each_kind_sorted_by_score(doubtful):
    session, _ = doubtful
    items = finish(build_queue(session))
    assert sorted((item.kind, [patch.z for patch in item.patches]) for item in items) == [
        ("closure", [0]),
        # One doorway through two slices is one question.
        ("gap", [1, 2]),
        ("unsettled", [1]),
    ]
    scores = [item.score for item in items]
    assert scores == sorted(scores, reverse=True) and scores[-1] >= 0
    assert len({item.key for item in items}) == 3
    gap = next(item for item in items if item.kind == "gap")
    assert "Slices 2 to 3, one decision for all" in gap.text
    (alone,) = finish(build_queue(session, [2]))
    assert alone.key in {gap.key, gap.also[0].key} and not alone.also
    # Two slices win more than either.
    assert gap.score > max(alone.score, gap.also[0].score)


def parts(items):
    return sorted(sorted(one.key for one in (item, *item.also)) for item in items)


def test_after_an_edit_in_one_of_its_slices_a_wall_is_listed_once(doubtful):
    session, _ = doubtful
    items = finish(build_queue(session))
    gap = next(item for item in items if item.kind == "gap")

    def again(slices):
        verdicts = session.verdicts

        def is_decided(item):
            return all(one.key in verdicts for one in (item, *item.also))

        return renewed(items, finish(build_queue(session, slices)), slices, is_decided)

    # A pixel in the corner of slice 2: the doorway of slices 1 and 2 is what it was.
    session.apply(Edit("draw", (Flip("contour", Patch.of(2, np.ones((1, 1)), (1, 1))),)))
    listed = again([2])
    whole = finish(build_queue(session))
    assert parts(listed) == parts(whole) and len(listed) == len(items)
    # Its score is made up of the slices' anew.
    (alone,) = [item for item in finish(build_queue(session, [2])) if item.kind == "gap"]
    before = gap.score - gap.also[0].score if gap.z == 1 else gap.also[0].score
    again_there = next(item for item in listed if item.kind == "gap")
    assert again_there.score == pytest.approx(before + alone.score)
    # Decided it stays one.
    session.apply(accept(session, gap))
    listed = again([2])
    assert [gap.key] == [i.key for i in listed if {gap.key, gap.also[0].key} & set(parts([i])[0])]


def test_the_answer_to_a_wall_through_slices_counts_in_all_of_them_and_is_one_edit(doubtful):
    session, _ = doubtful
    gap = next(item for item in finish(build_queue(session)) if item.kind == "gap")
    session.apply(accept(session, gap))
    assert [np.count_nonzero(np.unique(session.ids(z))) for z in (1, 2)] == [2, 2]
    assert {verdict.verdict for verdict in session.verdicts.values()} == {ACCEPTED}
    assert set(session.verdicts) == {gap.key, gap.also[0].key}
    (again,) = [item for item in finish(build_queue(session)) if item.verdict]
    assert {again.key, again.also[0].key} == set(session.verdicts)
    with pytest.raises(CopnetError, match="already accepted"):
        accept(session, again)
    # Erased since by hand: the same answer draws it once more.
    erased = Flip("contour", gap.patch)
    session.apply(Edit("erase", (erased,)))
    session.apply(accept(session, again))
    assert [np.count_nonzero(np.unique(session.ids(z))) for z in (1, 2)] == [2, 2]
    session.jump(1)
    session.apply(reject(session, again))
    assert [np.count_nonzero(np.unique(session.ids(z))) for z in (1, 2)] == [1, 1]
    session.undo()
    session.undo()
    assert not session.verdicts and np.count_nonzero(np.unique(session.ids(2))) == 1


def by_kind_and_slice(session):
    """The items, slice for slice."""
    return {
        (item.kind, item.z): item
        for z in range(session.shape[0])
        for item in finish(build_queue(session, [z]))
    }


def test_deciding_draws_and_erases_and_can_be_undone(doubtful):
    session, _ = doubtful
    items = by_kind_and_slice(session)
    session.apply(accept(session, items["gap", 1]))
    assert np.count_nonzero(np.unique(session.ids(1))) == 2
    session.apply(reject(session, items["closure", 0]))
    assert np.count_nonzero(np.unique(session.ids(0))) == 1
    session.apply(reject(session, items["gap", 2]))
    session.apply(accept(session, items["unsettled", 1]))
    decided = {key: item.verdict for key, item in by_kind_and_slice(session).items()}
    assert decided == {
        ("gap", 1): ACCEPTED,
        ("closure", 0): REJECTED,
        ("gap", 2): REJECTED,
        ("unsettled", 1): ACCEPTED,
    }
    with pytest.raises(CopnetError, match="already accepted"):
        accept(session, items["gap", 1])
    # A change of mind.
    session.apply(accept(session, items["closure", 0]))
    assert np.count_nonzero(np.unique(session.ids(0))) == 2
    session.jump(0)
    assert not session.verdicts and not any(i.verdict for i in finish(build_queue(session)))


def test_decisions_survive_running_the_networks_again(doubtful):
    session, start = doubtful
    items = by_kind_and_slice(session)
    session.apply(reject(session, items["closure", 0]))
    session.apply(accept(session, items["gap", 1]))
    # The networks close the first again, a pixel thicker, and open nothing.
    again = start.contour.copy()
    again[0, 10:13, 24] = 1
    session.add_run(dataclasses.replace(start, contour=again))
    found = by_kind_and_slice(session)
    assert session.contour[0][10:13, 22:24].sum() == 0
    assert np.count_nonzero(np.unique(session.ids(1))) == 2
    verdicts = {key: item.verdict for key, item in found.items() if item.verdict}
    assert verdicts == {("closure", 0): REJECTED, ("gap", 1): ACCEPTED}


def test_one_place_is_most_of_the_smaller_on_or_beside_the_larger():
    wall = Patch.of(0, np.ones((6, 1)), (3, 5))
    assert same_place(wall, Patch.of(0, np.ones((6, 1)), (4, 6)))
    assert same_place(wall, Patch.of(0, np.ones((2, 2)), (3, 5)))
    assert not same_place(wall, Patch.of(0, np.ones((6, 1)), (3, 8)))
    assert not same_place(wall, Patch.of(1, np.ones((6, 1)), (3, 5)))
    assert not same_place(wall, Patch.of(0, np.ones((6, 1)), (8, 5)))


def test_one_who_walks_the_queue_needs_an_edit_for_a_wall_through_slices(doubtful):
    session, _ = doubtful
    truth = np.stack([closed_hourglass()] * 3)
    oracle = Oracle(truth)
    items = [item for item in finish(build_queue(session)) if item.patch.count]
    wrong = [item.kind for item in items if oracle.is_error(item, session.contour > 0)]
    assert wrong == ["gap"]
    effort = finish(walk_queue(session.contour, items, oracle))
    assert oracle.cells == 6
    assert effort.labelled[0] == 2 and effort.labelled[-1] == 6 and len(effort.labelled) == 3
    at = [item.kind for item in items].index(GAP)
    # To accept the closure is a decision, and changes nothing.
    assert effort.decisions_to(6) == 1 + at and effort.edits_to(6) == 1 == effort.edits[-1]
    assert effort.edits_to(7) is None and np.flatnonzero(effort.won).tolist() == [at]
    # Step 1 is open in all three.
    repaired = finish(repair_slices(session.step1 > 0.5, oracle))
    assert repaired.labelled.tolist() == [0, 2, 4, 6] == (2 * repaired.edits).tolist()


def test_labelled_cells_are_those_of_cells_grown_anew_after_every_decision(doubtful):
    session, _ = doubtful
    oracle = Oracle(np.stack([closed_hourglass()] * 3))
    items = finish(build_queue(session))
    contour = session.contour > 0
    seen = [sum(oracle.labelled(plane, z) for z, plane in enumerate(contour))]
    for item in items:
        best = []
        for drawn in (True, False):
            tried = contour.copy()
            for patch in item.patches if item.patch.count else ():
                tried[patch.z][patch.box][patch.mask] = drawn
            best.append((sum(oracle.labelled(p, z) for z, p in enumerate(tried)), drawn, tried))
        contour = max(best, key=lambda one: one[:2])[2]
        seen.append(max(best)[0] if not item.patch.count else max(one[0] for one in best))
    assert finish(walk_queue(session.contour, items, oracle)).labelled.tolist() == seen


def test_one_who_takes_walls_a_little_off_for_right_redraws_none():
    truth, drawn = np.zeros((1, 40, 40), np.uint8), np.zeros((1, 40, 40), np.uint8)
    truth[0, 19:21], drawn[0, 22:24] = 1, 1
    oracle = Oracle(truth)
    assert len(finish(repair_slices(drawn > 0, oracle, slack=TOLERANCE)).labelled) == 1
    off = np.roll(drawn, 5, axis=1)
    assert len(finish(repair_slices(off > 0, oracle, slack=TOLERANCE)).labelled) > 1


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


def test_what_was_drawn_or_erased_by_hand_is_no_question(doubtful):
    session, _ = doubtful
    gap = next(item for item in finish(build_queue(session)) if item.kind == "gap")
    closure = next(item for item in finish(build_queue(session)) if item.kind == "closure")
    doorway = next(patch for patch in gap.patches if patch.z == 1)
    # The doorway of slice 1 closed, and the wall of slice 0 opened, with the brush.
    session.apply(Edit("draw", (Flip("contour", doorway), Flip("contour", closure.patch))))
    found = finish(build_queue(session))
    assert [(item.kind, item.z) for item in found if item.kind != "unsettled"] == [("gap", 2)]
