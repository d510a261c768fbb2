"""TIFF: plain, ImageJ and OME, with what their metadata say of the voxel size."""

from __future__ import annotations

import json
import logging
import math
import struct
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_copnet.errors import InputError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import (
    Raw,
    in_micrometres,
    is_lazy,
    need_memory,
    positive,
)
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import VoxelSize

# The most that deflate and LZW can pack into a byte is 1032 and about 1400.
_MOST_PACKED = 1500
_MOST_PLANES = 1 << 20
_PACKED_BOUNDED = {2, 3, 4, 5, 8, 32773, 32946}
# Resolutions that programs write when they know nothing of the sample, per inch.
_PRINT_RESOLUTIONS = {72.0, 90.0, 96.0, 100.0, 120.0, 144.0, 150.0, 200.0, 300.0, 600.0, 1200.0}

# What tifffile has to say of a damaged file is said in our errors.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_tiff(path: Path) -> Raw:
    """Read a TIFF file; of a large one that stays on disk, each slice is read on its own.

    Raises
    ------
    InputError
        Damaged, truncated, larger than it can be, or made of pages of several sizes.
    """
    with damage_explained(path, tifffile.OmeXmlError):
        with tifffile.TiffFile(path, _multifile=False) as tif:
            _check_pages(tif, path)
            _check_ome(tif, path)
            others = _other_files(tif, path)
        with tifffile.TiffFile(path, _multifile=bool(others)) as tif:
            series, notes = _main_series(tif, path)
            _check_declared(tif, series, path)
            _check_size(series, path)
            raw = Raw(None, series.axes, notes=notes)
            raw = _with_metadata(raw, tif)
            if not is_lazy(series.shape, series.dtype):
                need_memory(2 * series.nbytes, path.name)
                data = series.asarray()
                return _native(raw, data.reshape(series.shape))
        return _native(raw, _lazy(path, bool(others)))


def declared_tiff(path: Path) -> tuple[tuple[int, ...], str]:
    """Return shape and type of a TIFF file's first image as its header has them."""
    explained = damage_explained(path, tifffile.OmeXmlError)
    with explained, tifffile.TiffFile(path, _multifile=False) as tif:
        _check_pages(tif, path)
        _check_ome(tif, path)
        series, _ = _main_series(tif, path)
        return series.shape, str(series.dtype)


def _native(raw: Raw, data: Any) -> Raw:
    if isinstance(data, np.ndarray) and not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    return Raw(data, raw.axes, raw.voxel_size, raw.translate, raw.notes)


def _lazy(path: Path, multifile: bool) -> Any:
    # What reads from it keeps the file open for as long as the array lives.
    tif = tifffile.TiffFile(path, _multifile=multifile)
    series = tif.series[_main_index(tif)]
    pages = series.pages
    if series.axes.endswith("YX") and len(pages) == math.prod(series.shape[:-2]):

        def plane(*at: int) -> np.ndarray:
            # Four times as fast as through a store, which is made for parts of a page.
            page: Any = pages[int(np.ravel_multi_index(at, series.shape[:-2])) if at else 0]
            return page.asarray().reshape(series.shape[-2:])

        return LazyArray(series.shape, series.dtype, plane)
    import zarr

    # A slice is read whole, so its strips need not be handed on one by one.
    store: Any = series.aszarr(level=0, chunkmode="page")
    return zarr.open_array(store, mode="r")


def _main_index(tif: tifffile.TiffFile) -> int:
    sizes = [math.prod(series.shape) for series in tif.series]
    return sizes.index(max(sizes))


def _main_series(
    tif: tifffile.TiffFile, path: Path
) -> tuple[tifffile.TiffPageSeries, tuple[str, ...]]:
    if not tif.series:
        raise InputError(f"{path.name} holds no image.", "Choose another file.")
    series = tif.series[_main_index(tif)]
    others = len(tif.series) - 1
    if not others:
        return series, ()
    if not (tif.is_ome or tif.is_lsm or tif.is_svs):
        shapes = sorted({"×".join(map(str, s.shape)) for s in tif.series})
        if len({s.shape[-2:] for s in tif.series}) > 1:
            raise InputError(
                f"{path.name} holds pages of different sizes ({', '.join(shapes[:4])}).",
                "Save only the stack, with slices of the same size.",
            )
    return series, (f"{path.name} holds {others + 1} images; the largest was read.",)


def _truncated(path: Path, what: str) -> InputError:
    return InputError(
        f"{path.name} is truncated or damaged: it declares {what} that it does not hold.",
        "Copy or export the file again.",
    )


def _check_pages(tif: tifffile.TiffFile, path: Path) -> None:
    """Follow the chain of pages to its end; tifffile ignores pages after a break."""
    file, layout = tif.filehandle, tif.tiff
    if tif.is_ndpi:
        return
    # Behind the first page tifffile has not read yet: begin at the header.
    offset, seen = tif.pages.first.offset, set[int]()
    while offset:
        if offset in seen or offset + layout.tagnosize > file.size:
            raise _truncated(path, "pages")
        seen.add(offset)
        file.seek(offset)
        count = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))[0]
        file.seek(offset + layout.tagnosize + count * layout.tagsize)
        offset = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))[0]


def _check_ome(tif: tifffile.TiffFile, path: Path) -> None:
    """Check how many slices OME metadata declare, before a list of them is made."""
    if not tif.is_ome or not tif.ome_metadata:
        return
    planes = 0
    for element in ElementTree.fromstring(tif.ome_metadata).iter():
        if element.tag.endswith("}Pixels"):
            planes += math.prod(int(element.get(f"Size{letter}", "1")) for letter in "ZCT")
    if planes > _MOST_PLANES:
        raise _truncated(path, f"{planes} slices")


def _check_declared(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> None:
    """Compare shapes in metadata with what was found, as tifffile falls back to fewer pages."""
    planes = math.prod(
        n for n, letter in zip(series.shape, series.axes, strict=True) if letter not in "YXS"
    )
    images = int((tif.imagej_metadata or {}).get("images", 1)) if tif.is_imagej else 1
    # ImageJ counts the samples of planar colour as images.
    if images > planes * max(series.keyframe.samplesperpixel, 1):
        raise _truncated(path, f"{images} images")
    description = tif.pages.first.description
    if tif.is_shaped and description.startswith('{"shape"'):
        shape = json.loads(description)["shape"]
        if len(tif.series) == 1 and math.prod(shape) > math.prod(series.shape):
            raise _truncated(path, f"an array of {'×'.join(map(str, shape))}")


def _check_size(series: tifffile.TiffPageSeries, path: Path) -> None:
    """Compare the declared size with the size of the file, before allocating anything."""
    declared = series.nbytes
    if math.prod(series.shape) == 0:
        raise InputError(
            f"{path.name} has a side of 0 pixels: {'×'.join(map(str, series.shape))}.",
            "Choose another file.",
        )
    keyframe = series.keyframe
    truncated = _truncated(path, f"{declared / 1e6:.1f} MB of pixels")
    if series.dataoffset is not None:
        if series.dataoffset + declared > path.stat().st_size:
            raise truncated
    else:
        packed = 0
        pages = series.pages
        for page in pages:
            if page is None:
                raise truncated
            size = page.parent.filehandle.size
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
                if count and offset + count > size:
                    raise truncated
            packed += sum(page.databytecounts)
        most = 1 if keyframe.compression == 1 else _MOST_PACKED
        bounded = keyframe.compression == 1 or keyframe.compression in _PACKED_BOUNDED
        if bounded and declared > most * max(packed, 1) + 4096:
            raise truncated
    segment = math.prod(keyframe.chunks) * max(keyframe.dtype.itemsize if keyframe.dtype else 1, 1)
    need_memory(2 * segment, f"One slice of {path.name}")


# -- metadata ---------------------------------------------------------------------------------


def _with_metadata(raw: Raw, tif: tifffile.TiffFile) -> Raw:
    page = tif.pages.first
    if tif.is_ome and tif.ome_metadata:
        size, translate = _ome(tif.ome_metadata)
        return Raw(raw.data, raw.axes, size, translate, raw.notes)
    if tif.is_imagej:
        size, translate = _imagej(page, tif.imagej_metadata or {})
        if size.in_plane_known:
            return Raw(raw.data, raw.axes, size, translate, raw.notes)
    sem = tif.sem_metadata or {}
    zeiss = sem.get("ap_image_pixel_size") or sem.get("ap_pixel_size")
    if zeiss is not None and len(zeiss) == 3:
        side = positive(in_micrometres(zeiss[1], zeiss[2]))
        return Raw(raw.data, raw.axes, VoxelSize(None, side, side), notes=raw.notes)
    scan = (tif.fei_metadata or {}).get("Scan", {})
    if "PixelWidth" in scan:
        y = positive(in_micrometres(scan.get("PixelHeight", scan["PixelWidth"]), "m"))
        x = positive(in_micrometres(scan["PixelWidth"], "m"))
        return Raw(raw.data, raw.axes, VoxelSize(None, y, x), notes=raw.notes)
    return _plain(raw, page)


def _resolution(page: tifffile.TiffPage, letter: str) -> float | None:
    tag = page.tags.get(f"{letter}Resolution")
    if tag is None or not isinstance(tag.value, tuple):
        return None
    count, per = tag.value[:2]
    return count / per if per and count else None


def _plain(raw: Raw, page: tifffile.TiffPage) -> Raw:
    tag = page.tags.get("ResolutionUnit")
    unit = {2: "inch", 3: "cm"}.get(int(tag.value) if tag else 1)
    x, y = _resolution(page, "X"), _resolution(page, "Y")
    if unit is None or x is None or y is None or (x, y) == (1.0, 1.0):
        return raw
    per_inch = {round(r * (2.54 if unit == "cm" else 1.0), 1) for r in (x, y)}
    if per_inch <= _PRINT_RESOLUTIONS:
        return raw.noting("The resolution in the file is meant for printing and was ignored.")
    size = VoxelSize(None, in_micrometres(1 / y, unit), in_micrometres(1 / x, unit))
    return Raw(raw.data, raw.axes, size, raw.translate, raw.notes)


def _imagej(
    page: tifffile.TiffPage, metadata: dict[str, Any]
) -> tuple[VoxelSize, tuple[float, float, float]]:
    unit = str(metadata.get("unit", ""))
    x, y = _resolution(page, "X"), _resolution(page, "Y")
    size = VoxelSize(
        # ImageJ leaves the spacing out when it was never set.
        positive(in_micrometres(metadata.get("spacing"), unit)),
        positive(in_micrometres(1 / y, str(metadata.get("yunit", unit)))) if y else None,
        positive(in_micrometres(1 / x, unit)) if x else None,
    )
    translate = [
        _number(-float(metadata.get(f"{letter}origin", 0.0)) * (side or 0.0))
        for letter, side in zip("zyx", size, strict=True)
    ]
    return size, (translate[0], translate[1], translate[2])


def _ome(xml: str) -> tuple[VoxelSize, tuple[float, float, float]]:
    pixels = [e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")]
    if not pixels:
        return VoxelSize(), (0.0, 0.0, 0.0)
    first = max(
        pixels, key=lambda e: math.prod(int(e.get(f"Size{letter}", "1")) for letter in "XYZCT")
    )
    size = VoxelSize(
        *(
            positive(
                in_micrometres(
                    first.get(f"PhysicalSize{letter}"), first.get(f"PhysicalSize{letter}Unit", "µm")
                )
            )
            for letter in "ZYX"
        )
    )
    plane = next((e for e in first.iter() if e.tag.endswith("}Plane")), None)
    if plane is None:
        return size, (0.0, 0.0, 0.0)
    z, y, x = (
        # Without a unit OME means the reference frame of the stage, which is no length.
        in_micrometres(plane.get(f"Position{letter}"), plane.get(f"Position{letter}Unit")) or 0.0
        for letter in "ZYX"
    )
    return size, (z, y, x)


def _number(value: float) -> float:
    return float(f"{value:.9g}") + 0.0


def _other_files(tif: tifffile.TiffFile, path: Path) -> set[str]:
    """Return the other files of a multi-file OME-TIFF; refuse ones outside its folder."""
    if not tif.is_ome or not tif.ome_metadata:
        return set()
    names = {
        element.get("FileName", "")
        for element in ElementTree.fromstring(tif.ome_metadata).iter()
        if element.tag.endswith("}UUID")
    } - {"", path.name}
    for name in names:
        plain = PurePosixPath(name).name == name == PureWindowsPath(name).name
        inside = plain and (path.parent / name).resolve().parent == path.parent.resolve()
        if not inside:
            raise InputError(
                f"{path.name} refers to a file outside its folder ({name}), which is not followed.",
                "Save the stack as a single file.",
            )
        if not (path.parent / name).is_file():
            raise InputError(
                f"{path.name} is one part of a set, but {name} is missing next to it.",
                "Put all files of the set into one folder.",
            )
    return names
