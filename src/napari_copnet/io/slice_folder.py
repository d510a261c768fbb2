"""Folders of numbered slices, Cell Tracking Challenge sequences, and single pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_copnet.errors import InputError, NeedsChoiceError
from napari_copnet.io.arrange import arrange
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.formats import PICTURE_SUFFIXES, TIFF_SUFFIXES
from napari_copnet.io.raw import Raw, is_lazy, need_memory
from napari_copnet.io.tiff import declared_tiff, read_tiff
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import ReadParams
from napari_copnet.types import Stack

# Images and label maps of the Cell Tracking Challenge: t000.tif, mask000.tif, man_seg000.tif ...
_FRAME = re.compile(r"(t|mask|man_seg|man_track)\d{3,}\.tif", re.IGNORECASE)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts slice2 before slice10."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part.lower())
        for part in re.split(r"([0-9]+)", name)
        if part
    ]


def slice_files(folder: Path) -> list[Path]:
    """Return the image files of a folder in natural order.

    Raises
    ------
    InputError
        None there, or of several kinds.
    """
    files = [
        file
        for file in folder.iterdir()
        if file.is_file()
        and not file.name.startswith(".")
        and file.suffix.lower() in TIFF_SUFFIXES + PICTURE_SUFFIXES
    ]
    if not files:
        inner = sorted(child.name for child in folder.iterdir() if child.is_dir())
        sequences = [name for name in inner if re.fullmatch(r"\d\d", name)]
        hint = (
            f"Choose one of its sequences: {', '.join(f'{folder.name}/{s}' for s in sequences)}."
            if sequences
            else "Choose a folder of numbered TIFF or PNG slices."
        )
        raise InputError(f"The folder {folder.name} holds no images.", hint)
    kinds = {".tif" if f.suffix.lower() in TIFF_SUFFIXES else f.suffix.lower() for f in files}
    if len(kinds) > 1:
        raise InputError(
            f"The folder {folder.name} holds images of several kinds ({', '.join(sorted(kinds))}).",
            "Use a folder that holds only the slices.",
        )
    return sorted(files, key=lambda file: natural_order(file.name))


def read_folder(folder: Path, params: ReadParams) -> Raw:
    """Read a folder of slices; frames of the Cell Tracking Challenge make a time stack.

    Raises
    ------
    InputError
        No images, images of several sizes or types, or files that hold more than a slice.
    NeedsChoiceError
        Frames that are stacks, colour, or channels.
    """
    files = slice_files(folder)
    timed = all(_FRAME.fullmatch(file.name) for file in files)
    first = _slice(files[0], params)
    if first.shape[0] > 1:
        return _one_of(files, first, timed, params)
    shape, dtype = first.shape[1:], first.data.dtype
    one = _declared(files[0])
    for file in files[1:]:
        other = _declared(file)
        if other[0] != one[0]:
            raise InputError(
                f"The slices in {folder.name} differ in size: {files[0].name} has "
                f"{'×'.join(map(str, one[0]))} pixels, {file.name} has "
                f"{'×'.join(map(str, other[0]))}.",
                "Use a folder whose slices all have the same size.",
            )
        if other[1] != one[1]:
            raise InputError(
                f"The slices in {folder.name} differ in type: {files[0].name} has {one[1]}, "
                f"{file.name} has {other[1]}.",
                "Save all slices with the same data type.",
            )

    def plane(index: int) -> np.ndarray:
        return np.asarray(_slice(files[index], params).data)[0]

    whole = (len(files), *shape)
    data: Any = LazyArray(whole, dtype, plane)
    if not is_lazy(whole, dtype):
        need_memory(2 * data.nbytes, folder.name)
        data = np.asarray(data)
    axes = "TYX" if timed else "ZYX"
    return Raw(data, axes, first.voxel_size, first.translate, (*first.notes, *_gaps(files)))


def _one_of(files: list[Path], first: Stack, timed: bool, params: ReadParams) -> Raw:
    if timed and len(files) > 1:
        if params.time_point is None:
            raise NeedsChoiceError(
                f"{files[0].parent.name} has {len(files)} time points and depth.",
                f"Set the option time_point to a number from 0 to {len(files) - 1}.",
                option="time_point",
                answers=[("Use the first time point", {"time_point": 0})],
            )
        if params.time_point >= len(files):
            raise InputError(
                f"{files[0].parent.name} has no time point {params.time_point}.",
                f"Choose a number from 0 to {len(files) - 1}.",
            )
        first = _slice(files[params.time_point], params)
    elif len(files) > 1:
        raise InputError(
            f"{files[0].name} holds {first.shape[0]} slices, and there are {len(files)} files.",
            "Choose a single file, or save each slice separately.",
        )
    return Raw(first.data, "ZYX", first.voxel_size, first.translate, first.notes)


def _gaps(files: list[Path]) -> tuple[str, ...]:
    found = [re.findall(r"[0-9]+", file.stem) for file in files]
    if not all(found) or len(files) < 2:
        return ()
    numbers = [int(parts[-1]) for parts in found]
    missing = sorted(set(range(min(numbers), max(numbers))) - set(numbers))
    if not missing or len(missing) > len(files):
        return ()
    names = ", ".join(map(str, missing[:8])) + (" …" if len(missing) > 8 else "")
    return (f"Slices are missing in {files[0].parent.name}: {names}.",)


def _slice(file: Path, params: ReadParams) -> Stack:
    raw = read_tiff(file) if file.suffix.lower() in TIFF_SUFFIXES else read_picture(file)
    return arrange(raw, params, file)


def _declared(file: Path) -> tuple[tuple[int, ...], str]:
    """Return shape and type as the file's header has them."""
    if file.suffix.lower() in TIFF_SUFFIXES:
        return declared_tiff(file)
    with damage_explained(file, Image.DecompressionBombError), Image.open(file) as picture:
        return (picture.height, picture.width), picture.mode


def read_picture(path: Path) -> Raw:
    """Read a PNG, JPEG or BMP picture: one slice.

    Raises
    ------
    InputError
        Damaged, truncated, or too large.
    """
    with damage_explained(path, Image.DecompressionBombError), Image.open(path) as picture:
        need_memory(8 * picture.width * picture.height, path.name)
        if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
            data = np.array(picture.convert("RGB"))
            if np.all(data == data[..., :1]):
                # A palette of greys is no colour.
                data = data[..., 0]
        else:
            data = np.array(picture)
    return Raw(data, "YXS" if data.ndim == 3 else "YX")
