"""Measure the cells of one slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from skimage.measure import regionprops_table

from napari_copnet.measures.perimeter import perimeters
from napari_copnet.measures.source import Doubt, Source
from napari_copnet.measures.walls import grown, touched

_PROPERTIES = (
    "label",
    "num_pixels",
    "centroid",
    "bbox",
    "axis_major_length",
    "axis_minor_length",
    "orientation",
    "solidity",
)


class SliceMeasures(NamedTuple):
    """The cells of a slice, measured.

    Attributes
    ----------
    values : dict of str to ndarray
        Columns of `schema.SLICES` without ``slice``, by increasing number of the cell.
    wide : ndarray, shape (Y, X), uint32
        The cells grown into their walls.
    doubts : list of (int, int)
        Item of the review queue and cell, where they touch.
    wall_sums : ndarray, shape (cells, 2)
        Sum of the contour probability over each cell's wall, and the pixels of it.
    """

    values: dict[str, np.ndarray]
    wide: np.ndarray
    doubts: list[tuple[int, int]]
    wall_sums: np.ndarray


def measure_slice(source: Source, z: int, doubts: Sequence[Doubt] | None = None) -> SliceMeasures:
    """Measure the cells of a slice; see `schema.SLICES` for what is measured.

    Parameters
    ----------
    source : Source
    z : int
        The slice.
    doubts : sequence of Doubt, optional
        The doubtful walls of the slice, where somebody has looked.
    """
    given = np.asarray(source.labels[z])
    cells, flat = np.unique(given, return_inverse=True)
    # Consecutive numbers: what follows takes time and memory by the highest one.
    if cells[0] != 0:
        cells, flat = np.concatenate([[0], cells]), flat + 1
    labels = flat.reshape(given.shape).astype(np.int32)
    count = cells.size - 1
    walls = None if source.walls is None else np.asarray(source.walls[z]) > 0
    wide = grown(labels, walls, source.reach)
    values: dict[str, np.ndarray] = {"cell": cells[1:].astype(np.int64)}
    values |= shapes(labels, count, source)
    sums = _wall_sums(source, z, labels, wide, count)
    if source.contours is not None:
        with np.errstate(invalid="ignore"):
            values["contour_mean"] = sums[:, 0] / sums[:, 1]
    for name, mark in (source.marks or {}).items():
        if name in ("vessel", "haemorrhage"):
            values[f"touches_{name}"] = _is_in(touched(wide, mark(z)), count)
    if source.edited is not None:
        values["edited"] = _is_in(touched(wide, source.edited(z)), count)
    at: list[tuple[int, int]] = []
    if doubts is not None:
        for doubt in doubts:
            at += [(doubt.item, int(n)) for n in touched(wide, doubt.mask, doubt.origin)]
        numbers = np.array([number for _, number in at], np.int64)
        values["doubtful_walls"] = np.bincount(numbers, minlength=count + 1)[1:]
    names = [(item, int(cells[number])) for item, number in at]
    return SliceMeasures(values, cells.astype(np.uint32)[wide], names, sums)


def shapes(labels: np.ndarray, count: int, source: Source) -> dict[str, np.ndarray]:
    """Measure the shapes of labels 1 to `count`, all of which are there.

    Without a known pixel size, lengths and areas are left out, and pixels are taken as square.
    """
    known = source.voxel_size.in_plane_known
    height, width = (float(n or 1) for n in source.voxel_size[1:]) if known else (1.0, 1.0)
    if not count:
        found: dict[str, Any] = {name: np.zeros(0) for name in _columns(known)}
        return found
    props = regionprops_table(labels, properties=_PROPERTIES, spacing=(height, width))
    major, minor = props["axis_major_length"], props["axis_minor_length"]
    pixels = props["num_pixels"].astype(np.int64)
    # One pixel has the moments of a point.
    with np.errstate(invalid="ignore", divide="ignore"):
        elongation = np.where(major > 0, 1 - minor / major, 0.0)
    border = (props["bbox-0"] == 0) | (props["bbox-1"] == 0)
    border |= (props["bbox-2"] == labels.shape[0]) | (props["bbox-3"] == labels.shape[1])
    values = {
        "pixels": pixels,
        "elongation": elongation,
        # From the row axis to the x axis; both count counter-clockwise.
        "orientation_deg": (np.rad2deg(props["orientation"]) + 90) % 180,
        "solidity": np.minimum(props["solidity"], 1.0),
        "touches_border": border,
    }
    if known:
        values |= {
            "area_um2": pixels * height * width,
            "perimeter_um": perimeters(labels, count, (height, width))[1:],
            "y_um": props["centroid-0"] + source.translate[1],
            "x_um": props["centroid-1"] + source.translate[2],
            "major_axis_um": major,
            "minor_axis_um": minor,
        }
    return values


def _columns(known: bool) -> list[str]:
    plain = ["pixels", "elongation", "orientation_deg", "solidity", "touches_border"]
    sized = ["area_um2", "perimeter_um", "y_um", "x_um", "major_axis_um", "minor_axis_um"]
    return plain + sized if known else plain


def _wall_sums(
    source: Source, z: int, labels: np.ndarray, wide: np.ndarray, count: int
) -> np.ndarray:
    """Return sum and number of the contour probability over each cell's wall, shape (count, 2).

    A wall of one pixel is the nearest cell's, so the pixels beside a cell's own count as well.
    """
    if source.contours is None:
        return np.zeros((count, 2))
    probability = np.asarray(source.contours[z], np.float32).ravel()
    place = np.flatnonzero((labels == 0) & (wide > 0))
    row, column = np.unravel_index(place, labels.shape)
    padded = np.pad(wide, 1)
    steps = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    cells = np.concatenate([padded[row + dy, column + dx] for dy, dx in steps])
    pairs = np.unique(np.tile(place, len(steps)) * (count + 1) + cells)
    place, cells = np.divmod(pairs, count + 1)
    sums = np.bincount(cells, probability[place], minlength=count + 1)
    pixels = np.bincount(cells, minlength=count + 1)
    return np.stack([sums, pixels], axis=1)[1:]


def _is_in(found: np.ndarray, count: int) -> np.ndarray:
    """Return for labels 1 to `count` whether they are among those found."""
    flags = np.zeros(count + 1, bool)
    flags[found] = True
    return flags[1:]
