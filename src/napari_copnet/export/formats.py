"""The formats of other programs, in the order in which they are offered."""

from __future__ import annotations

# Format: what it is, and what is written.
FORMATS = {
    "rois": ("ROIs for ImageJ and Fiji", "rois.zip"),
    "labels16": ("16-bit label TIFF", "cells16.tif"),
    "ome-zarr": ("OME-Zarr labels with colours and properties", "labels.ome.zarr"),
    "precomputed": ("precomputed labels for Neuroglancer and webKnossos", "labels.precomputed"),
    "stl": ("meshes, STL", "meshes-stl"),
    "obj": ("meshes, OBJ", "meshes-obj"),
    "ply": ("meshes with colours, PLY", "meshes-ply"),
}
# Those that are written in units of length.
NEED_SIZE = frozenset({"precomputed", "stl", "obj", "ply"})
# Those that need a package of an extra, by the name of the package.
NEED_PACKAGE = {"precomputed": "tensorstore"}
