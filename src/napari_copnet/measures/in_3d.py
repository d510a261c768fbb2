"""Cells in 3D: from the tables of slices, contacts, and a second look for the surfaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from napari_copnet.measures.crops import finished_crops
from napari_copnet.measures.mesh import surface_and_sphericity
from napari_copnet.measures.source import Source
from napari_copnet.progress import Progress, Steps


def cells_of(
    rows: Mapping[str, np.ndarray], wall_sums: np.ndarray, source: Source
) -> dict[str, np.ndarray]:
    """Gather cells in 3D from the table of slices.

    Parameters
    ----------
    rows : mapping of str to ndarray
        Columns of `schema.SLICES`.
    wall_sums : ndarray, shape (rows, 2)
        From `by_slice.measure_slice`.
    source : Source

    Returns
    -------
    dict of str to ndarray
        Columns of `schema.CELLS`, by increasing number of the cell, without contacts, surface and
        doubtful walls.
    """
    names, cell = np.unique(rows["cell"], return_inverse=True)
    count, z = names.size, rows["slice"]
    pixels = rows["pixels"].astype(np.float64)
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(first, cell, z)
    np.maximum.at(last, cell, z)
    voxels = np.bincount(cell, pixels, count)

    def any_of(column: str) -> np.ndarray:
        return np.bincount(cell, rows[column].astype(float), count) > 0

    def weighted(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, values * pixels, count) / voxels

    depth = source.labels.shape[0]
    found = {
        "cell": names,
        "voxels": voxels.astype(np.int64),
        "first_slice": first,
        "last_slice": last,
        # Each slice has one row of a cell.
        "slices": np.bincount(cell, minlength=count),
        "touches_border": any_of("touches_border") | (first == 0) | (last == depth - 1),
    }
    size = source.voxel_size
    if size.z is not None:
        found["z_um"] = weighted(z.astype(float)) * size.z + source.translate[0]
        found["extent_z_um"] = (last - first + 1) * size.z
    if size.in_plane_known:
        found["y_um"], found["x_um"] = weighted(rows["y_um"]), weighted(rows["x_um"])
    if size.known:
        assert size.z is not None
        found["volume_um3"] = voxels * (size.z * size.y * size.x)  # type: ignore[operator]
    if "contour_mean" in rows:
        sums = [np.bincount(cell, wall_sums[:, n], count) for n in (0, 1)]
        with np.errstate(invalid="ignore"):
            found["contour_mean"] = sums[0] / sums[1]
    for column in ("touches_vessel", "touches_haemorrhage", "edited"):
        if column in rows:
            found[column] = any_of(column)
    return found


def doubts_of(cells: np.ndarray, doubts: Iterable[tuple[int, int]]) -> np.ndarray:
    """Count the items at each cell; `cells` are sorted, `doubts` are items with cells."""
    numbers = np.array([cell for _, cell in set(doubts)], np.int64)
    return np.bincount(np.searchsorted(cells, numbers), minlength=cells.size)


def contacts_of(
    cells: np.ndarray, pairs: np.ndarray, faces: np.ndarray, source: Source
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the table of pairs, and what it says of each cell."""
    table = {"cell": pairs[:, 0], "neighbour": pairs[:, 1]}
    table |= {f"faces_{letter}": faces[:, n] for n, letter in enumerate("zyx")}
    ends = np.searchsorted(cells, pairs)
    by_cell = {"neighbours": np.bincount(ends.ravel(), minlength=cells.size)}
    if source.voxel_size.known:
        z, y, x = (float(side) for side in source.voxel_size if side is not None)
        area = faces @ np.array([y * x, z * x, z * y])
        table["contact_area_um2"] = area
        by_cell["contact_area_um2"] = np.bincount(ends.ravel(), np.repeat(area, 2), cells.size)
    return table, by_cell


def measure_surfaces(
    source: Source, cells: np.ndarray, last: np.ndarray
) -> Steps[dict[str, np.ndarray]]:
    """Measure the surface of each cell, as soon as its last slice has passed.

    Parameters
    ----------
    source : Source
        Its voxel size is known.
    cells, last : ndarray, shape (cells,)
        Numbers of the cells, sorted, and the last slice of each.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    dict of str to ndarray
        ``surface_um2`` and ``sphericity``.
    """
    z_size, y_size, x_size = (float(side or 0) for side in source.voxel_size)
    size = (z_size, y_size, x_size)
    surface, sphericity = np.full(cells.size, np.nan), np.full(cells.size, np.nan)
    depth = source.labels.shape[0]
    for z, crops in finished_crops(source.labels, cells, last):
        for crop in crops:
            found = surface_and_sphericity(crop.mask, size)
            surface[crop.number], sphericity[crop.number] = found
        yield Progress("surfaces", z + 1, depth, "slices")
    return {"surface_um2": surface, "sphericity": sphericity}
