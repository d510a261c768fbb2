"""Organelles and blood cells: rods and balls stamped into the regions of a slice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

_FIELDS = (
    *("z", "y", "x"),  # centre, px
    *("reach", "cosine", "sine", "long", "short"),  # half height, direction and half axes, px
    *("level", "rim", "rim_width", "cristae", "period"),  # how it looks, see `paint`
    *("chance",),  # uniform 0 to 1: it shows where a region's crowding is above
)
BODY = np.dtype([(name, "f4") for name in _FIELDS])


@dataclass(frozen=True)
class Kind:
    """The variation of bodies of one kind; lengths as shares of the cell diameter.

    Attributes
    ----------
    share : float
        How many there are, relative to the other kinds.
    radius : tuple of float
        Least and largest.
    length : tuple of float
        Least and largest of long over short axis.
    level : tuple of float
        Least and largest grey level, relative to the cytoplasm.
    rim : tuple of float
        Least and largest darkness of the membrane around it.
    cristae : tuple of float
        Least and largest amplitude of stripes inside.
    """

    share: float
    radius: tuple[float, float]
    length: tuple[float, float] = (1.0, 1.0)
    level: tuple[float, float] = (0.0, 0.0)
    rim: tuple[float, float] = (0.0, 0.0)
    cristae: tuple[float, float] = (0.0, 0.0)


def scatter_bodies(
    places: np.ndarray, kinds: list[Kind], diameter: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a body of a random kind at each of `places` (N, 3), px: array of `BODY`."""
    count = len(places)
    bodies = np.zeros(count, BODY)
    for axis, name in enumerate("zyx"):
        bodies[name] = places[:, axis]
    shares = np.array([kind.share for kind in kinds])
    drawn = rng.choice(len(kinds), count, p=shares / shares.sum())
    turn = rng.uniform(0, math.pi, count)
    bodies["cosine"], bodies["sine"] = np.cos(turn), np.sin(turn)
    bodies["chance"] = rng.random(count)
    for number, kind in enumerate(kinds):
        which = drawn == number
        n = int(which.sum())
        # Small ones are more frequent than large ones.
        low, high = kind.radius
        radius = np.exp(rng.uniform(math.log(low), math.log(high), n)) * diameter
        bodies["short"][which] = radius
        bodies["long"][which] = radius * rng.uniform(*kind.length, n)
        bodies["reach"][which] = radius * rng.uniform(0.9, 1.4, n)
        bodies["level"][which] = rng.uniform(*kind.level, n)
        bodies["rim"][which] = rng.uniform(*kind.rim, n)
        bodies["rim_width"][which] = rng.uniform(0.6, 1.1, n)
        bodies["cristae"][which] = rng.uniform(*kind.cristae, n)
        bodies["period"][which] = rng.uniform(0.9, 2.2, n)
    return bodies


def depths(
    bodies: np.ndarray,
    z: float,
    y: np.ndarray,
    x: np.ndarray,
    regions: np.ndarray,
    crowding: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the depth inside the deepest body, its number and the position along it.

    Parameters
    ----------
    bodies : ndarray of `BODY`
    z, y, x : float, ndarray, ndarray
        Plane, rows and columns, px apart.
    regions : ndarray, shape (Y, X), uint32
        A body shows in the region in which its centre lies.
    crowding : ndarray, shape (R,), float32
        By region: share of its bodies that are there.

    Returns
    -------
    depth : ndarray, shape (Y, X), float32
        px; -9 far from all.
    number : ndarray, shape (Y, X), int32
        Index into `bodies`.
    along : ndarray, shape (Y, X), float32
        px from the middle along its long axis.
    """
    depth = np.full(regions.shape, -9, np.float32)
    number = np.zeros(regions.shape, np.int32)
    along = np.zeros(regions.shape, np.float32)
    near = np.flatnonzero(np.abs(bodies["z"] - z) < bodies["reach"])
    _stamp(
        bodies[near],
        near.astype(np.int32),
        np.float32(z),
        np.float32(y[0]),
        np.float32(x[0]),
        regions,
        crowding,
        depth,
        number,
        along,
    )
    return depth, number, along


def paint(
    grey: np.ndarray,
    bodies: np.ndarray,
    depth: np.ndarray,
    number: np.ndarray,
    along: np.ndarray,
    ground: np.ndarray | float,
    texture: np.ndarray,
) -> None:
    """Draw bodies over `grey`, (Y, X), in place.

    Parameters
    ----------
    depth, number, along : ndarray, shape (Y, X)
        From `depths`.
    ground : ndarray or float
        Grey level to which a body's level is relative.
    texture : ndarray, shape (Y, X), float32
        Noise of mean 0: bends cristae and roughens the inside.
    """
    if not len(bodies):
        return
    where = depth > -2
    kind, d = bodies[number[where]], depth[where]
    rough = texture[where]
    stripes = np.sin(along[where] * (math.pi / kind["period"]) + 1.3 * rough)
    base = ground[where] if isinstance(ground, np.ndarray) else ground
    level = base + kind["level"] + kind["cristae"] * stripes + 2.5 * rough
    share = np.clip(d + 0.5, 0, 1)
    shown = grey[where]
    shown += share * (level - shown)
    shown -= kind["rim"] * np.exp(-((d / kind["rim_width"]) ** 2))
    grey[where] = shown


@njit(cache=True, nogil=True)
def _stamp(bodies, numbers, z, top, left, regions, crowding, depth, number, along):
    height, width = depth.shape
    for n in range(len(bodies)):
        o = bodies[n]
        cy, cx = o.y - top, o.x - left
        row, column = math.floor(cy + 0.5), math.floor(cx + 0.5)
        if row < 0 or row >= height or column < 0 or column >= width:
            continue
        home = regions[row, column]
        if o.chance >= crowding[home]:
            continue
        flat = 1 - ((o.z - z) / o.reach) ** 2
        if flat <= 0:
            continue
        long = o.long * math.sqrt(flat)
        short = o.short * math.sqrt(flat)
        reach = int(long) + 3
        for r in range(max(0, row - reach), min(height, row + reach + 1)):
            for c in range(max(0, column - reach), min(width, column + reach + 1)):
                if regions[r, c] != home:
                    continue
                u = o.cosine * (c - cx) + o.sine * (r - cy)
                v = -o.sine * (c - cx) + o.cosine * (r - cy)
                # A capsule: a rod with round ends.
                over = max(0.0, abs(u) - (long - short))
                here = short - math.sqrt(over * over + v * v)
                if here > depth[r, c]:
                    depth[r, c] = here
                    number[r, c] = numbers[n]
                    along[r, c] = u
