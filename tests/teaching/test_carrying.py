"""Cells carried to other slices: where they come to, how sure they are, and where it stops."""

import numpy as np
import pytest
from moving_tissue import contour_of, moving_tissue
from scipy import ndimage

from napari_copnet.errors import InputError
from napari_copnet.evaluation.metrics import LABELLED, partition
from napari_copnet.params import CarryParams
from napari_copnet.progress import finish
from napari_copnet.teaching.carrying import filters, likely, motion, regions, trust
from napari_copnet.teaching.carrying.carried import drawn
from napari_copnet.teaching.carrying.carry import CarriedCells, carry_cells
from napari_copnet.teaching.carrying.given import GivenSlice
from napari_copnet.teaching.carrying.look import Look


def right(truth, labels):
    """Share of the true cells of at least 60 px that are labelled."""
    found = partition(truth, labels.astype(np.uint32))
    return float(np.mean((found.fates == LABELLED)[found.sizes >= 60]))


def test_filled_cells_leave_no_gap_and_keep_what_lies_outside():
    contour = np.zeros((9, 12), np.uint8)
    contour[:, 5:7] = 1
    outside = np.zeros(contour.shape, bool)
    outside[:2, :5] = True
    labels = regions.filled(contour, outside)
    assert (labels[:2, :5] == regions.OUTSIDE).all()
    assert len(np.unique(labels[2:, :6])) == 1 and labels[4, 0] > regions.OUTSIDE
    assert len(np.unique(labels[:, 6:])) == 1 and labels[4, 0] != labels[4, 11]
    assert not regions.filled(np.ones((4, 4), np.uint8)).any()


def test_half_widths_are_those_of_the_lines():
    contour = np.zeros((20, 40), np.uint8)
    contour[:, 10:12] = 1
    contour[:, 26:32] = 1
    half = regions.half_widths(contour, regions.filled(contour))
    assert (half[:, :15] == 1).all() and (half[:, 24:] == 3).all()


def test_every_cell_keeps_a_seed_inside_of_it():
    labels = np.repeat(np.repeat(np.arange(2, 14).reshape(3, 4), 7, 0), 3, 1).astype(np.uint32)
    inner = regions.seeds(labels)
    assert set(np.unique(inner)) == {0, *range(2, 14)}
    assert (inner[inner > 0] == labels[inner > 0]).all()


def test_overlap_is_intersection_over_union():
    first = np.array([[2, 2, 3, 3]], np.uint32)
    second = np.array([[2, 3, 3, 3]], np.uint32)
    np.testing.assert_allclose(regions.overlap(first, second, 4), [0, 0, 1 / 2, 2 / 3, 0])


def test_a_shifted_slice_is_registered_and_its_labels_follow():
    image, contours, _ = moving_tissue(1)
    shift = (2, -3)
    other = np.roll(image[0], shift, (0, 1))
    flat = np.zeros(other.shape, np.float32)
    values = [filters.likeness(one, flat) for one in (other, image[0])]
    field = motion.displacement(*values)
    inside = field[:, 16:-16, 16:-16]
    np.testing.assert_allclose(np.median(inside, axis=(1, 2)), [-2, 3], atol=0.3)
    assert motion.restlessness(np.full((2, 8, 8), 3.0)) == 0
    labels = regions.filled(contours[0])
    came = motion.moved(labels, field)
    assert (came == np.roll(labels, shift, (0, 1)))[16:-16, 16:-16].mean() > 0.95


def test_registered_slices_agree_where_they_show_the_same():
    rng = np.random.default_rng(0)
    first = ndimage.gaussian_filter(rng.normal(size=(80, 120)), 1.5)
    second = first.copy()
    second[:, 60:] = ndimage.gaussian_filter(rng.normal(size=(80, 60)), 1.5)
    alike = filters.agreement(first, second)
    assert alike[:, :30].min() > 0.99 and abs(np.median(alike[:, 90:])) < 0.3


def test_moved_labels_take_the_largest_share_of_a_pixel():
    labels = np.array([[2, 2, 3, 3]] * 3, np.uint32)
    for part, wanted in ((0.4, [2, 2, 3, 3]), (0.6, [2, 3, 3, 3])):
        field = np.zeros((2, 3, 4), np.float32)
        field[1] = part
        np.testing.assert_array_equal(motion.moved(labels, field)[1], wanted)


def test_composed_displacements_are_one_after_the_other():
    first, second = np.zeros((2, 2, 12, 12), np.float32)
    first[0], second[1] = np.arange(12) / 4, 2.0
    both = motion.composed(first, second)
    np.testing.assert_allclose(both[1], 2)
    np.testing.assert_allclose(both[0, 5, 3], 5 / 4)


def test_contour_odds_are_learnt_from_a_slice_and_hold_in_another():
    image, contours, cells = moving_tissue(4)
    odds = likely.ContourOdds([(likely.features(image[0]), cells[0])])
    found = odds.of(likely.features(image[3]))
    on, off = found[contours[3] > 0], found[contours[3] == 0]
    assert np.median(on) > 0 > np.median(off)


def test_cells_follow_the_tissue_where_copies_do_not():
    image, contours, cells = moving_tissue(6, speed=1.5)
    given = {0: GivenSlice.of(contours[0])}
    seen = []
    came = finish(carry_cells(image.__getitem__, given, range(6)), seen.append)
    assert [one.z for one in came] == [1, 2, 3, 4, 5]
    assert [step.partial.z for step in seen] == [1, 2, 3, 4, 5] and seen[-1].done == 5
    for one in came:
        assert one.sources == (0,)
        assert right(cells[one.z], one.labels) > 0.9
    assert right(cells[4], given[0].labels) < 0.5
    trusted = ~np.isin(came[0].labels, came[0].doubtful)
    assert trusted.mean() > 0.8


def test_between_two_slices_both_count_the_nearer_more():
    image, contours, cells = moving_tissue(7, speed=1.5)
    given = {z: GivenSlice.of(contours[z]) for z in (0, 6)}
    came = finish(carry_cells(image.__getitem__, given, range(7)))
    assert [one.z for one in came] == [1, 2, 3, 4, 5]
    assert all(one.sources == (0, 6) and right(cells[one.z], one.labels) > 0.9 for one in came)

    left, other = np.full((1, 10), 2, np.uint32), np.full((1, 10), 2, np.uint32)
    left[:, 6:], other[:, 4:] = 3, 3
    same = np.arange(4, dtype=np.uint32)
    assert (regions.blended(left, other, same, 0.9) == left).all()
    assert (regions.blended(left, other, same, 0.1) == other).all()


def test_carrying_stops_where_slices_have_nothing_in_common():
    image, contours, _ = moving_tissue(6)
    strange = np.random.default_rng(3).normal(120, 40, image.shape).clip(0, 255)
    image[3:] = strange[3:]
    given = {0: GivenSlice.of(contours[0])}
    came = finish(carry_cells(image.__getitem__, given, range(6)))
    assert [one.z for one in came] == [1, 2]
    for one in came:
        assert one.in_doubt <= CarryParams().doubt


def test_only_neighbours_within_reach_that_are_asked_for_are_carried_to():
    image, contours, _ = moving_tissue(9, speed=0.2)
    given = {4: GivenSlice.of(contours[4])}
    params = CarryParams(reach=3)
    came = finish(carry_cells(image.__getitem__, given, [0, 1, 2, 3, 6, 7], params))
    assert [one.z for one in came] == [1, 2, 3]
    with pytest.raises(InputError, match="no slice to carry from"):
        finish(carry_cells(image.__getitem__, {}, [1]))


def test_slices_too_far_apart_are_carried_from_each_by_itself():
    image, contours, _ = moving_tissue(9, speed=0.2)
    given = {z: GivenSlice.of(contours[z]) for z in (0, 8)}
    came = finish(carry_cells(image.__getitem__, given, range(9), CarryParams(reach=3)))
    assert [(one.z, one.sources) for one in came] == [
        *((z, (0,)) for z in (1, 2, 3)),
        *((z, (8,)) for z in (5, 6, 7)),
    ]


def test_lines_are_drawn_as_wide_as_they_were_and_closed():
    image, contours, _ = moving_tissue(2, speed=0.5)
    given = {0: GivenSlice.of(contours[0])}
    (cells,) = finish(carry_cells(image.__getitem__, given, [1]))
    made = drawn(cells, np.zeros_like(contours[0]))
    assert abs(made.contour.mean() / contours[1].mean() - 1) < 0.1
    again = regions.filled(made.contour)
    assert right(cells.labels, again) > 0.95
    thin = contour_of(cells.labels) > 0
    assert (made.contour & thin).sum() > 0.5 * thin.sum()


def test_doubtful_cells_are_unknown_pixels_and_places_to_look_at():
    image, contours, _ = moving_tissue(2, speed=0.5)
    # the tissue is torn in a corner of the second slice
    image[1, 48:, 48:] = np.random.default_rng(1).integers(0, 255, (48, 48))
    given = {0: GivenSlice.of(contours[0])}
    (cells,) = finish(carry_cells(image.__getitem__, given, [1], CarryParams(doubt=1.0)))
    made = drawn(cells, np.zeros_like(contours[0]))
    assert made.doubtful and made.doubtful[0].trust <= made.doubtful[-1].trust
    for place in made.doubtful:
        assert place.trust < CarryParams().trust and not made.known[place.y, place.x]
    assert made.known[:40, :40].mean() > made.known[52:, 52:].mean() + 0.3


def test_strain_is_how_much_a_displacement_differs_from_pixel_to_pixel():
    y, x = np.mgrid[:6, :7].astype(np.float32)
    np.testing.assert_allclose(motion.strain(np.stack([0 * y + 3, 0 * x - 2])), 0)
    # a stretch along y by a tenth, and shear of a fifth along x
    field = np.stack([0.1 * y + 0.2 * x, 0 * x])
    np.testing.assert_allclose(motion.strain(field), np.hypot(0.1, 0.2), rtol=1e-5)


def test_trust_grows_with_agreement_and_size_and_falls_with_uneven_motion():
    usual = np.array([0.8, 0.9, 0.8, np.log(0.05), np.log(20.0)])
    for column, step in enumerate((0.1, 0.05, 0.1, -1.0, 1.0)):
        better = usual.copy()
        better[column] += step
        assert trust.likely_right(better) > trust.likely_right(usual)
    both = trust.likely_right(np.stack([usual, usual]))
    assert both.shape == (2,) and 0 < both[0] < 1


def test_what_tells_right_cells_is_read_off_each_cell():
    # two squares of 10 and 20 px side that did not move, in an image that is the same
    labels = np.full((30, 40), 2, np.uint32)
    labels[5:15, 5:15], labels[5:25, 18:38] = 3, 4
    image = 160 - 90.0 * ndimage.gaussian_filter(regions.borders(labels).astype(float), 0.7)
    look = Look(lambda z: image)
    look.learn({0: GivenSlice.of_labels(labels)}, 0)
    field = np.zeros((2, *labels.shape), np.float32)
    field[0, :, 16:] = 0.01 * np.arange(30)[:, None]
    moved = trust.move(look, 0, GivenSlice.of_labels(labels), field)
    values = trust.agreements(look, 0, moved, labels, 4)
    assert values.shape == (5, 5)
    np.testing.assert_allclose(np.exp(values[3:, 4]), [10, 20])
    # nothing differs within the one: as calm as anything that was fitted to
    assert np.exp(values[3, 3]) == pytest.approx(trust.CALMEST)
    assert np.exp(values[4, 3]) == pytest.approx(0.01, rel=0.2)
    np.testing.assert_allclose(values[3:, 1], 1)


def test_a_contour_model_leads_borders_as_far_as_it_is_right():
    image, contours, cells = moving_tissue(3, speed=2.0, noise=250.0)
    given = {0: GivenSlice.of(contours[0])}
    free = CarryParams(doubt=1.0)
    rng = np.random.default_rng(3)
    useless = rng.random(contours.shape)

    def carried(model):
        came = finish(carry_cells(image.__getitem__, given, [1, 2], free, model))
        assert [one.z for one in came] == [1, 2]
        return np.mean([right(cells[one.z], one.labels) for one in came])

    alone = carried(None)
    assert alone < 0.7
    assert carried(lambda z: 0.9 * contours[z]) > alone + 0.2
    # one that tells nothing does little harm, and one that exchanges lines and cells is understood
    assert carried(lambda z: useless[z]) > alone - 0.1
    assert carried(lambda z: 1 - 0.9 * contours[z]) > alone + 0.2


def test_doubt_is_counted_by_the_length_of_contour():
    labels = np.full((20, 40), 2, np.uint32)
    labels[:, 30:] = 3
    # 600 and 200 px: 24.5 and 14.1 px wide
    sure, unsure = np.array([0, 0, 0.9, 0.1]), np.array([0, 0, 0.1, 0.9])
    half = np.ones(labels.shape, np.float32)
    shares = [CarriedCells(1, (0,), labels, half, one, 0.85).in_doubt for one in (sure, unsure)]
    widths = np.sqrt([600, 200])
    np.testing.assert_allclose(shares, widths[::-1] / widths.sum())
