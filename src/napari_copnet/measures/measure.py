"""Measure the cells of a stack: all tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_copnet.measures.by_slice import measure_slice
from napari_copnet.measures.contacts import Contacts
from napari_copnet.measures.in_3d import cells_of, contacts_of, doubts_of, measure_surfaces
from napari_copnet.measures.population import population
from napari_copnet.measures.schema import SLICES
from napari_copnet.measures.source import Source
from napari_copnet.measures.table import Table
from napari_copnet.progress import Progress, Steps

_KINDS = {"integer": np.int64, "number": np.float64, "truth": np.bool_}


@dataclass(frozen=True)
class Measures:
    """The tables of a stack.

    Attributes
    ----------
    tables : dict of str to Table
        ``slices``; ``cells`` and ``pairs`` where there are cells in 3D; ``marks`` where something
        is marked; ``population``.
    notes : tuple of str
        What could not be measured, and why; sentences for the user.
    """

    tables: dict[str, Table]
    notes: tuple[str, ...] = ()


def measure(source: Source, *, surface: bool = True) -> Steps[Measures]:
    """Measure the cells of a stack, by slice and in 3D.

    Memory is that of a few slices, of the tables, and of the cells that have begun and not ended.

    Parameters
    ----------
    source : Source
    surface : bool
        Measure surfaces and sphericity, which takes most of the time.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    Measures
        Columns are those of `schema`.
    """
    depth = source.labels.shape[0]
    parts: list[dict[str, np.ndarray]] = []
    sums: list[np.ndarray] = []
    walls = None if source.find_doubts is None else (yield from source.find_doubts())
    doubts: list[tuple[int, int]] = []
    contacts = Contacts()
    marks: list[tuple[int, str, int]] = []
    for z in range(depth):
        found = measure_slice(source, z, None if walls is None else walls.get(z, []))
        count = found.values["cell"].size
        parts.append({"slice": np.full(count, z, np.int64), **found.values})
        sums.append(found.wall_sums)
        doubts += found.doubts
        if source.in_3d:
            contacts.add(found.wide)
        for name, mark in (source.marks or {}).items():
            pixels = int(np.count_nonzero(mark(z)))
            marks += [(z, name, pixels)] if pixels else []
        yield Progress("measure", z + 1, depth, "slices")
    rows = _joined(parts)
    tables = {"slices": Table("slices", rows)}
    notes = list(source.notes)
    if source.in_3d:
        cells = cells_of(rows, np.concatenate(sums), source)
        pairs, by_cell = contacts_of(cells["cell"], *contacts.pairs(), source)
        cells |= by_cell
        if walls is not None:
            cells["doubtful_walls"] = doubts_of(cells["cell"], doubts)
        if surface and source.voxel_size.known:
            cells |= yield from measure_surfaces(source, cells["cell"], cells["last_slice"])
        tables |= {"cells": Table("cells", cells), "pairs": Table("pairs", pairs)}
    notes += _left_out(source)
    if marks:
        tables["marks"] = _marks(marks, source)
    tables["population"] = population(tables)
    return Measures(tables, tuple(notes))


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    names = {name for part in parts for name in part}
    return {
        column.name: np.concatenate([part[column.name] for part in parts]).astype(
            _KINDS[column.kind]
        )
        for column in SLICES
        if column.name in names
    }


def _marks(found: list[tuple[int, str, int]], source: Source) -> Table:
    slices, names, pixels = zip(*found, strict=True)
    values: dict[str, object] = {"slice": slices, "mark": names, "pixels": pixels}
    _, height, width = source.voxel_size
    if height is not None and width is not None:
        values["area_um2"] = np.array(pixels) * height * width
    return Table("marks", values)


def _left_out(source: Source) -> list[str]:
    """Return sentences on what could not be measured."""
    notes = []
    if source.axes == "tyx":
        notes.append("The first axis is time: cells were measured in each frame, not in 3D.")
    elif not source.joined:
        notes.append(
            "Each slice was labelled separately: cells were measured by slice, not in 3D. Run with "
            "--mode linked to join them."
        )
    if not source.voxel_size.in_plane_known:
        notes.append(
            "The pixel size is unknown: lengths and areas are left out. Give --voxel-size."
        )
    elif source.in_3d and source.voxel_size.z is None:
        notes.append(
            "The slice spacing is unknown: volumes and surfaces are left out. Give --voxel-size."
        )
    return notes
