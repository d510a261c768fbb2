"""Cells as closed, smooth meshes in µm: STL, OBJ or PLY."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.export.labels import colour, count_cells
from napari_copnet.measures.crops import finished_crops
from napari_copnet.measures.mesh import cell_mesh
from napari_copnet.measures.source import Source
from napari_copnet.progress import Progress, Steps

KINDS = ("stl", "obj", "ply")


def write_meshes(source: Source, folder: Path, kind: str) -> Steps[Path]:
    """Write a file ``cell-NUMBER.KIND`` for each cell into a new folder.

    Vertices are x, y, z in µm, with the position of the stack; see `measures.mesh.cell_mesh`. PLY
    files carry the colour of the cell.

    Yields
    ------
    Progress
        In slices.

    Raises
    ------
    InputError
        An unknown voxel size, or no cells in 3D.
    OutputError
        Files of other origin in the way.
    """
    if not source.voxel_size.known:
        raise InputError(
            "Meshes are in µm, and the voxel size is unknown.", "Give it with --voxel-size."
        )
    if not source.in_3d:
        raise InputError(
            "There are no cells in 3D: each slice was labelled separately.",
            "Run the stack with --mode linked.",
        )
    z_size, y_size, x_size = (float(side or 0) for side in source.voxel_size)
    found = yield from count_cells(source.labels)
    cells, depth = found["cell"], source.labels.shape[0]
    place = np.array(source.translate[::-1])
    step = np.array([x_size, y_size, z_size])
    folder.mkdir()
    for z, crops in finished_crops(source.labels, cells, found["last_slice"]):
        for crop in crops:
            made = cell_mesh(crop.mask, (z_size, y_size, x_size))
            made.apply_translation(place + step * crop.origin[::-1])
            cell = int(cells[crop.number])
            if kind == "ply":
                made.visual.face_colors = colour(cell)
            made.export(folder / f"cell-{cell:06d}.{kind}")
        yield Progress("meshes", z + 1, depth, "slices")
    return folder
