"""Closing with operators drawn by hand: what each does in a pass is plain to see."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_copnet.errors import InputError, ModelError
from napari_copnet.params import CellParams, ClosingParams
from napari_copnet.progress import Progress, finish
from napari_copnet.steps.cells import label_slice
from napari_copnet.steps.closing import close
from napari_copnet.types import Iteration, SliceResult


class Operator:
    """Stands where a network stands; remembers which slices it was given."""

    def __init__(self, rule):
        self.rule, self.given, self.settings, self.closed = rule, [], [], 0

    def predict(self, images, *, mirror=False, overlap=0.5, batch=0, order=None):
        self.given.append(len(images))
        self.settings.append((mirror, batch))
        assert images.shape[1] == 1
        try:
            result = np.empty((len(images), *images.shape[2:]), np.float32)
            for index, image in enumerate(images):
                result[index] = self.rule(image[0])
                yield Progress(
                    "predict",
                    index + 1,
                    len(images),
                    "slices",
                    partial=SliceResult(index, result[index]),
                )
            return result
        finally:
            self.closed += 1


def fill_one(line):
    """Fill the first gap pixel of the middle row."""
    line = line.copy()
    gaps = np.flatnonzero(line[1] < 0.5)
    if len(gaps):
        line[1, gaps[0]] = 0.9
    return line


def stack(*gaps, width=10):
    """Slices of 3 × width with a contour along the middle row but for so many gap pixels."""
    u = np.zeros((len(gaps), 3, width), np.float32)
    u[:, 1] = 0.8
    for z, gap in enumerate(gaps):
        u[z, 1, :gap] = 0.2
    return u


def steps_of(work):
    """Return (all progress, result)."""
    seen = []
    result = finish(work, seen.append)
    return seen, result


def test_each_slice_stops_when_it_no_longer_changes():
    u = stack(3, 1, 0)
    network = Operator(fill_one)
    _, result = steps_of(close(u, network, ClosingParams(unite=False, tidy=False)))

    # A slice with g gap pixels changes g times and takes one more pass to show that it is done.
    assert result.iterations_by_slice.tolist() == [4, 2, 1]
    assert network.given == [3, 2, 1, 1]
    assert result.converged.all()
    one = 1 / 30
    expected = [[one, one, 0], [one, 0, np.nan], [one, np.nan, np.nan], [0, np.nan, np.nan]]
    np.testing.assert_allclose(result.changed_by_slice, expected)
    np.testing.assert_allclose(result.changed, [2 * one / 3, one / 3, one / 3, 0])
    np.testing.assert_array_equal(result.mask[:, 1], 1)
    assert result.mask[:, [0, 2]].sum() == 0 and result.mask.dtype == np.uint8
    assert result.probability.dtype == np.float32 and result.iterations is None
    assert network.closed == 4


def test_the_stack_stops_when_hardly_any_of_its_pixels_change():
    u = stack(3, 0, 0, 0, 0)
    # One pixel of 30 in one slice of five: 0.67 % of the stack, 3.3 % of the slice.
    result = finish(close(u, Operator(fill_one), ClosingParams(tolerance=0.01)))
    assert result.iterations_by_slice.tolist() == [1, 1, 1, 1, 1]
    assert result.settled
    assert result.converged.tolist() == [False, True, True, True, True]
    result = finish(close(u, Operator(fill_one), ClosingParams(tolerance=0.005, max_iterations=2)))
    assert result.iterations_by_slice[0] == 2
    assert not result.settled


def test_every_iteration_is_handed_out_and_stays_as_it_was():
    u = stack(2, 0)
    before = u.copy()
    seen, result = steps_of(close(u, Operator(fill_one), ClosingParams(tidy=False)))
    iterations = [step.partial for step in seen if isinstance(step.partial, Iteration)]
    assert [iteration.number for iteration in iterations] == [1, 2, 3]
    filled = [(iteration.probability[0, 1] > 0.5).sum() for iteration in iterations]
    assert filled == [9, 10, 10]
    assert [iteration.changed for iteration in iterations] == pytest.approx(result.changed)
    np.testing.assert_array_equal(u, before)


def test_progress_rises_within_an_iteration_and_ends_complete():
    # Three slices computed, three tidied, the iteration handed out; then three labelled, three
    # searched for likely gaps, and the end.
    seen, _ = steps_of(close(stack(1, 1, 1), Operator(fill_one)))
    done = [step.done for step in seen]
    assert done == sorted(done) and len(seen) == 2 * (3 + 3 + 1) + 3 + 3 + 1
    assert 0 < done[0] < 1 and seen[-1].done == seen[-1].total == 3
    assert {step.step for step in seen} == {"closing"}


def test_cancelling_in_an_iteration_keeps_those_before():
    network = Operator(fill_one)
    work = close(stack(5, 5), network)
    last = None
    for progress in work:
        if isinstance(progress.partial, Iteration):
            last = progress.partial
        elif progress.done > 2:
            break
    work.close()
    assert last.number == 2
    np.testing.assert_array_equal((last.probability[:, 1] < 0.5).sum(axis=1), [3, 3])
    assert network.closed == 3  # the pass under way was closed too


def test_all_iterations_are_kept_when_asked():
    u = stack(2)
    params = ClosingParams(keep_iterations=True, tidy=False)
    result = finish(close(u, Operator(fill_one), params))
    assert result.iterations.dtype == np.float16 and result.iterations.shape == (4, 1, 3, 10)
    np.testing.assert_array_equal(result.iterations[0], u.astype(np.float16))
    assert [(u[0, 1] > 0.5).sum() for u in result.iterations] == [8, 9, 10, 10]
    np.testing.assert_array_equal(result.iterations[-1], result.probability.astype(np.float16))


def test_union_brings_back_what_the_network_erased():
    u = stack(4)

    def erase(image):
        return np.zeros_like(image)

    united = finish(close(u, Operator(erase), ClosingParams(unite=True, hold=False)))
    np.testing.assert_array_equal(united.mask, u > 0.5)
    assert not united.probability.any()
    alone = ClosingParams(unite=False, hold=False)
    assert not finish(close(u, Operator(erase), alone)).mask.any()


@pytest.mark.parametrize(("tolerance", "passes"), [(1 / 30, 5), (1.01 / 30, 1), (0.0, 2)])
def test_a_change_under_the_tolerance_ends_it(tolerance, passes):
    # One pixel of 30 a pass. At a tolerance of just that it goes on; nothing is under 0.
    params = ClosingParams(tolerance=tolerance, max_iterations=2 if tolerance == 0 else 50)
    result = finish(close(stack(4), Operator(fill_one), params))
    assert result.iterations_by_slice.tolist() == [passes]
    assert result.converged.tolist() == [tolerance > 0]


def test_an_operator_that_never_settles_ends_at_the_most_iterations():
    params = ClosingParams(max_iterations=7, hold=False, firmer=0.0)
    seen, result = steps_of(close(stack(0), Operator(lambda u: 1 - u), params))
    assert result.iterations_by_slice.tolist() == [7] and not result.converged.any()
    np.testing.assert_allclose(result.changed, 1.0)
    # After them likely gaps are searched for.
    assert seen[-1].done == seen[-1].total == 8


@pytest.mark.parametrize(
    ("sureness", "firmer", "closed"),
    # From iteration 4 on more than 0.6, 0.7, 0.8 and so on are needed.
    [(0.55, 0.1, 3), (0.65, 0.1, 4), (0.85, 0.1, 6), (0.65, 0.02, 10), (0.55, 0.0, 20)],
)
def test_late_additions_have_to_be_surer_each_time(sureness, firmer, closed):
    def fill(image):
        image = image.copy()
        image[1, np.flatnonzero(image[1] <= 0.5)[:1]] = sureness
        return image

    params = ClosingParams(
        tolerance=0.0, max_iterations=20, firmer=firmer, likely_gaps=False, tidy=False
    )
    result = finish(close(stack(30, width=30), Operator(fill), params))
    assert result.mask[0, 1].sum() == closed
    # What is contour already may be less sure than that.
    assert result.probability[0, 1, 0] == np.float32(sureness)


def test_skipped_slices_take_no_part():
    u = stack(3, 1)
    result = finish(close(u, Operator(fill_one), skip=(0,)))
    np.testing.assert_array_equal(result.probability[0], u[0])
    assert result.iterations_by_slice.tolist() == [0, 2]
    assert np.isnan(result.changed_by_slice[:, 0]).all()
    everything = finish(close(u, Operator(fill_one), skip=(0, 1)))
    assert everything.changed.shape == (0,) and everything.changed_by_slice.shape == (0, 2)
    np.testing.assert_array_equal(everything.mask, u > 0.5)


def test_mirror_and_batch_reach_the_network():
    network = Operator(fill_one)
    finish(close(stack(0), network, ClosingParams(mirror=True, batch=3)))
    assert network.settings == [(True, 3)]


@pytest.mark.parametrize(
    ("contours", "words"),
    [
        (np.zeros((3, 10)), "axes"),
        (np.zeros((0, 3, 10)), "axes"),
        (np.full((2, 3, 10), 255), "slice 0, 1 are"),
        (np.stack([stack(1)[0], np.full((3, 10), np.nan)]), "slice 1 is"),
    ],
)
def test_what_is_no_contour_is_refused_before_any_work(contours, words):
    network = Operator(fill_one)
    with pytest.raises(InputError, match=words):
        next(close(contours, network))
    assert network.given == []


def test_a_3d_network_is_refused():
    network = Operator(fill_one)
    network.plan = SimpleNamespace(dimensions=3, in_channels=1)
    with pytest.raises(ModelError, match="2D"):
        next(close(stack(1), network))


@settings(max_examples=40, deadline=None)
@given(arrays(np.float32, (2, 4, 5), elements=st.floats(0, 1, width=32)))
def test_the_united_mask_only_adds_to_step_1(u):
    roll = Operator(lambda image: np.roll(image, 1, axis=1))
    result = finish(close(u, roll, ClosingParams(unite=True)))
    assert (result.mask >= (u > 0.5)).all()
    rounded = (result.probability > 0.5) | (u > 0.5)
    np.testing.assert_array_equal(result.mask, rounded)


def test_what_is_closed_is_held_and_what_is_not_may_fade():
    u = np.zeros((1, 5, 8), np.float32)
    u[0, 2] = [0.9, 0.9, 0.4, 0.4, 0.9, 0.3, 0.9, 0.9]
    passes = iter(
        [
            # the gap is closed, weaker than its neighbours; the faint pixel beside it fades
            [0.8, 0.8, 0.7, 0.7, 0.8, 0.1, 0.8, 0.8],
            # the network loses interest: all that was contour stays as it was
            [0.1, 0.1, 0.1, 0.1, 0.1, 0.0, 0.1, 0.1],
        ]
    )

    def step(image):
        out = np.zeros_like(image)
        out[2] = next(passes)
        return out

    params = ClosingParams(tolerance=0.001, keep_iterations=True, tidy=False)
    result = finish(close(u, Operator(step), params))
    line = result.iterations[:, 0, 2].astype(np.float32)
    assert line[1] == pytest.approx([0.9, 0.9, 0.7, 0.7, 0.9, 0.1, 0.9, 0.9], abs=1e-3)
    assert line[2] == pytest.approx([0.9, 0.9, 0.7, 0.7, 0.9, 0.0, 0.9, 0.9], abs=1e-3)
    assert result.mask[0, 2].tolist() == [1, 1, 1, 1, 1, 0, 1, 1]
    assert result.changed[1] == 0 and result.converged.all()


@given(arrays(np.float32, (2, 4, 4), elements=st.floats(0, 1, width=32)), st.integers(0, 99))
def test_holding_only_adds(u, seed):
    rng = np.random.default_rng(seed)
    noise = Operator(lambda image: rng.random(image.shape, np.float32))
    params = ClosingParams(tolerance=0.0, max_iterations=4, keep_iterations=True, tidy=False)
    masks = finish(close(u, noise, params)).iterations > 0.5
    assert all((before <= after).all() for before, after in pairwise(masks))


def room():
    """A wall round two rooms of 7 × 7, a wall between them, and a stub in the left room."""
    u = np.zeros((1, 9, 17), np.float32)
    u[0, [0, -1]] = u[0, :, [0, 8, -1]] = 0.9
    u[0, 4, 1:4] = 0.6
    return u


def test_tidying_shows_what_the_network_returns_and_the_lines_that_part_cells():
    def fade(image):
        # Doubts all that is not the outer wall.
        out = image.copy()
        out[1:-1, 1:-1] *= 0.4
        return out

    u = room()
    network = Operator(fade)
    result = finish(close(u, network, ClosingParams(unite=False, keep_iterations=True)))
    expected = room()[0] > 0.5
    expected[4, 1:4] = False  # the stub parts nothing
    np.testing.assert_array_equal(result.mask[0] > 0, expected)
    assert result.probability[0, 4, 8] == np.float32(0.9)  # held at what it was
    assert result.probability[0, 4, 2] == pytest.approx(0.24)
    np.testing.assert_array_equal(result.iterations[-1] > 0.5, result.mask > 0)
    # The network keeps seeing what is held, so nothing changed for it.
    assert result.changed.tolist() == [0.0] and result.converged.all()
    loose = finish(close(u, Operator(fade), ClosingParams(tidy=False, unite=False)))
    np.testing.assert_array_equal(loose.mask, u > 0.5)
    united = finish(close(u, Operator(fade), ClosingParams(unite=True)))
    np.testing.assert_array_equal(united.mask, u > 0.5)


def test_of_what_the_network_adds_only_lines_that_part_cells_stay():
    """A wall that the network completes stays; a stub and what thickens a wall do not."""
    u = np.zeros((1, 20, 41), np.float32)
    u[0, [0, -1]] = u[0, :, [0, 20, -1]] = 0.9
    u[0, 8:12, 20] = 0.1
    u[0, 5, 1:5] = 0.9  # a stub of Step 1

    def draw(image):
        out = image.copy()
        out[8:12, 20] = 0.8  # the gap
        out[:, 21:26] = 0.8  # a wall of six pixels
        out[14, 32:40] = 0.8  # a stub
        return out

    params = ClosingParams(likely_gaps=False, keep_iterations=True)
    result = finish(close(u, Operator(draw), params))
    expected = u[0] > 0.5
    expected[8:12, 20] = True
    found = result.mask[0] > 0
    assert (found >= expected).all()
    # four pixels on either side of the midst of what the wall has become, and no more
    assert np.flatnonzero(found[17]).tolist() == [0, 20, 21, 22, 23, 24, 25, 40]
    assert not found[14, 32:38].any() and found[5, 1:5].all()
    assert (result.probability[0, 14, 32:38] == 0.5).all()
    np.testing.assert_array_equal(result.iterations[-1, 0] > 0.5, found)
    every = finish(close(u, Operator(draw), replace(params, whole_lines=False))).mask[0] > 0
    assert every[14, 32:40].all() and every[17, 21:26].all()


def test_the_network_sees_what_is_held_not_what_is_tidied():
    seen = []

    def fade_stub(image):
        seen.append(image.copy())
        out = image.copy()
        out[4, 1:4] = 0.1
        out[4, 4 + len(seen)] = 0.8  # something goes on changing
        return out

    finish(close(room(), Operator(fade_stub), ClosingParams(tolerance=0, max_iterations=3)))
    for image in seen:
        np.testing.assert_array_equal(image[4, 1:4], np.float32(0.6))
    assert seen[2][4, 5] == seen[2][4, 6] == np.float32(0.8)


def test_tidying_changes_nothing_without_holding():
    u = room()
    fade = Operator(lambda image: image * 0.8)
    for tidy in (True, False):
        params = ClosingParams(hold=False, tidy=tidy, max_iterations=1)
        np.testing.assert_array_equal(finish(close(u, fade, params)).probability, u * 0.8)


def test_a_network_with_context_sees_the_step_1_maps_of_its_neighbours():
    u = np.stack([np.full((3, 4), value, np.float32) for value in (0.1, 0.2, 0.3, 0.4)])
    seen = []

    class Wide:
        plan = SimpleNamespace(dimensions=2, in_channels=3)

        def predict(self, images, **_):
            yield from ()
            seen.append(images[:, :, 0, 0].copy())
            return images[:, 1] + np.float32(0.2)

    params = ClosingParams(tolerance=0, max_iterations=2)
    finish(close(u, Wide(), params, skip=(2,)))
    np.testing.assert_allclose(seen[0], [[0.1, 0.1, 0.2], [0.1, 0.2, 0.3], [0.3, 0.4, 0.4]])
    # In the next pass a slice is what it has become, and its neighbours are what they were.
    np.testing.assert_allclose(seen[1], [[0.1, 0.3, 0.2], [0.1, 0.4, 0.3], [0.3, 0.6, 0.4]])


def test_a_network_with_an_even_number_of_channels_is_refused():
    network = Operator(fill_one)
    network.plan = SimpleNamespace(dimensions=2, in_channels=2)
    with pytest.raises(ModelError, match="odd"):
        next(close(stack(1), network))


def test_faint_lines_count_where_they_part_cells():
    u = room()
    u[0, 1:-1, 8] = 0.4  # the wall between the rooms
    u[0, 4, 1:4] = 0.4  # and the stub are faint
    keep = Operator(lambda image: image)
    mask = finish(close(u, keep)).mask[0] > 0
    assert mask[:, 8].all() and not mask[4, 1:4].any()
    result = finish(close(u, keep, ClosingParams(faint=0.45, keep_iterations=True)))
    assert not result.mask[0, 1:-1, 8].any()
    # of Step 1 too, though the network rubs them out, and in half precision
    rub = Operator(lambda image: np.where(image > 0.5, image, 0))
    result = finish(close(u, rub, ClosingParams(keep_iterations=True)))
    assert result.mask[0, :, 8].all()
    np.testing.assert_array_equal(result.iterations[-1] > 0.5, result.mask > 0)


def touching_discs():
    """Contours of two discs, open where they touch in the middle slice, closed around it."""
    y, x = np.mgrid[:100, :180]
    inside = (np.hypot(y - 50, x - 60) < 30) | (np.hypot(y - 50, x - 117) < 30)
    u = np.stack([~inside] * 3).astype(np.float32) * np.float32(0.9)
    u[[0, 2], :, 87:91] = 0.9
    return u


def test_likely_gaps_are_closed_in_an_iteration_after_the_last():
    u = touching_discs()
    before = u.copy()
    seen, result = steps_of(
        close(u, Operator(lambda image: image), ClosingParams(keep_iterations=True))
    )
    parts = [label_slice(mask, CellParams(min_size=0)).max() for mask in result.mask]
    assert parts == [2, 2, 2]
    assert label_slice(u[1] > 0.5, CellParams(min_size=0)).max() == 1
    # The network changed nothing in its only pass; what came then is an iteration of its own.
    assert result.changed[0] == 0 < result.changed[1]
    assert result.changed_by_slice[1].tolist() == [0, result.changed_by_slice[1, 1], 0]
    last = [step.partial for step in seen if isinstance(step.partial, Iteration)][-1]
    assert (last.number, last.likely_gaps) == (2, True)
    assert (result.passes, result.likely_gaps) == (1, True)
    assert np.array_equal(last.probability > 0.5, result.mask > 0)
    assert np.array_equal(result.iterations[-1] > 0.5, result.mask > 0)
    assert result.iterations.shape[0] == 3
    assert np.array_equal(u, before)


def test_likely_gaps_stay_open_where_that_is_asked():
    u = touching_discs()
    result = finish(close(u, Operator(lambda image: image), ClosingParams(likely_gaps=False)))
    assert np.array_equal(result.mask > 0, u > 0.5)
    assert len(result.changed) == result.passes == 1


def with_loose_end():
    """`touching_discs` with a line into the left disc of slice 1 that parts nothing."""
    u = touching_discs()
    u[1, 50, 31:45] = 0.9
    return u


def cautious(image):
    """Return a map as it is, but without the loose end once the discs are apart."""
    apart = image[:, 88:90] > 0.5
    end = image[50, 31:45]
    image = image.copy()
    image[50, 31:45] = np.where(apart.all(), 0.1, end)
    return image


@pytest.mark.parametrize(("redraw", "tidy"), [(True, True), (False, True), (True, False)])
def test_slices_with_likely_gaps_are_drawn_once_more(redraw, tidy):
    u = with_loose_end()
    network = Operator(cautious)
    params = ClosingParams(redraw=redraw, tidy=tidy, unite=False, keep_iterations=True)
    seen, result = steps_of(close(u, network, params))
    parts = [label_slice(mask, CellParams(min_size=0)).max() for mask in result.mask]
    assert parts == [2, 2, 2]
    # Slice 1 alone had a likely gap; with the gap closed the network gives up the loose end.
    drawn = redraw and tidy
    assert network.given == ([3, 1] if drawn else [3])
    assert (result.mask[1, 50, 35:45] == 0).all() == drawn
    assert (result.iterations[-2][1, 50, 35:45] > 0.5).all()
    done = [step.done for step in seen]
    assert done == sorted(done) and network.closed == len(network.given)
    changed = (result.iterations[-1] > 0.5) != (result.iterations[-2] > 0.5)
    np.testing.assert_allclose(result.changed_by_slice[-1], changed.mean(axis=(1, 2)))


def padded(width=3):
    """Two slices of lines that end at padding on the right, and where that is."""
    u = stack(0, 2, width=10)
    padding = np.zeros(u.shape, bool)
    padding[:, :, 10 - width :] = True
    u[padding] = 0
    return u, padding


def test_lines_go_on_in_padding_for_the_network_and_end_there_for_all_others():
    u, padding = padded()
    shown = []

    def watch(image):
        shown.append(image.copy())
        return image

    seen, result = steps_of(close(u, Operator(watch), padding=padding))
    # The middle row, which the padding cuts, is mirrored at its edge.
    np.testing.assert_array_equal(shown[0][1, 7:], u[0, 1, [5, 4, 3]])
    assert not result.mask[padding].any() and not result.probability[padding].any()
    for step in seen:
        if isinstance(step.partial, Iteration):
            assert not step.partial.probability[padding].any()
    np.testing.assert_array_equal(result.mask, u > 0.5)


def test_iterations_kept_have_nothing_in_padding():
    u, padding = padded()
    params = ClosingParams(keep_iterations=True)
    result = finish(close(u, Operator(fill_one), params, padding=padding))
    assert not result.iterations[:, padding].any()


def test_pixels_in_padding_do_not_count_as_changed():
    u, padding = padded(width=4)
    params = ClosingParams(likely_gaps=False, tolerance=0, max_iterations=3)
    result = finish(close(u, Operator(fill_one), params, padding=padding))
    # 3 × 6 pixels are left of each slice; one of the second changes in either pass.
    np.testing.assert_allclose(result.changed_by_slice[:2, 1], [1 / 18, 1 / 18])
    np.testing.assert_allclose(result.changed[:2], [1 / 36, 1 / 36])
    flicker = Operator(lambda line: np.where(np.arange(10) > 6, 1 - line, line))
    still = finish(close(u, flicker, ClosingParams(likely_gaps=False, hold=False), padding=padding))
    assert still.iterations_by_slice.tolist() == [1, 1]


def test_slices_with_more_tissue_count_for_more():
    u = stack(1, 0)
    padding = np.zeros(u.shape, bool)
    padding[1, :, 2:] = True
    params = ClosingParams(likely_gaps=False, max_iterations=1)
    result = finish(close(u, Operator(fill_one), params, padding=padding))
    assert result.changed[0] == pytest.approx(1 / 36)


def test_no_padding_is_as_none_at_all():
    u = stack(3, 1, 0)
    plain = finish(close(u, Operator(fill_one)))
    empty = finish(close(u, Operator(fill_one), padding=np.zeros(u.shape, bool)))
    np.testing.assert_array_equal(plain.probability, empty.probability)
    np.testing.assert_array_equal(plain.changed, empty.changed)


def test_certainty_is_that_of_the_map_before_it_was_moved_to_a_threshold():
    """Lines that are not sure, on a ground that is: a gain is found whatever the threshold is."""
    from napari_copnet.steps.threshold import at_threshold

    u = np.full((1, 64, 64), 0.05, np.float32)
    u[0, ::16] = u[0, :, ::16] = 0.8
    params = ClosingParams(max_iterations=1, likely_gaps=False, hold=False, unite=False)
    still = Operator(lambda image: image)
    plain = finish(close(u, still, params))
    assert plain.certainty["offset"] > 0
    for threshold in (0.2, 0.9):
        moved = at_threshold(u, threshold)
        found = finish(close(moved, still, params, threshold=threshold))
        assert found.certainty == pytest.approx(plain.certainty, abs=1e-3)
        # and the threshold stays what it is: a constant on the logit, times the gain
        logit = np.log(found.probability / (1 - found.probability))
        before = np.log(plain.probability / (1 - plain.probability))
        shift = plain.certainty["gain"] * np.log(threshold / (1 - threshold))
        np.testing.assert_allclose(logit, before - shift, atol=2e-2)
    # measured on the map that was moved, the threshold would be taken back
    taken_back = finish(close(at_threshold(u, 0.9), still, params)).certainty
    assert taken_back["offset"] > plain.certainty["offset"] + 1
