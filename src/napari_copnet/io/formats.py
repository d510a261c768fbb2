"""The file formats that results are written in: one list for files, commands and the window."""

from __future__ import annotations

from typing import Literal

FormatName = Literal["tiff", "ome-zarr", "nifti"]
# Format by name: the suffix to write, and the suffixes that mean it.
FORMATS: dict[FormatName, tuple[str, tuple[str, ...]]] = {
    "tiff": (".tif", (".ome.tiff", ".ome.tif", ".tiff", ".tif")),
    "ome-zarr": (".ome.zarr", (".ome.zarr", ".zarr")),
    "nifti": (".nii.gz", (".nii.gz", ".nii")),
}
# All of these suffixes; longer ones come before those that they end with.
SUFFIXES = tuple(suffix for _, every in FORMATS.values() for suffix in every)
# What single slices in a folder may be.
TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def format_of(name: str) -> tuple[str, str]:
    """Return the format that a file's name means, and the suffix that says so; empty for none."""
    lower = name.lower()
    for format, (_, suffixes) in FORMATS.items():
        for suffix in suffixes:
            if lower.endswith(suffix):
                return format, suffix
    return "", ""
