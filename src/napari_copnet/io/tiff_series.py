"""Which images of a TIFF file make up its stack.

tifffile parts a file into series of pages that are stored alike. Programs that write a stack page
by page leave one series for each page, or for each way in which pages are compressed or cut into
strips; the slices of such a stack are put together again here, in the order of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_copnet.errors import InputError


@dataclass(frozen=True)
class TiffStack:
    """The images of a file that are one stack.

    Attributes
    ----------
    series : tuple of TiffPageSeries
        One, or several whose slices follow each other.
    order : tuple of (int, int)
        Of several: for each slice the number of its series, and of the slice within that.
    shape, dtype, axes
        Of the whole, as `tifffile.TiffPageSeries` has them.
    notes : tuple of str
        What was left out or put together, for the user.
    """

    series: tuple[tifffile.TiffPageSeries, ...]
    order: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    axes: str
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of the whole in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def plane(self, number: int) -> np.ndarray:
        """Read one slice of several series."""
        which, within = self.order[number]
        series = self.series[which]
        side = tuple(series.keyframe.shape)
        if len(series.pages) * math.prod(side) == math.prod(series.shape):
            page: Any = series.pages[within]
            return page.asarray().reshape(side)
        # One page for all slices, whose pixels lie behind each other.
        import zarr

        store: Any = series.aszarr(level=0, chunkmode="page")
        planes: Any = zarr.open_array(store, mode="r")
        return np.asarray(planes[np.unravel_index(within, planes.shape[: -len(side)])])

    def asarray(self) -> np.ndarray:
        """Read everything."""
        if not self.order:
            return self.series[0].asarray().reshape(self.shape)
        whole = np.empty(self.shape, self.dtype)
        for number in range(self.shape[0]):
            whole[number] = self.plane(number)
        return whole


def find_stack(tif: tifffile.TiffFile, path: Path) -> TiffStack:
    """Return the stack that a file holds.

    Raises
    ------
    InputError
        No image, or pages of several sizes or types.
    """
    every = list(tif.series)
    series = [s for s in every if not (s.keyframe.is_reduced or s.keyframe.is_mask)] or every
    if not series:
        raise InputError(f"{path.name} holds no image.", "Choose another file.")
    notes = _part_of_a_set(tif, path)
    if len(series) < len(every):
        notes += (f"{path.name} also holds reduced copies or masks, which were left out.",)
    if len(series) == 1:
        return _one(tif, series[0], notes)
    if not (tif.is_ome or tif.is_lsm or tif.is_svs):
        _check_alike(series, path)
    if _are_slices(series):
        return _joined(series, path, notes)
    sizes = [math.prod(one.shape) for one in series]
    which = "the largest" if sizes.count(max(sizes)) == 1 else "the first of the largest"
    note = f"{path.name} holds {len(series)} images; only {which} was read."
    return _one(tif, series[sizes.index(max(sizes))], (*notes, note))


def stored_bytes(series: tifffile.TiffPageSeries) -> int:
    """Return how many bytes the pixels of a series take before compression.

    Pixels of less than a byte are packed, and each row begins with a byte of its own.
    """
    page = series.keyframe
    bits = page.bitspersample
    if page.dtype is None or bits == 8 * page.dtype.itemsize:
        return series.nbytes
    width = int(page.imagewidth) * (page.samplesperpixel if page.planarconfig == 1 else 1)
    rows = math.prod(series.shape) // width if width else 0
    return rows * -(-width * int(bits) // 8)


def _one(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, notes: tuple[str, ...]
) -> TiffStack:
    if tif.is_imagej and len(series.pages) > 1:
        planes = math.prod(series.shape) // max(math.prod(series.keyframe.shape), 1)
        pages = len(series.pages)
        if pages > planes:
            left = f"The file holds {pages} slices; only the {planes} that ImageJ counts were read."
            notes = (*notes, left)
    dtype = np.dtype(series.dtype)
    return TiffStack((series,), (), tuple(series.shape), dtype, series.axes, notes)


def _part_of_a_set(tif: tifffile.TiffFile, path: Path) -> tuple[str, ...]:
    if not tif.is_ome or not tif.ome_metadata:
        return ()
    for element in ElementTree.fromstring(tif.ome_metadata):
        if element.tag.endswith("BinaryOnly"):
            other = element.get("MetadataFile", "another file")
            return (f"{path.name} is part of a set described in {other}; only this file was read.",)
    return ()


def _check_alike(series: list[tifffile.TiffPageSeries], path: Path) -> None:
    shapes = sorted({"×".join(map(str, one.shape)) for one in series})
    if len({one.shape[-2:] for one in series}) > 1:
        raise InputError(
            f"{path.name} holds pages of different sizes ({', '.join(shapes[:4])}).",
            "Save only the stack, with slices of the same size.",
        )
    kinds = sorted({_kind(one) for one in series})
    if len(kinds) > 1:
        raise InputError(
            f"{path.name} holds {len(series)} images of different types ({', '.join(kinds[:4])}).",
            "Save only the stack, with slices of the same type.",
        )


def _kind(series: tifffile.TiffPageSeries) -> str:
    samples = series.keyframe.samplesperpixel
    colour = f", {samples} samples a pixel" if series.axes.endswith("S") and samples > 1 else ""
    return f"{np.dtype(series.dtype).name}{colour}"


def _are_slices(series: list[tifffile.TiffPageSeries]) -> bool:
    """Whether several series are the slices of one stack, or blocks of such slices."""
    first = series[0]
    if first.kind == "ome" and any(one.axes != "YX" for one in series):
        # Positions and channels of their own, not slices.
        return False
    return all(
        one.keyframe.shape == first.keyframe.shape
        and one.dtype == first.dtype
        # Channels or times and slices of several series would be mixed up.
        and len(one.shape) <= len(one.keyframe.shape) + 1
        and "C" not in one.axes[:1]
        for one in series
    )


def _joined(series: list[tifffile.TiffPageSeries], path: Path, notes: tuple[str, ...]) -> TiffStack:
    side = tuple(series[0].keyframe.shape)
    order = []
    for number, one in enumerate(series):
        planes = math.prod(one.shape) // math.prod(side)
        for within in range(planes):
            page: Any = one.pages[within if len(one.pages) == planes else 0]
            # Images of OME are in its order; the files of a set each count their own pages.
            at = number if one.kind == "ome" else page.index
            order.append((at, within, number))
    order.sort()
    axes = series[0].keyframe.axes
    dtype = np.dtype(series[0].dtype)
    note = f"The {len(order)} images in {path.name} were read as the slices of one stack."
    slices = tuple((number, within) for _, within, number in order)
    return TiffStack(tuple(series), slices, (len(order), *side), dtype, f"Q{axes}", (*notes, note))
