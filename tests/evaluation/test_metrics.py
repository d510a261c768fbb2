"""Scores against arrays drawn by hand and brute-force references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion, distance_transform_edt, generate_binary_structure
from skimage.morphology import skeletonize
from skimage.segmentation import find_boundaries

from napari_copnet.evaluation.metrics import (
    LABELLED,
    MERGED,
    SPLIT,
    border,
    centreline_dice,
    outline,
    partition,
    surface_dice,
    within,
)

NAMES = {LABELLED: "labelled", MERGED: "merged", SPLIT: "split"}


def fates(truth, predicted, overlap=0.85):
    result = partition(np.atleast_2d(truth), np.atleast_2d(predicted), overlap)
    return dict(zip(result.ids.tolist(), (NAMES[f] for f in result.fates), strict=True))


def row(*runs):
    """Draw a line of (value, length) runs."""
    return np.concatenate([np.full(length, value, np.uint32) for value, length in runs])


def test_the_same_cell_is_labelled_whatever_its_number():
    assert fates(row((1, 20), (0, 2), (2, 20)), row((7, 20), (0, 2), (3, 20))) == {
        1: "labelled",
        2: "labelled",
    }


@pytest.mark.parametrize(("covered", "fate"), [(17, "labelled"), (16, "split")])
def test_85_percent_has_to_be_covered(covered, fate):
    assert fates(row((1, 20), (0, 9)), row((5, covered), (6, 20 - covered), (0, 9)))[1] == fate


@pytest.mark.parametrize(("elsewhere", "fate"), [(3, "labelled"), (4, "merged")])
@pytest.mark.parametrize("where", [0, 2])
def test_at_most_15_percent_may_lie_elsewhere(elsewhere, fate, where):
    truth = row((1, 20), (where, 30))
    assert fates(truth, row((5, 20 + elsewhere), (0, 30 - elsewhere)))[1] == fate


@pytest.mark.parametrize("size", range(20, 2001, 20))
def test_the_boundary_holds_exactly_at_every_size(size):
    covered, elsewhere = size * 17 // 20, size * 3 // 20
    truth = row((1, size), (0, size))
    exact = row((0, size - covered), (5, covered + elsewhere), (0, size - elsewhere))
    assert fates(truth, exact)[1] == "labelled"
    more = row((0, size - covered), (5, covered + elsewhere + 1), (0, size - elsewhere - 1))
    assert fates(truth, more)[1] == "merged"
    less = row((0, size - covered + 1), (5, covered - 1 + elsewhere), (0, size - elsewhere))
    assert fates(truth, less)[1] == "split"


def test_a_missed_cell_with_other_values_is_merged():
    assert fates(row((1, 20)), row((0, 11), (5, 9))) == {1: "merged"}


def test_a_missed_cell_without_other_values_is_split():
    assert fates(row((1, 20)), row((0, 20))) == {1: "split"}


def test_nothing_counts_before_a_cell_as_frequent():
    assert fates(row((1, 20)), row((5, 10), (0, 10))) == {1: "merged"}


def test_two_cells_under_one_label_are_merged():
    assert fates(row((1, 20), (2, 40)), row((5, 60))) == {1: "merged", 2: "merged"}


def test_a_small_neighbour_may_be_swallowed():
    # 2 of 20 elsewhere is within 15 % of the large cell, the small one is merged
    assert fates(row((1, 20), (2, 2)), row((5, 22))) == {1: "labelled", 2: "merged"}


def test_of_two_equal_owners_the_first_has_the_label():
    truth = row((1, 10), (2, 10))
    predicted = row((6, 3), (7, 2), (5, 5), (5, 5), (8, 3), (9, 2))
    assert fates(truth, predicted, 0.5) == {1: "labelled", 2: "merged"}


def test_other_shares_hold_exactly_too():
    # 0.55 * 100 is a little more than 55 in binary
    assert fates(row((1, 100)), row((5, 55), (6, 45)), 0.55) == {1: "labelled"}


def drawn(picture):
    """Return labels from rows of digits; a dot is 0."""
    rows = [[0 if c == "." else int(c) for c in line] for line in picture.split()]
    return np.array(rows, np.uint32)


TWO_CELLS = """
    11111.2222
    11111.2222
    11111.2222
    11111.2222
"""


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        # each has a predicted cell of its own
        ("5555..6666 55555.6666 55555.6666 55555.6666", ("labelled", "labelled")),
        # 16 of 20 pixels, the rest on a contour that is too thick: less than 85 %
        ("5555..6666 5555..6666 5555..6666 5555..6666", ("split", "labelled")),
        # halves of the first
        ("55.77.6666 55.77.6666 55.77.6666 55.77.6666", ("split", "labelled")),
        # a gap: one predicted cell over both
        ("55555.5555 5555555555 5555555555 55555.5555", ("merged", "merged")),
        # the second runs 4 pixels into the first: more than 15 % of its 16, and 20 % of the first
        ("55555.6666 55555.6666 555556.666 666666.666", ("split", "merged")),
        # the first runs into what is no cell, by 3 of its 20 pixels and by 4
        ("555555.666 555555.666 555555.666 55555.6666", ("labelled", "split")),
        ("5555556666 5555556666 5555556666 5555556666", ("merged", "labelled")),
        # a label that has most of the first, but is mostly the second's: less than 85 % is split
        ("666...6666 666...6666 666...6666 666...6666", ("split", "merged")),
        # nothing there; a speck in nothing; a speck of a neighbour's label in nothing
        ("......6666 ......6666 ......6666 ......6666", ("split", "labelled")),
        ("......6666 .77...6666 ......6666 ......6666", ("merged", "labelled")),
        ("......6666 ....666666 ......6666 ......6666", ("merged", "labelled")),
    ],
)
def test_each_branch_of_the_rule(predicted, expected):
    assert tuple(fates(drawn(TWO_CELLS), drawn(predicted)).values()) == expected


def test_counts_of_the_rule():
    result = partition(drawn(TWO_CELLS), drawn("55555.6666 55555.6666 555556.666 666666.666"))
    assert result.sizes.tolist() == [20, 16]
    assert result.predicted.tolist() == [5, 6]
    assert result.covered.tolist() == [15, 14]
    assert result.elsewhere.tolist() == [0, 7]


label_images = arrays(np.uint32, (6, 7), elements=st.integers(0, 3))


def by_hand(truth, predicted, overlap):
    """The rule, word by word."""
    result = {}
    for g in np.unique(truth[truth > 0]):
        inside = np.bincount(predicted[truth == g])
        size, p = inside.sum(), inside.argmax()
        if p == 0:
            result[int(g)] = "merged" if np.count_nonzero(inside) > 1 else "split"
        elif inside[p] * 100 >= overlap * size:
            owner = np.bincount(truth[predicted == p]).argmax()
            elsewhere = np.sum((predicted == p) & (truth != g))
            alone = owner == g and elsewhere * 100 <= (100 - overlap) * size
            result[int(g)] = "labelled" if alone else "merged"
        else:
            result[int(g)] = "split"
    return result


@settings(max_examples=300, deadline=None)
@given(label_images, label_images, st.integers(50, 100))
def test_partition_is_the_rule_word_by_word(truth, predicted, overlap):
    assert fates(truth, predicted, overlap / 100) == by_hand(truth, predicted, overlap)


@settings(max_examples=100, deadline=None)
@given(label_images, label_images)
def test_shares_sum_to_one(truth, predicted):
    result = partition(truth, predicted)
    total = sum(result.share(fate) for fate in NAMES)
    assert total == pytest.approx(1 if truth.any() else 0)
    assert result.ids.size == np.unique(truth[truth > 0]).size


masks = arrays(bool, (9, 8))


@settings(max_examples=100, deadline=None)
@given(masks)
def test_border_is_that_of_scikit_image(mask):
    np.testing.assert_array_equal(border(mask), find_boundaries(mask, 1, mode="thick"))


def nsd_by_hand(first, second, tolerance):
    cross = generate_binary_structure(2, 1)

    def edge(mask):
        inner = mask & ~binary_erosion(mask, cross, border_value=1)
        outer = ~mask & ~binary_erosion(~mask, cross, border_value=1)
        return np.argwhere(inner | outer)

    a, b = edge(first), edge(second)
    if len(a) + len(b) == 0:
        return 1.0
    if len(a) == 0 or len(b) == 0:
        return 0.0
    distance = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))
    near = (distance.min(axis=1) <= tolerance).sum() + (distance.min(axis=0) <= tolerance).sum()
    return near / (len(a) + len(b))


@settings(max_examples=150, deadline=None)
@given(masks, masks, st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0]))
def test_surface_dice_is_brute_force(first, second, tolerance):
    ours = surface_dice(outline(first, tolerance), outline(second, tolerance))
    assert ours == pytest.approx(nsd_by_hand(first, second, tolerance))


@settings(max_examples=60, deadline=None)
@given(
    arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.booleans()),
    st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 2.3, 5.0, 7.07, 40.0]),
    st.booleans(),
)
def test_pixels_within_a_distance_are_those_of_a_distance_transform(mask, distance, by_transform):
    expected = np.zeros(mask.shape, bool)
    if mask.any():
        expected = distance_transform_edt(~mask) <= distance + 1e-9
    with pytest.MonkeyPatch.context() as patch:
        if by_transform:
            patch.setattr("napari_copnet.evaluation.metrics.WIDEST_DISK", -1)
        np.testing.assert_array_equal(within(mask, distance), expected)


def line(column, side=30, width=2):
    mask = np.zeros((side, side), np.uint8)
    mask[:, column : column + width] = 1
    return mask


@pytest.mark.parametrize(("shift", "nsd"), [(0, 1), (2, 1), (4, 0.5), (9, 0)])
def test_surface_dice_of_a_shifted_line(shift, nsd):
    # Borders at columns 9..12 and the same shifted by 4: 9, 10 are farther than 2 from 13..16.
    assert surface_dice(outline(line(10 + shift)), outline(line(10))) == nsd


def cldice_by_hand(first, second, method):
    a, b = skeletonize(first, method=method) > 0, skeletonize(second, method=method) > 0
    precision, recall = second[a].mean(), first[b].mean()
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("method", ["zhang", "lee"])
def test_centreline_dice_is_its_definition(method):
    rng = np.random.default_rng(0)
    from scipy.ndimage import gaussian_filter

    first = np.abs(gaussian_filter(rng.normal(size=(60, 60)), 3)) < 0.03
    second = np.abs(gaussian_filter(rng.normal(size=(60, 60)), 3)) < 0.03
    ours = centreline_dice(outline(first, 2, method), outline(second, 2, method))
    assert 0 < ours < 1 and ours == pytest.approx(cldice_by_hand(first, second, method))


def test_a_missing_half_of_a_line_halves_the_recall():
    whole, half = line(10, 40, 1), line(10, 40, 1)
    half[20:] = 0
    assert centreline_dice(outline(half), outline(whole)) == pytest.approx(2 / 3)


def test_empty_masks():
    empty, some = outline(np.zeros((9, 9))), outline(line(3, 9))
    assert surface_dice(empty, empty) == centreline_dice(empty, empty) == 1
    assert surface_dice(some, empty) == centreline_dice(some, empty) == 0
