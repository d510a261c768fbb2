"""What the image says of a wall: drawn slices of two rooms, with and without a membrane."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_copnet.boundaries.gaps import SlicePlane, distance_to_contour, drawn_walls, gaps
from napari_copnet.boundaries.membrane import membrane_odds
from napari_copnet.params import CellParams
from napari_copnet.steps.cells import label_slice

ALL = CellParams(min_size=0)


def rooms(door):
    """Two rooms of 40×40 px; with a door the wall between them is open over 12 px."""
    contour = np.ones((46, 88), bool)
    contour[3:43, 3:43] = contour[3:43, 45:85] = False
    if door:
        contour[17:29, 43:45] = False
    return contour


def image_of(membranes, noise=0.3, seed=0):
    """Dark membranes on bright ground; a hundred grey levels."""
    grain = np.random.default_rng(seed).normal(scale=noise, size=membranes.shape)
    return (100 * (2 - membranes + grain)).astype(np.float32)


def odds_of(image, contour):
    return membrane_odds(
        image, contour, label_slice(contour, ALL), distance_to_contour(contour.astype(bool))
    )


def test_a_membrane_that_is_not_drawn_looks_like_those_that_are():
    image, contour = image_of(rooms(door=False)), rooms(door=True)
    odds = odds_of(image, contour)
    door, inside = odds[18:28, 43:45], odds[10:36, 10:36]
    assert door.mean() > 1 and inside.mean() < -1
    # Where the image shows none, none is seen.
    assert odds_of(image_of(rooms(door=True)), contour)[20:26, 43:45].mean() < door.mean() - 1


@settings(max_examples=20, deadline=None)
@given(
    gain=st.floats(0.01, 100).flatmap(lambda gain: st.sampled_from([gain, -gain])),
    offset=st.floats(-1000, 1000),
)
def test_contrast_brightness_and_polarity_do_not_matter(gain, offset):
    image, contour = image_of(rooms(door=False)), rooms(door=True)
    changed = gain * image.astype(np.float64) + offset
    assert odds_of(changed, contour) == pytest.approx(odds_of(image, contour), abs=0.05)


def test_the_odds_are_fishers_discriminant():
    """In a linear discriminant both classes have their means equally far from even odds."""
    image, contour = image_of(rooms(door=False), noise=1.5), rooms(door=True)
    odds = odds_of(image, contour)
    deep = (distance_to_contour(contour) >= 2) & ~contour
    ours, theirs = odds[contour], odds[deep]
    assert ours.mean() == pytest.approx(-theirs.mean(), rel=0.02)
    # And lie as far apart, in their common variance, as the log odds of normal classes do.
    variance = (ours.var() + theirs.var()) / 2
    assert ours.mean() - theirs.mean() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    "image",
    [
        np.full((46, 88), 7, np.uint8),
        np.zeros((46, 88)),
        np.full((46, 88), np.nan),
    ],
    ids=["constant", "black", "not a number"],
)
def test_an_image_that_shows_nothing_says_nothing(image):
    contour = rooms(door=True)
    assert not odds_of(image, contour).any()
    (gap, *_) = gaps(plane(contour, image))
    assert gap.membrane is None


def test_without_contour_or_without_cells_nothing_is_told():
    image = image_of(rooms(door=False))
    for contour in (np.zeros((46, 88), bool), np.ones((46, 88), bool)):
        assert not odds_of(image, contour).any()


def test_noise_says_next_to_nothing():
    noise = np.random.default_rng(3).normal(size=(46, 88))
    assert abs(odds_of(noise, rooms(door=True))).mean() < 0.3


def plane(contour, image):
    return SlicePlane(contour, label_slice(contour, ALL), contour * 1.0, contour * 0.9, image=image)


def widest(suspects):
    return max(suspects, key=lambda suspect: suspect.hanging)


def test_a_gap_with_a_membrane_is_told_from_one_without():
    contour = rooms(door=True)
    seen = widest(gaps(plane(contour, image_of(rooms(door=False))))).membrane
    bare = widest(gaps(plane(contour, image_of(rooms(door=True))))).membrane
    for measure in ("mean", "weakest", "share", "contrast"):
        assert getattr(seen, measure) > getattr(bare, measure)
    assert seen.share > 0.5 > bare.share
    # Both sides are equally bright inside.
    assert seen.contrast > seen.mean


def test_a_drawn_wall_that_the_image_lacks_is_told_too():
    (seen,) = drawn_walls(plane(rooms(door=False), image_of(rooms(door=False))))
    lacking = rooms(door=False)
    lacking[3:43, 43:45] = False
    (bare,) = drawn_walls(plane(rooms(door=False), image_of(lacking)))
    assert seen.membrane.mean > 0 > bare.membrane.mean
    assert seen.membrane.contrast > bare.membrane.contrast


def test_without_an_image_nothing_is_said_and_walls_are_the_same():
    contour = rooms(door=True)
    blind = widest(gaps(plane(contour, None)))
    assert blind.membrane is None
    shown = widest(gaps(plane(contour, image_of(rooms(door=False)))))
    assert blind.sides[0].size and shown.hanging == blind.hanging
