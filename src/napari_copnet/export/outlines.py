"""The outlines of a mask along the edges of its pixels."""

from __future__ import annotations

import numpy as np


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Return the closed outlines of a mask; filled, they are the mask again, pixel by pixel.

    Parameters
    ----------
    mask : ndarray, shape (Y, X), bool

    Returns
    -------
    list of ndarray, shape (N, 2), int32
        Corners x, y of each outline without the first one repeated: pixel (y, x) goes from x to
        x + 1. Outer outlines run clockwise as seen on screen, those of holes the other way.
        Pixels that touch at a corner only are outlined apart.
    """
    padded = np.pad(mask.astype(bool), 1)
    inside = padded[1:-1, 1:-1]
    # Of each edge between inside and outside the corners (x, y), the inside on the right.
    edges = []
    for neighbour, begin, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        y, x = np.nonzero(inside & ~neighbour)
        corners = np.stack([x + begin[0], y + begin[1], x + end[0], y + end[1]], axis=1)
        edges.append(corners)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for x, y, to_x, to_y in np.concatenate(edges).tolist():
        following.setdefault((x, y), []).append((to_x, to_y))
    loops = []
    while following:
        start = next(iter(following))
        loops.append(_loop(start, following))
    return loops


def _loop(
    start: tuple[int, int], following: dict[tuple[int, int], list[tuple[int, int]]]
) -> np.ndarray:
    """Follow edges from a corner until they close, and take them away."""
    first = at = start
    step = (0, 0)
    corners: list[tuple[int, int]] = []
    while True:
        choices = following[at]
        # Where two pixels meet at a corner, turning right stays with the pixel at hand.
        right = (at[0] - step[1], at[1] + step[0])
        to = right if len(choices) > 1 and right in choices else choices[-1]
        choices.remove(to)
        if not choices:
            del following[at]
        ahead = (to[0] - at[0], to[1] - at[1])
        if ahead != step:
            corners.append(at)
        step, at = ahead, to
        if at == first and (at not in following or _is_closed(corners, step)):
            break
    # The first corner is none if the outline goes straight through it.
    if len(corners) > 2 and _straight(corners[-1], corners[0], corners[1]):
        corners = corners[1:]
    return np.array(corners, np.int32)


def _is_closed(corners: list[tuple[int, int]], step: tuple[int, int]) -> bool:
    """Whether an outline is back at its first corner by the turn that stays with its pixel."""
    first, second = corners[0], corners[1]
    ahead = (np.sign(second[0] - first[0]), np.sign(second[1] - first[1]))
    return ahead == (-step[1], step[0])


def _straight(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return (b[0] - a[0]) * (c[1] - b[1]) == (b[1] - a[1]) * (c[0] - b[0])
