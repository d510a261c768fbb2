"""Cells as regions of interest of ImageJ and Fiji."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_copnet.errors import OutputError
from napari_copnet.export.outlines import outlines
from napari_copnet.measures.source import Source
from napari_copnet.progress import Progress, Steps

# ImageJ keeps corners as 16-bit numbers.
_MOST = 32767
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0


def write_rois(source: Source, path: Path) -> Steps[Path]:
    """Write an ROI for each cell of each slice into a ZIP for the ROI Manager.

    An ROI is named CELL-SLICE, the slice counted from 1 as in ImageJ, and knows its slice; filled,
    it is the cell to the pixel. Cells in several parts or with holes are composites.

    Parameters
    ----------
    source : Source
    path : Path

    Yields
    ------
    Progress
        In slices.

    Raises
    ------
    OutputError
        Slices too large for the format.
    """
    depth, *plane = source.labels.shape
    if max(plane) > _MOST:
        raise OutputError(
            f"Slices of {max(plane)} px are too large for ImageJ ROIs.",
            "Crop the stack, or export labels.",
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for z in range(depth):
            for cell, roi in rois_of(np.asarray(source.labels[z]), z):
                archive.writestr(f"{cell:06d}-{z + 1:04d}.roi", roi.tobytes())
            yield Progress("rois", z + 1, depth, "slices")
    return path


def rois_of(labels: np.ndarray, z: int) -> list[tuple[int, Any]]:
    """Return the cells of a slice, shape (Y, X), with their ROIs."""
    cells, flat = np.unique(labels, return_inverse=True)
    numbered = flat.reshape(labels.shape).astype(np.int32) + 1
    boxes = ndimage.find_objects(numbered)
    found = []
    for number, (cell, box) in enumerate(zip(cells.tolist(), boxes, strict=True), start=1):
        if cell:
            loops = outlines(numbered[box] == number)
            origin = np.array([box[1].start, box[0].start], np.int32)
            name = f"{cell:06d}-{z + 1:04d}"
            found.append((cell, _roi([loop + origin for loop in loops], name, z)))
    return found


def _roi(loops: list[np.ndarray], name: str, z: int) -> Any:
    import roifile

    if len(loops) == 1:
        roi = roifile.ImagejRoi.frompoints(loops[0], name=name)
        # The box of ImageJ ends where the outline does.
        roi.right, roi.bottom = (int(n) for n in loops[0].max(axis=0))
    else:
        every = np.concatenate(loops)
        path: list[float] = []
        for loop in loops:
            for number, (x, y) in enumerate(loop.tolist()):
                path += [_LINE if number else _MOVE, x, y]
            path.append(_CLOSE)
        roi = roifile.ImagejRoi.frompoints(loops[0], name=name)
        roi.roitype = roifile.ROI_TYPE.RECT
        roi.integer_coordinates, roi.n_coordinates = None, 0
        roi.multi_coordinates = np.array(path, np.float32)
        roi.shape_roi_size = len(path)
        roi.left, roi.top = (int(n) for n in every.min(axis=0))
        roi.right, roi.bottom = (int(n) for n in every.max(axis=0))
    roi.position = z + 1
    return roi
