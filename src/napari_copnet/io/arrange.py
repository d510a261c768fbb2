"""Bring the axes of a file to (Z, Y, X), asking the user where they are ambiguous."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import Answer, InputError, NeedsChoiceError
from napari_copnet.io.damage import damage_explained
from napari_copnet.io.raw import Raw, is_lazy
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import ReadParams
from napari_copnet.types import Stack, VoxelSize

_SUFFIX = re.compile(
    r"(\.ome)?\.(tiff?|zarr|nii|mrcs?|rec|map|png|jpe?g|bmp)(\.(gz|bz2))?$", re.IGNORECASE
)
_ORDERS = {
    "ZYX": "They are slices",
    "TYX": "They are points in time",
    "YXS": "It is a colour image",
    "CZYX": "They are channels of slices",
    "TZYX": "They are slices at points in time",
}
_NTH = ("first", "second", "third", "fourth")
# Rec. 709 luminance of linear RGB.
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def parse_voxel_size(text: str) -> VoxelSize:
    """Read ``z,y,x`` in µm.

    Raises
    ------
    InputError
        Not three positive numbers.
    """
    try:
        sizes = [float(part) for part in text.replace(";", ",").split(",")]
    except ValueError:
        sizes = []
    if len(sizes) != 3 or not all(math.isfinite(s) and s > 0 for s in sizes):
        raise InputError(
            f"The voxel size {text!r} does not consist of three positive numbers.",
            "Give z,y,x in µm, such as 0.05,0.015,0.015.",
        )
    return VoxelSize(*sizes)


def arrange(raw: Raw, params: ReadParams, path: Path) -> Stack:
    """Build a stack from the contents of a file.

    Raises
    ------
    InputError
        Sides of 0 or 1 pixel, or values that are not real numbers.
    NeedsChoiceError
        Colour, channels, time with depth, or axes without a meaning.
    """
    shape = tuple(int(n) for n in raw.data.shape)
    _check_dtype(raw.data.dtype, path)
    axes = _named_axes(raw.axes.upper(), shape, params, path)
    sizes = dict(zip(axes, shape, strict=True))
    if min(shape) == 0 or sizes["Y"] < 2 or sizes["X"] < 2:
        raise InputError(
            f"{path.name} has slices of {sizes['Y']}×{sizes['X']} pixels.",
            "Choose a stack whose slices are at least 2×2 pixels.",
        )
    chosen, notes = _choose(sizes, params, path)
    depth = next((letter for letter in "ZT" if letter in sizes and letter not in chosen), "")
    timed = depth == "T"
    notes = (*raw.notes, *notes)

    given = np.dtype(raw.data.dtype).newbyteorder("=")
    dtype = np.dtype(np.uint8) if given == np.bool_ else given
    out_shape = (sizes[depth] if depth else 1, sizes["Y"], sizes["X"])
    rest = [letter for letter in axes if letter not in chosen and letter != depth]

    def plane(index: int) -> np.ndarray:
        at = {**chosen, depth: index}
        with damage_explained(path):
            picked = np.asarray(raw.data[tuple(at.get(letter, slice(None)) for letter in axes)])
        picked = np.moveaxis(picked, [rest.index("Y"), rest.index("X")], [0, 1])
        return (
            luminance(picked).astype(dtype, copy=False)
            if "S" in rest
            else picked.astype(dtype, copy=False)
        )

    direct = [depth, "Y", "X"] if depth else ["Y", "X"]
    eager = isinstance(raw.data, np.ndarray) and not isinstance(raw.data, np.memmap)
    data: Any
    if axes == "".join(direct) and dtype == given and eager:
        data = raw.data.astype(dtype, copy=False).reshape(out_shape)
    else:
        data = LazyArray(out_shape, dtype, plane)
        if eager or not is_lazy(out_shape, dtype):
            data = np.asarray(data)
    size = parse_voxel_size(params.voxel_size) if params.voxel_size else raw.voxel_size
    translate = raw.translate
    if timed:
        if size.z is not None and not params.voxel_size:
            notes += (
                f"{path.name} holds {sizes['T']} times, {size.z:g} µm apart in z; if these are "
                "slices, set axes to ZYX.",
            )
        size = VoxelSize(size.z if params.voxel_size else None, size.y, size.x)
        translate = (0.0, *translate[1:])
    return Stack(
        data=data,
        voxel_size=size,
        translate=translate,
        axes="tyx" if timed else "zyx",
        name=_SUFFIX.sub("", path.name) or path.name,
        source=path,
        notes=notes,
    )


def _check_dtype(dtype: np.dtype, path: Path) -> None:
    if np.dtype(dtype).kind not in "biuf":
        what = "complex numbers" if np.dtype(dtype).kind == "c" else f"values of type {dtype}"
        raise InputError(
            f"{path.name} holds {what}, not grey values.", "Save it with real-valued grey levels."
        )


def _named_axes(axes: str, shape: tuple[int, ...], params: ReadParams, path: Path) -> str:
    """Give every axis a letter of TZCYXS; lengths of 1 may stay unnamed."""
    sides = "×".join(map(str, shape))
    if params.axes:
        wanted = params.axes.upper().strip()
        if (
            set(wanted) - set("TZCYXS")
            or len(set(wanted)) != len(wanted)
            or not {
                "Y",
                "X",
            }
            <= set(wanted)
        ):
            raise InputError(
                f"The axes {params.axes!r} are not understood.",
                "Name each axis once with letters of TZCYXS, such as ZYX, TYX, CZYX or TZYX.",
            )
        if len(wanted) == len(shape):
            return wanted
        long = [n for n in shape if n > 1]
        if len(wanted) == len(long):
            letters = iter(wanted)
            return "".join(next(letters) if n > 1 else f"{i}" for i, n in enumerate(shape))
        raise InputError(
            f"The axes {params.axes!r} do not fit {path.name}, whose shape is {sides}.",
            f"Name {len(shape)} axes.",
        )
    ask = NeedsChoiceError(
        f"The order of the axes of {path.name} is unknown: its shape is {sides}.",
        "State it with the option axes, such as ZYX, TYX, CZYX or TZYX.",
        option="axes",
        answers=[
            (text, {"axes": order})
            for order, text in _ORDERS.items()
            if len(order) == sum(n > 1 for n in shape) and (order[-1] != "S" or shape[-1] in (3, 4))
        ],
    )
    if len(shape) < 2:
        raise InputError(f"{path.name} is not an image: its shape is {sides}.", "")
    if not {"Y", "X"} <= set(axes):
        if set(axes) - set("QI") or len(axes) > 3:
            raise ask
        axes = "QYX"[-len(axes) :]
    free = [i for i, letter in enumerate(axes) if letter not in "TZCYXS"]
    long = [i for i in free if shape[i] > 1]
    # Colour stored as a last axis without being called so looks like a slice 3 pixels wide.
    if free and axes.endswith("YX") and shape[-1] in (3, 4) and shape[-2] > 16:
        raise ask
    if len(long) > 1 or (long and "Z" in axes and shape[axes.index("Z")] > 1):
        raise ask
    named = list(axes)
    for i in free:
        named[i] = f"{i}"
    if long:
        if "Z" in named:
            named[named.index("Z")] = "z"
        named[long[0]] = "Z"
    return "".join(named)


def _choose(
    sizes: dict[str, int], params: ReadParams, path: Path
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return an index for each axis that is not kept, and notes about what was left out."""
    chosen = {letter: 0 for letter, size in sizes.items() if size == 1 and letter not in "YXS"}
    notes: list[str] = []
    if "S" in sizes:
        if sizes["S"] == 1 or params.rgb == "first":
            chosen["S"] = 0
        elif params.rgb != "luminance":
            raise NeedsChoiceError(
                f"{path.name} is a colour image ({sizes['S']} samples a pixel).",
                "Set the option rgb to luminance or first; if these are slices, set axes to ZYX.",
                option="rgb",
                answers=[
                    ("Make it grey", {"rgb": "luminance"}),
                    ("Use the first colour", {"rgb": "first"}),
                ],
            )
        if sizes["S"] > 1:
            how = "its first channel" if params.rgb == "first" else "its luminance"
            notes.append(f"{path.name} is a colour image; {how} was used.")
    if sizes.get("C", 1) > 1:
        chosen["C"] = _index(
            params.channel,
            sizes["C"],
            "channel",
            "channels",
            path,
            "Z" not in sizes and "T" not in sizes,
        )
        notes.append(f"Channel {chosen['C']} was used; there are {sizes['C']}, counted from 0.")
    if sizes.get("T", 1) > 1 and sizes.get("Z", 1) > 1:
        chosen["T"] = _index(params.time_point, sizes["T"], "time_point", "time points", path)
        notes.append(f"Time point {chosen['T']} was used; there are {sizes['T']}, counted from 0.")
    return chosen, tuple(notes)


def _index(
    value: int | None, count: int, option: str, what: str, path: Path, flat: bool = False
) -> int:
    if value is None:
        with_depth = " and depth" if option == "time_point" else ""
        slices = "; if these are slices, set axes to ZYX" if flat else ""
        answers: list[Answer] = [(f"They are {count} slices", {"axes": "ZYX"})] if flat else []
        if count <= len(_NTH):
            word = what.removesuffix("s")
            answers += [(f"Use the {_NTH[n]} {word}", {option: n}) for n in range(count)]
        raise NeedsChoiceError(
            f"{path.name} has {count} {what}{with_depth}.",
            f"Set the option {option} to a number from 0 to {count - 1}{slices}.",
            option=option,
            answers=answers,
        )
    if not 0 <= value < count:
        raise InputError(
            f"{path.name} has no {option.replace('_', ' ')} {value}.",
            f"Choose a number from 0 to {count - 1}.",
        )
    return value


def luminance(picked: np.ndarray) -> np.ndarray:
    """Return the luminance of (Y, X, samples); alpha, and the second of two samples, is dropped."""
    if picked.shape[-1] < 3:
        return picked[..., 0]
    grey = picked[..., :3] @ _LUMINANCE
    return np.rint(grey) if picked.dtype.kind in "biu" else grey
