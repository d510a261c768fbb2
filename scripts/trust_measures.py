"""Honest numbers: tables of cells, and what a verdict is made of, counted pixel by pixel."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from trust_inputs import Counts, counted

from napari_copnet.measures.measure import measure
from napari_copnet.measures.source import Source
from napari_copnet.progress import finish
from napari_copnet.types import VoxelSize
from napari_copnet.verdict.measures import LARGEST, SMALLEST, RunSlice, slice_measures

SAME = 0.5


def honest_measures(_: Path, count: int, seed: int) -> Counts:
    """Compare tables and measures of verdicts of random stacks with counts by hand."""
    rng = np.random.default_rng(seed)

    def one(_: int) -> str:
        return _other_tables(rng) or _other_verdict(rng)

    return counted(count, one)


def _stack(rng: np.random.Generator) -> np.ndarray:
    """Draw labels that go through slices, not all of which are there in each."""
    shape = tuple(int(n) for n in rng.integers((1, 5, 5), (5, 12, 12)))
    steps = [np.cumsum(rng.random(n) < 0.3) for n in shape]
    labels = 1 + steps[0][:, None, None] + 4 * steps[1][:, None] + 40 * steps[2]
    labels[rng.random(shape) < 0.25] = 0
    return labels.astype(np.uint32)


def _other_tables(rng: np.random.Generator) -> str:
    """Return which column differs from what was counted, or nothing."""
    labels = _stack(rng)
    voxel = tuple(float(n) for n in rng.choice([0.02, 0.5, 1.0, 3.0], 3))
    place = tuple(float(n) for n in rng.normal(0, 5, 3).round(2))
    source = Source(labels, VoxelSize(*voxel), place, reach=0)
    tables = finish(measure(source, surface=False)).tables
    expected = {
        "slices": _slices(labels, voxel, place),
        "cells": _cells(labels, voxel, place),
        "pairs": _pairs(labels, voxel),
    }
    for name, rows in expected.items():
        table = tables[name]
        if len(table) != len(rows):
            return f"{name}: {len(table)} rows of {len(rows)}"
        for number, row in enumerate(rows):
            found = table.row(number)
            for column, value in row.items():
                if not math.isclose(found[column], value, rel_tol=1e-9, abs_tol=1e-9):
                    return f"{name}, {column}: {found[column]}, not {value}"
    return _other_population(tables)


def _slices(labels: np.ndarray, voxel: Any, place: Any) -> list[dict[str, float]]:
    rows = []
    for z, plane in enumerate(labels):
        pixels = defaultdict(list)
        for y, x in product(*map(range, plane.shape)):
            if plane[y, x]:
                pixels[int(plane[y, x])].append((y, x))
        for cell in sorted(pixels):
            own = pixels[cell]
            y, x = (sum(one[axis] for one in own) / len(own) for axis in (0, 1))
            rows.append(
                {
                    "slice": z,
                    "cell": cell,
                    "pixels": len(own),
                    "area_um2": len(own) * voxel[1] * voxel[2],
                    "y_um": place[1] + y * voxel[1],
                    "x_um": place[2] + x * voxel[2],
                    "touches_border": any(_at_border(one, plane.shape) for one in own),
                }
            )
    return rows


def _at_border(spot: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return any(at in (0, side - 1) for at, side in zip(spot, shape, strict=True))


def _cells(labels: np.ndarray, voxel: Any, place: Any) -> list[dict[str, float]]:
    spots = defaultdict(list)
    for spot in product(*map(range, labels.shape)):
        if labels[spot]:
            spots[int(labels[spot])].append(spot)
    rows, faces = [], _faces(labels)
    for cell in sorted(spots):
        own = spots[cell]
        slices = {spot[0] for spot in own}
        middle = [sum(spot[axis] for spot in own) / len(own) for axis in range(3)]
        z, y, x = (place[axis] + middle[axis] * voxel[axis] for axis in range(3))
        touching = [pair for pair in faces if cell in pair]
        rows.append(
            {
                "cell": cell,
                "voxels": len(own),
                "volume_um3": len(own) * math.prod(voxel),
                "z_um": z,
                "y_um": y,
                "x_um": x,
                "extent_z_um": (max(slices) - min(slices) + 1) * voxel[0],
                "first_slice": min(slices),
                "last_slice": max(slices),
                "slices": len(slices),
                "neighbours": len(touching),
                "contact_area_um2": sum(_area(faces[pair], voxel) for pair in touching),
                "touches_border": any(_at_border(spot, labels.shape) for spot in own),
            }
        )
    return rows


def _faces(labels: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """Return the faces along z, y, x that pairs of cells share."""
    found: dict[tuple[int, int], list[int]] = {}
    for spot in product(*map(range, labels.shape)):
        for axis in range(3):
            after = tuple(n + (axis == number) for number, n in enumerate(spot))
            if after[axis] == labels.shape[axis]:
                continue
            pair = sorted((int(labels[spot]), int(labels[after])))
            if pair[0] and pair[0] != pair[1]:
                found.setdefault((pair[0], pair[1]), [0, 0, 0])[axis] += 1
    return found


def _area(faces: list[int], voxel: Any) -> float:
    z, y, x = voxel
    return faces[0] * y * x + faces[1] * z * x + faces[2] * z * y


def _pairs(labels: np.ndarray, voxel: Any) -> list[dict[str, float]]:
    return [
        {
            "cell": pair[0],
            "neighbour": pair[1],
            "contact_area_um2": _area(faces, voxel),
            "faces_z": faces[0],
            "faces_y": faces[1],
            "faces_x": faces[2],
        }
        for pair, faces in sorted(_faces(labels).items())
    ]


def _other_population(tables: Any) -> str:
    """Compare the population with Python's own statistics."""
    for number in range(len(tables["population"])):
        row = tables["population"].row(number)
        table = tables[row["table"]]
        values = [float(table.row(n)[row["measure"]]) for n in range(len(table))]
        values = [value for value in values if not math.isnan(value)]
        expected = {
            "n": len(values),
            "mean": statistics.fmean(values) if values else math.nan,
            "sd": statistics.stdev(values) if len(values) > 1 else math.nan,
            "minimum": min(values, default=math.nan),
            "median": statistics.median(values) if values else math.nan,
            "maximum": max(values, default=math.nan),
        }
        for name, value in expected.items():
            told = float(row[name])
            same = math.isclose(told, value, rel_tol=1e-9, abs_tol=1e-9)
            if not same and not (math.isnan(told) and math.isnan(value)):
                return f"population, {row['table']} {row['measure']}, {name}: {told}, not {value}"
    return ""


def _other_verdict(rng: np.random.Generator) -> str:
    """Compare what a verdict is made of with counts by hand, on slices with large cells too."""
    side = int(rng.integers(24, 44))
    this, after = _run_slice(rng, side), _run_slice(rng, side)
    found = slice_measures(this, after)
    tissue = [spot for spot in product(range(side), range(side)) if this.valid[spot]]
    areas = Counter(int(this.cells[spot]) for spot in tissue if this.cells[spot])
    sane = [n for n in areas.values() if SMALLEST <= n <= LARGEST * len(tissue)]
    maybe = [spot for spot in tissue if this.step1[spot] > 0.1]
    cells = {int(n) for n in this.cells.flat if n}
    lone = {
        int(this.cells[y, x])
        for y, x in product(range(side), range(side))
        if any(
            0 <= v < side and 0 <= u < side and not this.valid[v, u]
            for v, u in ((y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        )
    } - {0}
    expected = {
        "contour": sum(bool(this.closed[spot]) for spot in tissue) / len(tissue),
        "largest": max(areas.values(), default=0) / len(tissue),
        "covered": sum(sane) / len(tissue),
        "diameter": statistics.median(2 * math.sqrt(n / math.pi) for n in areas.values()),
        "specks": sum(n < SMALLEST for n in areas.values()) / len(areas),
        "at_padding": len(lone) / len(cells),
        "same": _same_area(this.cells, after.cells),
    }
    if this.centre.any():
        expected["decided"] = sum(this.step1[s] > 0.9 for s in maybe) / max(len(maybe), 1)
    for name, value in expected.items():
        same = math.isclose(found[name], value, rel_tol=1e-6, abs_tol=1e-9)
        if not same and not (math.isnan(found[name]) and math.isnan(value)):
            return f"verdict, {name}: {found[name]}, not {value}"
    return ""


def _run_slice(rng: np.random.Generator, side: int) -> RunSlice:
    rows, columns = (np.cumsum(rng.random(side) < 0.08) for _ in range(2))
    cells = (1 + rows[:, None] + 9 * columns).astype(np.uint32)
    closed = rng.random((side, side)) < 0.1
    cells[closed] = 0
    step1 = np.clip(closed * rng.uniform(0.3, 1, closed.shape) + rng.normal(0, 0.1), 0, 1)
    valid = np.ones((side, side), bool)
    valid[: int(rng.integers(0, 5))] = False
    image = rng.normal(100, 20, (side, side))
    return RunSlice(image, step1.astype(np.float32), closed, cells, valid)


def _same_area(cells: np.ndarray, after: np.ndarray) -> float:
    ours, theirs = Counter(cells[cells > 0].tolist()), Counter(after[after > 0].tolist())
    if not ours or not theirs:
        return math.nan
    both = Counter((a, b) for a, b in zip(cells.flat, after.flat, strict=True) if a and b)
    matched = {
        int(a)
        for (a, b), shared in both.items()
        if shared >= SAME * (ours[int(a)] + theirs[int(b)] - shared)
    }
    return sum(ours[cell] for cell in matched) / sum(ours.values())
