"""The size of a run, chosen on slices whose lines are as wide as a network knows at one of them."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.params import ClosingParams, ContourParams, PreprocessParams
from napari_copnet.progress import Progress, finish
from napari_copnet.steps.size_choice import (
    choose_size,
    chosen_size,
    sizes_worth_a_try,
    spread_slices,
)
from napari_copnet.steps.size_measures import Seen, measure_sizes, membrane_width
from napari_copnet.types import Stack


class Knowing:
    """Finds dark lines from `low` up to under `high` px wide; closing leaves contours alone."""

    def __init__(self, kind, low=3, high=7):
        self.kind, self.low, self.high = kind, low, high
        self.plan = SimpleNamespace(dimensions=2, in_channels=1)
        self.sides = []

    def predict(self, images, **options):
        result = np.zeros((len(images), *images.shape[-2:]), np.float32)
        for index, (image,) in enumerate(images):
            self.sides.append(max(image.shape))
            result[index] = image if self.kind == "closing" else self.found(image < -0.8)
            yield Progress("predict", index + 1, len(images), "slices", partial=None)
        return result

    def found(self, dark):
        def wide(side):
            return ndimage.binary_opening(dark, np.ones((side, side)))

        return np.where(wide(self.low) & ~wide(self.high), 0.99, 0.01)


def tissue(side, width, cell=40, slices=5):
    """Square cells of `cell` px, parted by lines `width` px wide."""
    image = np.full((side, side), 200, np.uint8)
    for start in range(0, side, cell):
        image[start : start + width] = image[:, start : start + width] = 20
    return Stack(np.stack([image] * slices))


def choose(stack, **known):
    networks = {kind: Knowing(kind, **known) for kind in ("contours", "closing")}
    seen = []
    choice = finish(
        choose_size(
            stack, PreprocessParams(), ContourParams(), ClosingParams(), networks.__getitem__
        ),
        seen.append,
    )
    return choice, seen, networks


@pytest.mark.parametrize(("side", "width"), [(256, 2), (512, 4), (384, 5)])
def test_lines_are_as_wide_at_the_size_chosen_as_the_network_knows(side, width):
    choice, _, _ = choose(tissue(side, width, cell=16 * width, slices=1))
    assert 3 <= width * choice.size / side <= 6


def test_every_size_is_recorded_with_its_measures_and_the_reason_is_said():
    choice, seen, networks = choose(tissue(180, 2))
    assert [one["size"] for one in choice.tried] == [128, 192, 256, 384, 512]
    assert {"cells", "steady", "certainty", "parting", "score"} <= set(choice.tried[0])
    assert max(choice.tried, key=lambda one: one["score"])["size"] == choice.size
    assert str(choice.size) in choice.reason
    assert choice.slices == (0, 2, 4)
    assert {one.step for one in seen} == {"sizes"}
    assert seen[-1].note == choice.reason
    assert seen[-1].done == seen[-1].total
    # Three slices at five sizes, and the closing network once on each.
    assert len(networks["contours"].sides) == len(networks["closing"].sides) == 15


def test_of_large_slices_only_the_middle_is_seen():
    _, _, networks = choose(tissue(1000, 8, cell=128, slices=1))
    assert max(networks["contours"].sides) == 768


def test_where_nothing_can_be_tried_the_usual_size_is_taken_and_it_is_said():
    choice, _, networks = choose(tissue(40, 2, cell=20))
    assert (choice.size, choice.tried) == (512, ())
    assert "too small" in choice.reason
    assert not networks["contours"].sides
    blank = Stack(np.zeros((3, 300, 300), np.uint8))
    assert "no slice to try" in choose(blank)[0].reason


def test_sizes_are_within_what_slices_and_memory_can_bear():
    assert sizes_worth_a_try((10, 250, 200), free=10**12) == [128, 192, 256, 384, 512, 768]
    assert sizes_worth_a_try((10, 512, 512), free=10**12) == [128, 192, 256, 384, 512, 768, 1024]
    assert sizes_worth_a_try((10, 2048, 900), free=10**12) == [256, 384, 512, 768, 1024, 1536]
    # 100 slices of 1024 px take 5 GB; 512 px are always tried.
    assert sizes_worth_a_try((100, 512, 512), free=3 * 10**9) == [128, 192, 256, 384, 512, 768]
    assert sizes_worth_a_try((100, 512, 512), free=0)[-1] == 512


def test_slices_are_spread_and_show_something():
    data = np.random.default_rng(0).integers(0, 9, (9, 4, 4)).astype(np.uint8)
    assert spread_slices(Stack(data)) == (1, 4, 7)
    data[4] = 3
    assert spread_slices(Stack(data)) == (1, 3, 7)
    data[3:6] = 3
    assert spread_slices(Stack(data)) == (1, 7)
    assert spread_slices(Stack(data[:2])) == (0, 1)


def test_cells_that_come_again_are_counted_and_others_are_not():
    def seen(side, lines):
        closed = np.zeros((side, side), bool)
        for share in lines:
            closed[:, round(share * side)] = True
        return Seen(np.where(closed, 0.9, 0.0), closed, np.zeros((side, side), bool))

    # Four columns, of which the largest size shows two as one, and the smallest all as one.
    found = [[seen(64, [])], [seen(128, [0.25, 0.5, 0.75])], [seen(256, [0.25, 0.5])]]
    measures = measure_sizes([64, 128, 256], found)
    assert [one["cells"] for one in measures] == [1, 4, 3]
    # The smallest size shows none of the four, which show two of the three of the largest.
    assert [one["steady"] for one in measures] == [0, 0, 2]
    assert measures[1]["certainty"] == pytest.approx(0.9)
    assert measures[1]["parting"] == 1
    assert measures[0]["parting"] == 0


def test_a_size_where_lines_are_thinner_than_membranes_loses():
    """Two sizes show the same four columns; at the larger one membranes are 9 px wide, not 4.5."""

    def seen(side, membrane):
        closed = np.zeros((side, side), bool)
        for share in (0.25, 0.5, 0.75):
            closed[:, round(share * side)] = True
        contours = np.where(closed, 0.9, 0.0)
        return [Seen(contours, closed, np.zeros((side, side), bool), membrane=membrane)]

    measures = measure_sizes([128, 256], [seen(128, 4.5), seen(256, 9.0)])
    assert measures[0]["score"] == pytest.approx(measures[1]["score"] * 2**0.75)
    assert [one["membrane"] for one in measures] == [4.5, 9.0]
    assert chosen_size(measures, [0]).size == 128
    # Thin membranes lose nothing, and what is not known is neither said nor punished.
    thin = measure_sizes([128, 256], [seen(128, 2.0), seen(256, math.nan)])
    assert thin[0]["score"] == thin[1]["score"] == pytest.approx(measures[0]["score"])
    assert "membrane" not in thin[1]
    assert "px wide" in chosen_size(thin, [0]).reason


@pytest.mark.parametrize("dark", [2, 4, 6])
def test_membranes_are_as_wide_as_they_are_drawn(dark):
    """Dark bands across an image, beside a contour of one pixel in the middle of each."""
    image, contours = np.full((120, 120), 200.0), np.zeros((120, 120), np.float32)
    for middle in (30, 60, 90):
        image[:, middle - dark // 2 : middle + dark // 2 + 1] = 50.0
        contours[:, middle] = 0.9
    # The band is one pixel wider than `dark`; grey values pass the middle between two pixels.
    assert membrane_width(image, contours) == pytest.approx(dark + 1, abs=0.5)
    # Bright lines, and too few lines, tell nothing.
    assert math.isnan(membrane_width(-image, contours))
    assert math.isnan(membrane_width(image, np.zeros_like(contours)))
