"""Cells grown from sites, each with its own measure of distance.

A point belongs to the site that is nearest in that site's own metric: an ellipsoid around the
site, long along its direction. Large sites take more room than small ones, sites that lie
parallel make bundles, and two sites of one number make a cell with a concave outline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

_TILE = 32  # px: sites that can win are listed once for each tile


@dataclass(frozen=True)
class Sites:
    """Sites of cells; lengths in px.

    Attributes
    ----------
    place : ndarray, shape (N, 3), float32
        Positions z, y, x.
    direction : ndarray, shape (N, 3), float32
        Unit vectors z, y, x of the long axes.
    radius : ndarray, shape (N,), float32
        Radius of a ball as large as the ellipsoid.
    length : ndarray, shape (N,), float32
        Long over short axis of the ellipsoid, from 1.
    cell : ndarray, shape (N,), int64
        Number of the cell, from 0.
    """

    place: np.ndarray
    direction: np.ndarray
    radius: np.ndarray
    length: np.ndarray
    cell: np.ndarray

    def taken(self, which: np.ndarray) -> Sites:
        """Return the sites selected by a mask or by indices."""
        return Sites(
            self.place[which],
            self.direction[which],
            self.radius[which],
            self.length[which],
            self.cell[which],
        )

    def renumbered(self) -> Sites:
        """Return the sites with their cells numbered consecutively."""
        _, cell = np.unique(self.cell, return_inverse=True)
        return Sites(self.place, self.direction, self.radius, self.length, cell.ravel())

    def metric(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a and b of the squared distance a·|v|² − b·(v·direction)², each (N,)."""
        short = self.radius * self.length ** (-1 / 3)
        long = self.radius * self.length ** (2 / 3)
        return short**-2, short**-2 - long**-2


def joined(parts: list[Sites]) -> Sites:
    """Return all sites together; cell numbers of each part continue those of the part before."""
    first, cells = 0, []
    for part in parts:
        cells.append(part.cell + first)
        first += int(part.cell.max(initial=-1)) + 1
    return Sites(
        np.concatenate([part.place for part in parts]),
        np.concatenate([part.direction for part in parts]),
        np.concatenate([part.radius for part in parts]),
        np.concatenate([part.length for part in parts]),
        np.concatenate(cells),
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, shape (N, 3), float32."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def scatter(
    low: np.ndarray, high: np.ndarray, spacing: float, rng: np.random.Generator
) -> np.ndarray:
    """Return points of a jittered, randomly rotated lattice in a box: (N, 3), float32."""
    middle, reach = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    count = math.ceil(reach / spacing) + 1
    # Lattice planes that can't reach the box are skipped, so a flat box is cheap.
    turn = _rotation(rng)
    extent = np.abs(turn.T) @ ((high - low) / 2)
    counts = np.minimum(np.ceil(extent / spacing).astype(int) + 1, count)
    rows, columns = (np.arange(-n, n + 1.0) for n in counts[1:])
    plane = np.stack(np.meshgrid(0.0, rows, columns, indexing="ij"), axis=-1).reshape(-1, 3)
    kept = []
    # Plane by plane, because most of a rotated lattice lies outside a flat box.
    for number in range(-counts[0], counts[0] + 1):
        points = plane + np.array((number, 0, 0)) + rng.uniform(-0.42, 0.42, plane.shape)
        points = points * spacing @ turn.T + middle
        kept.append(points[((points >= low) & (points <= high)).all(axis=1)])
    return np.concatenate(kept).astype(np.float32)


def _rotation(rng: np.random.Generator) -> np.ndarray:
    axes, triangle = np.linalg.qr(rng.standard_normal((3, 3)))
    return axes * np.sign(np.diag(triangle))


def nearest_sites(
    pz: np.ndarray, py: np.ndarray, px: np.ndarray, sites: Sites
) -> tuple[np.ndarray, np.ndarray]:
    """Return each point's site and the distance to it in that site's metric.

    Parameters
    ----------
    pz, py, px : ndarray, shape (Y, X), float32
        Positions of the points, px.
    sites : Sites

    Returns
    -------
    site : ndarray, shape (Y, X), int64
    distance : ndarray, shape (Y, X), float32
        1 on the ellipsoid.
    """
    a, b = sites.metric()
    return _nearest(
        pz, py, px, sites.place, sites.direction, a.astype(np.float32), b.astype(np.float32), _TILE
    )


@njit(cache=True, nogil=True)
def _squared(z, y, x, place, direction, a, b):
    dz, dy, dx = z - place[0], y - place[1], x - place[2]
    along = dz * direction[0] + dy * direction[1] + dx * direction[2]
    return a * (dz * dz + dy * dy + dx * dx) - b * along * along


@njit(cache=True, nogil=True)
def _nearest(pz, py, px, place, direction, a, b, tile):
    height, width = py.shape
    count = len(a)
    found = np.zeros((height, width), np.int64)
    distance = np.empty((height, width), np.float32)
    here = np.empty(count, np.float32)
    listed = np.empty(count, np.int64)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            # The tile's points lie in a ball around its centre.
            r0, c0 = (top + bottom) // 2, (left + right) // 2
            z0, y0, x0 = pz[r0, c0], py[r0, c0], px[r0, c0]
            squared = np.float32(0)
            for r in range(top, bottom):
                for c in range(left, right):
                    far = (pz[r, c] - z0) ** 2 + (py[r, c] - y0) ** 2 + (px[r, c] - x0) ** 2
                    squared = max(squared, far)
            reach = math.sqrt(squared)
            limit = np.inf
            for i in range(count):
                here[i] = math.sqrt(
                    max(np.float32(0), _squared(z0, y0, x0, place[i], direction[i], a[i], b[i]))
                )
                limit = min(limit, here[i] + math.sqrt(a[i]) * reach)
            number = 0
            for i in range(count):
                if here[i] - math.sqrt(a[i]) * reach <= limit:
                    listed[number] = i
                    number += 1
            for r in range(top, bottom):
                for c in range(left, right):
                    best, winner = np.float32(np.inf), listed[0]
                    for k in range(number):
                        i = listed[k]
                        q = _squared(
                            pz[r, c], py[r, c], px[r, c], place[i], direction[i], a[i], b[i]
                        )
                        if q < best:
                            best, winner = q, i
                    found[r, c] = winner
                    distance[r, c] = math.sqrt(max(np.float32(0), best))
    return found, distance


@dataclass(frozen=True)
class Nuclei:
    """Nuclei of cells, by the cell's number; lengths in px.

    Attributes
    ----------
    sites : Sites
        One for each cell; a radius of 0 says that the cell has none.
    nucleoli : ndarray, shape (N, K, 4), float32
        Balls inside: z, y, x from the nucleus' centre, and radius; radius 0 says none.
    """

    sites: Sites
    nucleoli: np.ndarray

    def depths(
        self, pz: np.ndarray, py: np.ndarray, px: np.ndarray, cells: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the depth inside the nucleus and inside a nucleolus, px, (Y, X), float32.

        Parameters
        ----------
        pz, py, px : ndarray, shape (Y, X), float32
        cells : ndarray, shape (Y, X), uint32
            Cell numbers from 1; numbers beyond the cells have no nucleus.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = self.sites.metric()
        a, b = np.nan_to_num(a, posinf=0.0), np.nan_to_num(b, posinf=0.0)
        return _nucleus_depths(
            pz,
            py,
            px,
            cells,
            self.sites.place,
            self.sites.direction,
            self.sites.radius,
            a.astype(np.float32),
            b.astype(np.float32),
            self.nucleoli,
        )


@njit(cache=True, nogil=True)
def _nucleus_depths(pz, py, px, cells, place, direction, radius, a, b, nucleoli):
    height, width = cells.shape
    depth = np.full((height, width), np.float32(-99))
    inner = np.full((height, width), np.float32(-99))
    for r in range(height):
        for c in range(width):
            i = np.int64(cells[r, c]) - 1
            if i >= len(radius) or radius[i] <= 0:
                continue
            z, y, x = pz[r, c], py[r, c], px[r, c]
            q = _squared(z, y, x, place[i], direction[i], a[i], b[i])
            root = math.sqrt(max(np.float32(1e-6), q))
            depth[r, c] = max((1 - root) / math.sqrt(a[i]), np.float32(-99))
            if root > 1:
                continue
            for k in range(nucleoli.shape[1]):
                if nucleoli[i, k, 3] > 0:
                    away = math.sqrt(
                        (z - place[i, 0] - nucleoli[i, k, 0]) ** 2
                        + (y - place[i, 1] - nucleoli[i, k, 1]) ** 2
                        + (x - place[i, 2] - nucleoli[i, k, 2]) ** 2
                    )
                    inner[r, c] = max(inner[r, c], nucleoli[i, k, 3] - away)
    return depth, inner
