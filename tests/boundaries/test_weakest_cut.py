"""The weakest place between two points, on cells drawn by hand."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from napari_copnet.boundaries.weakest_cut import line_price, weakest_cut
from napari_copnet.errors import CopnetError


def parted(cell, line, first, second):
    """Whether two points are apart, by sides, without a line; it lies in the cell."""
    assert not (line & ~cell).any()
    parts, _ = ndimage.label(cell & ~line)
    return parts[first] > 0 and parts[second] > 0 and parts[first] != parts[second]


def disks(*centres, radius=15, shape=(40, 70)):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.any([(y - a) ** 2 + (x - b) ** 2 < radius**2 for a, b in centres], axis=0)


@pytest.mark.parametrize("first", [(20, 20), (20, 7), (9, 16)])
def test_two_disks_part_at_their_neck_wherever_they_are_clicked(first):
    cell, second = disks((20, 20), (20, 46)), (20, 50)
    line = weakest_cut(cell, np.ones(cell.shape), first, second)
    assert parted(cell, line, first, second)
    rows, columns = np.nonzero(line)
    assert set(columns) == {33} and len(rows) == cell[:, 33].sum()


def test_a_faint_wall_is_followed_and_its_gap_closed():
    cell = np.zeros((60, 80), bool)
    cell[1:-1, 1:-1] = True
    probability = np.full(cell.shape, 0.05)
    wall = [(y, round(40 + 8 * np.sin(y / 9))) for y in range(1, 59) if not 25 <= y < 31]
    for y, x in wall:
        probability[y, x - 1 : x + 2] = 0.6
    line = weakest_cut(cell, line_price(probability), (30, 10), (30, 70))
    assert parted(cell, line, (30, 10), (30, 70))
    places = np.argwhere(line)
    near = [np.abs(places - at).max(axis=1).min() <= 1 for at in wall]
    assert np.mean(near) > 0.95 and len(places) < 80


def test_the_image_decides_where_the_probability_is_blank():
    cell = np.zeros((40, 60), bool)
    cell[1:-1, 1:-1] = True
    membrane = np.full(cell.shape, -3.0)
    membrane[:, 38] = 3.0
    price = line_price(np.full(cell.shape, 0.1), membrane)
    line = weakest_cut(cell, price, (20, 15), (20, 52))
    assert set(np.nonzero(line)[1]) == {38}


def test_a_ring_is_parted_on_both_sides_of_its_hole():
    ring = disks((20, 30), radius=18) & ~disks((20, 30), radius=7)
    line = weakest_cut(ring, np.ones(ring.shape), (20, 18), (20, 42))
    assert parted(ring, line, (20, 18), (20, 42))
    assert ndimage.label(line, np.ones((3, 3)))[1] == 2


def test_prices_agree_with_trying_every_line():
    """On a strip of three rows every line from top to bottom can be tried."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        cell = np.ones((3, 13), bool)
        price = rng.uniform(0.1, 1.0, cell.shape)
        # Beside the points no line may run.
        price[:, :5] = price[:, 8:] = 10
        line = weakest_cut(cell, price, (1, 0), (1, 12))
        costs = {}
        for top, middle, bottom in itertools.product(range(5, 8), repeat=3):
            if abs(top - middle) > 1 or abs(middle - bottom) > 1:
                continue
            way = (0, top), (1, middle), (2, bottom)
            ends = (price[way[0]] + price[way[2]]) / 2
            costs[way] = ends + sum(
                (price[one] + price[other]) / 2 * np.hypot(1, one[1] - other[1])
                for one, other in itertools.pairwise(way)
            )
        found = tuple(sorted(tuple(at) for at in np.argwhere(line).tolist()))
        # Prices are rounded to whole units.
        assert costs[found] <= min(costs.values()) + 3 / 256


def test_what_can_not_be_parted_is_told():
    cell = disks((20, 15), (20, 55), radius=10)
    price = np.ones(cell.shape)
    for first, second, message in (
        ((0, 0), (20, 15), "have to be in the same cell"),
        ((20, 15), (20, 55), "two parts that are not connected"),
        ((20, 15), (20, 15), "No line divides"),
    ):
        with pytest.raises(CopnetError, match=message):
            weakest_cut(cell, price, first, second)
