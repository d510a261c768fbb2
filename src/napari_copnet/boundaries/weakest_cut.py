"""The weakest place between two points of one cell: a minimum cut, from contour to contour.

In the plane a minimum cut is a shortest path in the dual graph (J. H. Reif, SIAM Journal on
Computing 12, 1983): the cheapest line of pixels that leaves the outside of the cell, and comes
back to it, so that the two points lie on different sides. Which side a line is on is told by how
often it crosses a curve from one point to the other. So each pixel is there twice, before and after
a crossing, and the cheapest path leads from the outside before to the outside after.
"""

from __future__ import annotations

import math
from itertools import pairwise

import edt
import numpy as np
from numba import njit
from scipy import ndimage
from skimage.draw import line

from napari_copnet.boundaries.components import connected8
from napari_copnet.errors import CopnetError

Pixel = tuple[int, int]

# What a pixel of a line costs at least: of two lines as likely the shorter one is weaker.
_LEAST = 0.02
# What the image adds to the log odds of the contour probability, and the bounds of both.
_IMAGE, _SURE = 0.5, 4.0
# Prices are whole numbers of this, so that pixels can be sorted into buckets.
_UNIT = 1 / 256
_OPEN, _HELD, _OUTSIDE = 0, 1, 2
# Share of the way between the points that the disks around them may take, which no line enters.
_DISKS = 0.8


def line_price(probability: np.ndarray, membrane: np.ndarray | None = None) -> np.ndarray:
    """Return what a pixel of a wall costs: less where contour is likely.

    Parameters
    ----------
    probability : ndarray, shape (Y, X), float
        Contour probability, 0 to 1.
    membrane : ndarray, shape (Y, X), float, optional
        Log odds that the image shows a membrane, see `membrane_odds`.

    Returns
    -------
    ndarray, shape (Y, X), float64
        0.02 + 1 - p; with an image p is raised or lowered by half its log odds.
    """
    likely = np.clip(np.asarray(probability, np.float64), 0, 1)
    if membrane is not None:
        edge = 1 / (1 + np.exp(_SURE))
        odds = np.log(np.clip(likely, edge, 1 - edge) / (1 - np.clip(likely, edge, 1 - edge)))
        odds += _IMAGE * np.clip(membrane, -_SURE, _SURE)
        likely = 1 / (1 + np.exp(-odds))
    return _LEAST + 1 - likely


def weakest_cut(cell: np.ndarray, price: np.ndarray, first: Pixel, second: Pixel) -> np.ndarray:
    """Return the cheapest line that parts a cell between two points of it.

    Parameters
    ----------
    cell : ndarray, shape (Y, X), bool
    price : ndarray, shape (Y, X), float
        Above 0, from `line_price`; what lies outside the cell is free.
    first, second : (y, x)

    Returns
    -------
    ndarray, shape (Y, X), bool
        Pixels of the cell, neighbours by side or corner. Without them the two points are no
        longer connected by sides.

    Raises
    ------
    CopnetError
        The points are not in the cell, not connected in it, or too near to each other.
    """
    found = np.zeros(cell.shape, bool)
    if not (cell[first] and cell[second]):
        raise CopnetError("Both clicks have to be in the same cell.", "Click twice in one cell.")
    rows, columns = ndimage.find_objects(cell.astype(np.uint8))[0]
    corner = np.array([rows.start, columns.start]) - 1
    inside = np.pad(cell[rows, columns], 1)
    paid = np.pad(np.where(inside[1:-1, 1:-1], price[rows, columns], 0.0), 1)
    points = [tuple((np.array(point) - corner).tolist()) for point in (first, second)]
    held, points = _rooms(inside, points)
    curve = _curve(inside, *points)
    if not len(curve):
        raise CopnetError(
            "The clicks are in two parts that are not connected.", "Click twice in one cell."
        )
    beyond = connected8(~inside)
    kinds = np.where(held, _HELD, _OPEN).astype(np.uint8)
    kinds[beyond == beyond[0, 0]] = _OUTSIDE
    units = np.rint(np.clip(paid / _UNIT, 0, 1e6)).astype(np.int64)
    places = _cheapest(kinds, units, *_crossings(inside.shape, curve))
    if not len(places):
        raise CopnetError(
            "No line divides the cell between the clicks.",
            "Click further apart, once in each of the two cells.",
        )
    drawn = np.zeros(inside.shape, bool)
    drawn.ravel()[places] = True
    found[rows, columns] = (drawn & inside)[1:-1, 1:-1]
    return found


def _rooms(inside: np.ndarray, points: list[Pixel]) -> tuple[np.ndarray, list[Pixel]]:
    """Return where no line may run: around each point, shape (Y, X), bool; and the middles there.

    These are disks that do not touch. Each lies in the middle of the room in which was clicked, so
    that a click beside a contour is not cut off there.
    """
    distance = edt.edt(inside)
    ways = [
        _climbed(distance, point, other) for point, other in zip(points, points[::-1], strict=True)
    ]
    if _apart(ways[0][-1], ways[1][-1]) < _apart(*points) / 2:
        # Both are in one room: only what is by each click is told.
        ways = [[point] for point in points]
    middles = [way[-1] for way in ways]
    radii = np.array([distance[middle] - 1 for middle in middles])
    room = _DISKS * _apart(*middles)
    if radii.sum() > room:
        radii = np.minimum(radii, max(room / 2, room - radii.min()))
        radii *= min(1.0, room / max(radii.sum(), 1e-9))
    held = np.zeros(inside.shape, bool)
    for way, middle, radius in zip(ways, middles, radii, strict=True):
        box = _window(middle, int(radius), inside.shape)
        down, right = np.ogrid[box]
        held[box] |= (down - middle[0]) ** 2 + (right - middle[1]) ** 2 <= radius**2
        for one, other in pairwise(way):
            held[line(*one, *other)] = True
        held[middle] = True
    return held & inside, middles


def _apart(one: Pixel, other: Pixel) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])


def _climbed(distance: np.ndarray, point: Pixel, other: Pixel) -> list[Pixel]:
    """Return the way from a point to the middle of its room, without coming to the other point."""
    way = [point]
    while True:
        at = way[-1]
        box = _window(at, max(2, int(distance[at])), distance.shape)
        down, right = np.ogrid[box]
        rooms = distance[box]
        free = np.hypot(down - other[0], right - other[1]) > rooms + 1
        best = np.where(free, rooms, 0)
        step = np.unravel_index(best.argmax(), best.shape)
        if best[step] <= distance[at]:
            return way
        way.append((int(step[0]) + box[0].start, int(step[1]) + box[1].start))


def _window(at: Pixel, reach: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(max(c - reach, 0), min(c + reach + 1, length))
        for c, length in zip(at, shape, strict=True)
    )


@njit(cache=True)
def _curve(inside: np.ndarray, first: Pixel, second: Pixel) -> np.ndarray:
    """Return pixels from one point to the other, neighbours by sides, shape (N, 2).

    None, with N = 0, where they are not connected. `inside` has a margin of a pixel.
    """
    width = inside.shape[1]
    free = inside.copy().ravel()
    before = np.full(free.size, -1, np.int64)
    queue = np.empty(free.size, np.int64)
    start, end = first[0] * width + first[1], second[0] * width + second[1]
    queue[0], free[start] = start, False
    at, known = 0, 1
    while at < known and queue[at] != end:
        here = queue[at]
        at += 1
        for step in (1, -1, width, -width):
            there = here + step
            if free[there]:
                free[there] = False
                before[there] = here
                queue[known] = there
                known += 1
    if at == known:
        return np.zeros((0, 2), np.int64)
    count, here = 1, end
    while here != start:
        here = before[here]
        count += 1
    way = np.empty((count, 2), np.int64)
    here = end
    for row in range(count):
        way[row, 0], way[row, 1] = here // width, here % width
        here = before[here]
    return way


def _crossings(shape: tuple[int, ...], curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which steps to the right, and which down, cross a curve; each of `shape`, bool.

    The curve is shifted by half a pixel, down and right: so it runs between the pixels.
    """
    right, down = np.zeros(shape, bool), np.zeros(shape, bool)
    low, high = np.minimum(curve[:-1], curve[1:]), np.maximum(curve[:-1], curve[1:])
    along = high[:, 1] > low[:, 1]
    down[tuple(high[along].T)] = True
    right[tuple(high[~along].T)] = True
    return right, down


@njit(cache=True)
def _is_crossed(right: np.ndarray, down: np.ndarray, here: int, number: int, width: int) -> int:
    """Return 1 where the step of a number, from a pixel, crosses the curve, else 0."""
    if number == 0:
        odd = right[here]
    elif number == 1:
        odd = right[here - 1]
    elif number == 2:
        odd = down[here]
    elif number == 3:
        odd = down[here - width]
    elif number == 4:
        odd = right[here] ^ down[here + 1]
    elif number == 5:
        odd = right[here - width - 1] ^ down[here - width]
    elif number == 6:
        odd = down[here] ^ right[here + width - 1]
    else:
        odd = down[here + 1 - width] ^ right[here]
    return 1 if odd else 0


@njit(cache=True)
def _step(one: int, other: int, number: int) -> int:
    """Return what a step costs; those of the numbers 4 to 7 go over a corner."""
    both = one + other
    return (both if number < 4 else both * 181 // 128) // 2


@njit(cache=True)
def _put(
    node: int,
    cost: int,
    price: np.ndarray,
    head: np.ndarray,
    after: np.ndarray,
    ahead: np.ndarray,
) -> int:
    """Put a node into the bucket of its price, out of that of a higher one; return what it adds."""
    buckets = head.size
    added = 1
    if price[node] >= 0:
        _take(node, price[node], head, after, ahead)
        added = 0
    price[node] = cost
    bucket = cost % buckets
    first = head[bucket]
    after[node], ahead[node] = first, -1
    if first >= 0:
        ahead[first] = node
    head[bucket] = node
    return added


@njit(cache=True)
def _take(node: int, cost: int, head: np.ndarray, after: np.ndarray, ahead: np.ndarray) -> None:
    """Take a node out of the bucket of its price."""
    if ahead[node] >= 0:
        after[ahead[node]] = after[node]
    else:
        head[cost % head.size] = after[node]
    if after[node] >= 0:
        ahead[after[node]] = ahead[node]


@njit(cache=True)
def _cheapest(
    kinds: np.ndarray, units: np.ndarray, right: np.ndarray, down: np.ndarray
) -> np.ndarray:
    """Return the cheapest line from outside to outside with an odd number of crossings.

    Dijkstra's algorithm over each pixel before (layer 0) and after (layer 1) a crossing, with
    nodes sorted into buckets of equal price (R. B. Dial, Communications of the ACM 12, 1969).

    Parameters
    ----------
    kinds : ndarray, shape (Y, X), uint8
        `_OPEN`, `_HELD` where no line may run, or `_OUTSIDE`, with a margin of that.
    units : ndarray, shape (Y, X), int
        Prices; a step costs the mean of both pixels, times its length.
    right, down : ndarray, shape (Y, X), bool
        Steps that cross the curve.

    Returns
    -------
    ndarray, shape (N,), int
        Flat indices of the open pixels of the line, empty where there is none.
    """
    width = kinds.shape[1]
    size = kinds.size
    kind, unit, right, down = kinds.ravel(), units.ravel(), right.ravel(), down.ravel()
    steps = np.array([1, -1, width, -width, width + 1, -width - 1, width - 1, 1 - width])
    head = np.full(int(unit.max() * 1.5) + 3, -1, np.int64)
    after, ahead = np.full(2 * size, -1, np.int64), np.full(2 * size, -1, np.int64)
    price, before = np.full(2 * size, -1, np.int64), np.full(2 * size, -1, np.int64)
    done = np.zeros(2 * size, np.bool_)
    waiting = 0
    # It begins outside, in layer 0: what lies beside is reached by half a step.
    for here in range(size):
        if kind[here] != _OPEN:
            continue
        for number in range(8):
            if kind[here + steps[number]] == _OUTSIDE:
                node = here + size * _is_crossed(right, down, here, number, width)
                cost = _step(unit[here], 0, number)
                if price[node] < 0 or cost < price[node]:
                    waiting += _put(node, cost, price, head, after, ahead)
    now, best, last = 0, 2**62, -1
    while waiting > 0:
        while head[now % head.size] < 0:
            now += 1
        if now >= best:
            break
        node = head[now % head.size]
        _take(node, now, head, after, ahead)
        waiting -= 1
        done[node] = True
        layer = node // size
        here = node - layer * size
        for number in range(8):
            there = here + steps[number]
            if kind[there] == _HELD:
                continue
            above = layer ^ _is_crossed(right, down, here, number, width)
            if kind[there] == _OUTSIDE:
                cost = now + _step(unit[here], 0, number)
                if above == 1 and cost < best:
                    best, last = cost, node
                continue
            other = there + size * above
            if done[other]:
                continue
            cost = now + _step(unit[here], unit[there], number)
            if price[other] < 0 or cost < price[other]:
                before[other] = node
                waiting += _put(other, cost, price, head, after, ahead)
    count, node = 0, last
    while node >= 0:
        count += 1
        node = before[node]
    places = np.empty(count, np.int64)
    node = last
    for row in range(count):
        places[row] = node % size
        node = before[node]
    return places
