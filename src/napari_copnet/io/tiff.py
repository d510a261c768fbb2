"""TIFF: plain, ImageJ and OME, with what their metadata say of the voxel size."""

from __future__ import annotations

import json
import logging
import math
import struct
from pathlib import Path, PurePosixPath, PureWindowsPath
from threading import Lock
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
from napari_copnet.io.tiff_series import find_stack, stored_bytes
from napari_copnet.lazy_array import LazyArray
from napari_copnet.types import VoxelSize

# The most that deflate and LZW can pack into a byte is 1032 and about 1400.
_MOST_PACKED = 1500
_MOST_PLANES = 1 << 20
# Others pack an image of one grey value further, but not hundreds of megabytes into a few bytes.
_MOST_OF_OTHERS, _FREE_BYTES = 100_000, 256 << 20
_PACKED_BOUNDED = {2, 3, 4, 5, 8, 32773, 32946}
# Programs that know nothing of the sample write a resolution for screens or printing, in inches or
# centimetres: 72 to 1200 per inch. Pixels of more than this many µm are of that kind.
_LARGEST_PIXEL = 10.0
# Programs that convert such a file to other units write the same in µm or mm.
_PRINT_RESOLUTIONS = (72.0, 90.0, 96.0, 100.0, 120.0, 144.0, 150.0, 200.0, 300.0, 600.0, 1200.0)
_PRINTERS_UNITS = ("inch", "inches", "in", "cm", "centimeter", "centimetre")
_PRINT_NOTE = "The resolution in the file is meant for printing and was ignored."

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
            options = _ome_options(tif, path)
        with tifffile.TiffFile(path, **options) as tif:
            stack = find_stack(tif, path)
            for series in stack.series:
                _check_declared(tif, series, path)
                _check_size(series, path)
            raw = Raw(None, stack.axes, notes=stack.notes)
            raw = _with_metadata(raw, tif)
            if not is_lazy(stack.shape, stack.dtype):
                need_memory(2 * stack.nbytes, path.name)
                return _native(raw, stack.asarray())
        return _native(raw, _lazy(path, options))


def declared_tiff(path: Path) -> tuple[tuple[int, ...], str]:
    """Return shape and type of a TIFF file's first image as its header has them."""
    explained = damage_explained(path, tifffile.OmeXmlError)
    with explained, tifffile.TiffFile(path, _multifile=False) as tif:
        _check_pages(tif, path)
        _check_ome(tif, path)
        stack = find_stack(tif, path)
        return stack.shape, str(stack.dtype)


def _native(raw: Raw, data: Any) -> Raw:
    if isinstance(data, np.ndarray) and not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    return Raw(data, raw.axes, raw.voxel_size, raw.translate, raw.notes)


def _lazy(path: Path, options: dict[str, Any]) -> Any:
    # What reads from it keeps the file open for as long as the array lives.
    tif = tifffile.TiffFile(path, **options)
    stack = find_stack(tif, path)
    # One file has one position: threads that read at once would get each other's bytes.
    alone = Lock()
    if stack.order:

        def ordered(number: int) -> np.ndarray:
            with alone:
                return stack.plane(number)

        return LazyArray(stack.shape, stack.dtype, ordered)
    series = stack.series[0]
    pages = series.pages
    if series.axes.endswith("YX") and len(pages) == math.prod(series.shape[:-2]):

        def plane(*at: int) -> np.ndarray:
            # Four times as fast as through a store, which is made for parts of a page.
            with alone:
                page: Any = pages[int(np.ravel_multi_index(at, series.shape[:-2])) if at else 0]
                return page.asarray().reshape(series.shape[-2:])

        return LazyArray(series.shape, series.dtype, plane)
    import zarr

    # A slice is read whole, so its strips need not be handed on one by one.
    store: Any = series.aszarr(level=0, chunkmode="page")
    return zarr.open_array(store, mode="r")


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
    declared = stored_bytes(series)
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
        most, free = (1 if keyframe.compression == 1 else _MOST_PACKED), 4096
        if keyframe.compression != 1 and keyframe.compression not in _PACKED_BOUNDED:
            most, free = _MOST_OF_OTHERS, _FREE_BYTES
        if declared > most * max(packed, 1) + free:
            raise truncated
    segment = math.prod(keyframe.chunks) * max(keyframe.dtype.itemsize if keyframe.dtype else 1, 1)
    need_memory(2 * max(segment, declared // _planes_of(series)), f"One slice of {path.name}")


def _planes_of(series: tifffile.TiffPageSeries) -> int:
    letters = zip(series.shape, series.axes, strict=True)
    return max(math.prod(n for n, letter in letters if letter not in "YXS"), 1)


# -- metadata ---------------------------------------------------------------------------------


def _with_metadata(raw: Raw, tif: tifffile.TiffFile) -> Raw:
    page = tif.pages.first
    if tif.is_ome and tif.ome_metadata:
        size, translate = _ome(tif.ome_metadata)
        if _is_for_printing(size, ""):
            return raw.noting(_PRINT_NOTE)
        return Raw(raw.data, raw.axes, size, translate, raw.notes)
    if tif.is_imagej:
        size, translate = _imagej(page, tif.imagej_metadata or {})
        if _is_for_printing(size, str((tif.imagej_metadata or {}).get("unit", ""))):
            return raw.noting(_PRINT_NOTE)
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
    size = VoxelSize(None, in_micrometres(1 / y, unit), in_micrometres(1 / x, unit))
    if _is_for_printing(size, unit):
        return raw.noting(_PRINT_NOTE)
    return Raw(raw.data, raw.axes, size, raw.translate, raw.notes)


def _is_for_printing(size: VoxelSize, unit: str) -> bool:
    sides = [side for side in (size.y, size.x) if side is not None]
    if unit.strip().lower() in _PRINTERS_UNITS:
        return any(side > _LARGEST_PIXEL for side in sides)
    return bool(sides) and all(
        any(abs(25400 / side - per_inch) < 0.002 * per_inch for per_inch in _PRINT_RESOLUTIONS)
        for side in sides
    )


def _imagej(
    page: tifffile.TiffPage, metadata: dict[str, Any]
) -> tuple[VoxelSize, tuple[float, float, float]]:
    unit = str(metadata.get("unit", ""))
    x, y = _resolution(page, "X"), _resolution(page, "Y")
    size = VoxelSize(
        # ImageJ leaves the spacing out when it was never set, and units that are those of x.
        positive(in_micrometres(metadata.get("spacing"), str(metadata.get("zunit", unit)))),
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


def _ome_options(tif: tifffile.TiffFile, path: Path) -> dict[str, Any]:
    """Return how a file is to be opened: with the other files of its OME set, or on its own.

    OME-TIFF names the file of each plane. A file that was renamed is still its own: it is known by
    its UUID, or, without one, as the only file that is named.
    """
    if not tif.is_ome or not tif.ome_metadata:
        return {"_multifile": False}
    root = ElementTree.fromstring(tif.ome_metadata)
    planes = [element for element in root.iter() if element.tag.endswith("}TiffData")]
    named = [(plane, id) for plane in planes for id in plane if id.tag.endswith("}UUID")]
    own = root.get("UUID")
    names = {id.get("FileName", "") for _, id in named if own is None or id.text != own}
    renamed = own is None and len(names) == 1 and not names & {"", path.name}
    if renamed and all(map(_is_plain, names)):
        last = max(int(plane.get("IFD", 0)) for plane, _ in named)
        if last < len(tif.pages):
            for plane, id in named:
                plane.remove(id)
            xml = ElementTree.tostring(root, encoding="unicode")
            return {"_multifile": False, "omexml": xml}
    others = names - {"", path.name}
    for name in others:
        inside = _is_plain(name) and (path.parent / name).resolve().parent == path.parent.resolve()
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
    return {"_multifile": bool(others)}


def _is_plain(name: str) -> bool:
    return PurePosixPath(name).name == name == PureWindowsPath(name).name
