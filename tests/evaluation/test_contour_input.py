"""What may be given as contours, and what comes of it."""

import numpy as np
import pytest

from napari_copnet.errors import InputError
from napari_copnet.evaluation.contour_input import as_contour, background
from napari_copnet.io.contour_kinds import image_kind, probability_of


def squares(gap=0):
    """Four square cells of 20 px with a gap of label 0 between."""
    side = 20 + gap
    labels = np.zeros((2 * side - gap, 2 * side - gap), np.uint16)
    for number, (y, x) in enumerate([(0, 0), (0, side), (side, 0), (side, side)]):
        labels[y : y + 20, x : x + 20] = number + 1
    return labels


CROSS = np.pad(np.ones((2, 40)), ((19, 19), (0, 0))) + np.pad(np.ones((40, 2)), ((0, 0), (19, 19)))
CROSS = (CROSS > 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (CROSS, "mask"),
        (CROSS > 0, "mask"),
        (CROSS * 255, "mask"),
        (CROSS.astype(np.float32), "mask"),
        (CROSS * np.float32(0.8), "probability"),
        (squares(), "labels"),
        (squares(3).astype(np.uint8), "labels"),
        (squares().astype(np.float64), "labels"),
        (np.random.default_rng(0).integers(0, 256, (9, 9)).astype(np.uint8), "probability"),
        (np.zeros((4, 4)), "mask"),
    ],
)
def test_kinds_are_told_apart(image, kind):
    assert image_kind(image) == kind


@pytest.mark.parametrize("image", [CROSS, CROSS > 0, CROSS * 255, CROSS * 0.8, CROSS * 0.51])
def test_masks_and_probabilities_give_the_same_contour(image):
    contour = as_contour(image)
    np.testing.assert_array_equal(contour, CROSS)
    assert contour.dtype == np.uint8


def test_a_half_is_not_contour():
    assert not as_contour(CROSS * 0.5 + np.eye(40) * 0.01).any(axis=None, where=np.eye(40) == 0)


def test_8_bit_probabilities_count_255_as_one():
    image = np.random.default_rng(0).integers(0, 200, (20, 20)).astype(np.uint8)
    np.testing.assert_array_equal(as_contour(image), image / 255 > 0.5)


def test_touching_labels_get_a_contour_of_two_pixels():
    np.testing.assert_array_equal(as_contour(squares()), CROSS)
    stack = np.stack([squares(), np.ones_like(squares())])
    np.testing.assert_array_equal(as_contour(stack)[0], CROSS)
    assert not as_contour(stack)[1].any()  # other slices do not count


def test_thin_gaps_of_nothing_are_contour():
    labels = squares(6)
    contour = as_contour(labels)
    assert contour[labels == 0].all()
    assert not background(labels).any()
    assert contour.sum() - (labels == 0).sum() == 8 * 20 - 4  # one pixel into each cell


def test_wide_regions_of_nothing_are_background():
    labels = np.zeros((60, 60), np.uint16)
    labels[20:40, 20:40] = 1
    contour = as_contour(labels, kind="labels")
    expected = np.zeros((60, 60), bool)
    expected[19:41, 20:40] = expected[20:40, 19:41] = True
    expected[21:39, 21:39] = False
    np.testing.assert_array_equal(contour, expected)
    assert background(labels)[5, 5] and not background(labels)[30, 30]


def test_inverted_masks_are_refused_with_a_hint():
    with pytest.raises(InputError, match="invert"):
        as_contour(1 - CROSS)
    np.testing.assert_array_equal(as_contour(1 - CROSS, invert=True), CROSS)
    np.testing.assert_array_equal(as_contour((1 - CROSS) * 255, invert=True), CROSS)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (CROSS * np.nan, "NaN"),
        (CROSS * 1.5, "between 0 and 1"),
        (CROSS.astype(int) - 1, "negative"),
        (np.random.default_rng(0).integers(0, 900, (9, 9)), "neither"),
        (np.zeros((2, 2, 2, 2)), "4 axes"),
        (np.zeros((0, 4)), "no pixels"),
        (CROSS.astype(complex), "complex"),
    ],
)
def test_other_images_are_refused(image, words):
    with pytest.raises(InputError, match=words):
        as_contour(image)


WIDE = np.kron(np.eye(2, dtype=np.uint8), np.ones((40, 40), np.uint8))


@pytest.mark.parametrize(
    "image",
    [CROSS * np.uint8(128), CROSS.astype(np.uint16) * 65535, CROSS + np.uint8(1), CROSS * 7.0],
)
def test_every_way_to_store_a_mask_gives_the_same_contour(image):
    assert image_kind(image) == "mask"
    np.testing.assert_array_equal(as_contour(image), CROSS)
    if image.dtype.kind == "u":
        np.testing.assert_array_equal(probability_of(image), CROSS)
    with pytest.raises(InputError, match="seems to be a mask of cells"):
        as_contour(image.max() + image.min() - image)


def test_a_16_bit_probability_counts_65535_as_one():
    rng = np.random.default_rng(0)
    soft = np.clip(CROSS * 0.9 + rng.normal(0.05, 0.02, CROSS.shape), 0, 1)
    image = (soft * 65535).astype(np.uint16)
    assert image_kind(image) == "probability"
    np.testing.assert_array_equal(as_contour(image), CROSS)
    with pytest.raises(InputError, match="neither"):
        as_contour((soft * 255).astype(np.uint16))


def test_a_sharp_8_bit_probability_is_no_label_image():
    image = (np.pad(CROSS, 6, mode="edge") * 255).astype(np.uint8)
    image[0, :6] = range(20, 26)
    assert image_kind(image) == "probability"


@pytest.mark.parametrize("image", [WIDE * np.uint8(128), WIDE + np.uint16(1)])
def test_two_values_that_may_be_cells_are_asked_about(image):
    with pytest.raises(InputError, match="two values"):
        image_kind(image)
    assert as_contour(image, "labels").any()


DRAWN = np.pad(CROSS, 6, mode="edge")[None].repeat(2, 0)


@pytest.mark.parametrize(
    "mask",
    [
        DRAWN > 0,
        DRAWN.astype(np.int32),
        (DRAWN * 255).astype(np.uint8),
        (DRAWN * 255).astype(np.float32),
        DRAWN.astype(np.uint16) * 65535,
        (DRAWN * 128).astype(np.uint8),
        (DRAWN * 100).astype(np.int16),
        (DRAWN + 1).astype(np.uint8),
        (DRAWN + 1).astype(np.float32),
    ],
    ids=lambda mask: f"{mask.dtype}-{mask.max():g}",
)
def test_a_mask_is_the_same_contour_to_every_command(mask):
    from napari_copnet.io.probability import as_probability
    from napari_copnet.teaching.project_start import start_from_images
    from napari_copnet.training.truth import mask_to_classes, truth_kind
    from napari_copnet.types import Stack

    np.testing.assert_array_equal(as_contour(mask), DRAWN)
    np.testing.assert_array_equal(as_probability(Stack(mask)), DRAWN)
    np.testing.assert_array_equal(start_from_images(Stack(mask), mask).contour, DRAWN)
    assert truth_kind(mask) == "contours"
    np.testing.assert_array_equal(mask_to_classes(mask, "contours"), DRAWN)


def test_no_command_takes_cells_for_contours():
    from napari_copnet.io.probability import as_probability
    from napari_copnet.types import Stack

    with pytest.raises(InputError, match="mask of cells"):
        as_probability(Stack((1 - DRAWN) * np.uint8(255)))
    rows, columns = np.indices(DRAWN.shape[1:]) // 13
    with pytest.raises(InputError, match="cell labels"):
        as_probability(Stack((rows * 9 + columns + 1).astype(np.uint8)[None]))


def test_a_probability_with_wide_flat_areas_is_one():
    from napari_copnet.io.probability import as_probability
    from napari_copnet.types import Stack

    image = np.random.default_rng(0).integers(0, 4, DRAWN.shape).astype(np.uint8) // 3 + 1
    image[DRAWN > 0] = np.random.default_rng(1).integers(140, 250, np.count_nonzero(DRAWN))
    np.testing.assert_array_equal(as_probability(Stack(image)) > 0.5, DRAWN > 0)
