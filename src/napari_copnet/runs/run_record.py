"""A run's folder: the images a run made and `run.json`, from which it can be repeated."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet import __version__
from napari_copnet.files import check_writable, sha256, whole_file
from napari_copnet.io.write import write_image
from napari_copnet.lazy_array import LazyArray
from napari_copnet.params import ReadParams, Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.restored import Restored
from napari_copnet.runs.generation import new_generation
from napari_copnet.types import Preprocessed, Stack, VoxelSize

# What a run makes, by the names of its files.
OUTPUTS = ("contours", "closed", "cells", "iterations")
# Slices up to this side, px, come with their contour probability.
WITH_PROBABILITY = 2048
_PACKAGES = ("torch", "nnunetv2", "numpy", "scipy", "scikit-image", "SimpleITK", "pystackreg")


def default_outputs(shape: tuple[int, int, int]) -> tuple[str, ...]:
    """Return the results to write for a stack of this shape, if none are named.

    A contour probability at the size of large slices holds no more than networks saw of them, and
    takes most of the disk: it stays in the store of the run.
    """
    if max(shape[1:]) <= WITH_PROBABILITY:
        return OUTPUTS
    return tuple(name for name in OUTPUTS if name != "contours")


def save_run(
    result: RunResult,
    restored: Restored | None,
    settings: Settings,
    out: Path,
    format: str = "tiff",
    outputs: Sequence[str] = OUTPUTS,
    read: ReadParams | None = None,
    read_contours: ReadParams | None = None,
) -> dict[str, Any]:
    """Write a run's images and its record.

    Parameters
    ----------
    result : RunResult
        From `pipeline.run`.
    restored : Restored or None
        From `restored.restore` or `restored.restored_lazily`; None writes the processed frame, with
        `excluded` for its margin. Where padding was found, `padding` has it in either frame.
    settings : Settings
        Of the run.
    out : Path
        Folder; created if missing. The results replace those of an earlier run there,
        all together: see `generation`.
    format : str
        ``"tiff"``, ``"ome-zarr"`` or ``"nifti"``.
    outputs : sequence of str
        Which of `OUTPUTS` to write; iterations only if they were kept.
    read : ReadParams, optional
        How the stack was read; the record needs it so that the run can be repeated.
    read_contours : ReadParams, optional
        The same for given contours.

    Returns
    -------
    dict
        The record, as written to ``run.json``; ``files`` maps names to paths.

    Raises
    ------
    OutputError
        No permission or no space to write, or another file has the name of a result.
    """
    stack, ready = result.stack, result.preprocessed
    made: dict[str, Any]
    if restored is None:
        made = {
            "contours": result.contours,
            "closed": result.closing.mask,
            "cells": result.cells.labels,
            "iterations": result.closing.iterations,
        }
        beside: dict[str, Any] = {"image": ready.data}
        # Margins have padding among them.
        if ready.frame.shifts.any() or ready.padding is not None:
            beside["excluded"] = as_mask(ready.margin)
        if ready.padding is not None:
            beside["padding"] = as_mask(ready.padding)
        voxel_size = ready.voxel_size
    else:
        made = {name: getattr(restored, name) for name in OUTPUTS}
        beside = {} if ready.padding_bits is None else {"padding": padding_mask(ready)}
        voxel_size = stack.voxel_size
    images = {name: made[name] for name in OUTPUTS if name in outputs and made[name] is not None}
    record = run_record(result, settings, "original" if restored is not None else "processed")
    if read is not None:
        record["read"] = asdict(read)
    if read_contours is not None:
        record["read_contours"] = asdict(read_contours)
    with new_generation(out) as made_anew:
        folder = made_anew.folder
        record["files"] = write_images(folder, {**images, **beside}, stack, voxel_size, format)
        write_record(folder, record)
    return made_anew.record


def as_mask(values: Any) -> Any:
    """Return a mask, shape (Z, Y, X), as uint8; lazy if it is."""
    if isinstance(values, np.ndarray):
        return values.astype(np.uint8)
    return LazyArray(values.shape, np.uint8, lambda z: values[z])


def write_images(
    out: Path,
    images: Mapping[str, Any],
    stack: Stack,
    voxel_size: VoxelSize,
    format: str = "tiff",
) -> dict[str, str]:
    """Write images, each whole, into a folder and return their paths by name.

    Parameters
    ----------
    out : Path
        Folder; created if missing.
    images : mapping
        Name to array (Z, Y, X), which may be lazy.
    stack : Stack
        Where position and axes come from.
    voxel_size : VoxelSize
        Of the images, µm.
    format : str
        ``"tiff"``, ``"ome-zarr"`` or ``"nifti"``.

    Raises
    ------
    OutputError
        No permission or no space to write.
    """
    check_writable(out, sum(array.nbytes for array in images.values()) // 4)
    return {
        name: str(
            write_image(
                out / name,
                array,
                voxel_size=voxel_size,
                translate=stack.translate,
                axes=stack.axes,
                kind=image_kind(name),
                format=format,
            )
        )
        for name, array in images.items()
    }


def image_kind(name: str) -> str:
    """Return what `io.write` takes an image of this name for; masks are kinds of ``closed``."""
    kinds = {
        "truth_cells": "cells",
        "truth_contours": "closed",
        "excluded": "closed",
        "padding": "closed",
    }
    return kinds.get(name, "contours" if name == "degraded" else name)


def run_record(result: RunResult, settings: Settings, frame: str) -> dict[str, Any]:
    """Return what `run.json` holds of a run, besides its files."""
    closing = result.closing
    return {
        "command": "run",
        "key": result.key,
        **surroundings(),
        "inputs": {
            "stack": described(result.stack),
            **({} if result.given is None else {"contours": described(result.given)}),
        },
        "settings": result.settings(settings).as_dict(),
        "size": None if result.size is None else asdict(result.size),
        "models": {
            kind: {"name": model.name, "sha256": model.sha256}
            for kind, model in result.models.items()
        },
        "frame": {
            "results": frame,
            "original_shape": list(result.preprocessed.frame.original_shape),
            "processed_shape": list(result.preprocessed.frame.processed_shape),
            "shifts": result.preprocessed.frame.shifts.tolist(),
        },
        "blank_slices": list(result.preprocessed.blank),
        "inverted": result.preprocessed.inverted,
        "padding_by_slice": padding_shares(result.preprocessed),
        "certainty": closing.certainty,
        "changed": closing.changed.tolist(),
        "iterations_by_slice": closing.iterations_by_slice.tolist(),
        "likely_gaps": closing.likely_gaps,
        "converged_by_slice": closing.converged.tolist(),
        "converged": closing.settled,
        "verdict": None if result.verdict is None else result.verdict.as_dict(),
        "cells": result.cells.total,
        "cells_in_words": result.cells.in_words(),
        "cells_by_slice": result.cells.counts.tolist(),
        "seconds": {name: round(value, 3) for name, value in result.seconds.items()},
        "notes": list(result.notes),
    }


def padding_shares(ready: Preprocessed) -> list[float]:
    """Return the share of each slice that is padding, 0 to 1; an empty list without any."""
    if ready.padding_bits is None:
        return []
    depth, *plane = ready.frame.original_shape
    counts = (np.bitwise_count(np.asarray(ready.padding_bits[z])).sum() for z in range(depth))
    return [round(float(count) / (plane[0] * plane[1]), 6) for count in counts]


def padding_mask(ready: Preprocessed) -> LazyArray:
    """Return the padding of a stack in its original frame, shape (Z, Y, X), uint8."""
    shape = ready.frame.original_shape

    def plane(z: int) -> np.ndarray:
        padding = ready.original_padding(z)
        return np.zeros(shape[1:], np.uint8) if padding is None else padding

    return LazyArray(shape, np.uint8, plane)


def surroundings() -> dict[str, Any]:
    """Return versions, machine and date for a record."""
    return {
        "versions": dict(_versions()),
        "machine": f"{platform.machine()} {platform.system()}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@cache
def _versions() -> dict[str, str]:
    """Return the versions that matter; each takes milliseconds to find and none changes."""
    versions = {"napari-copnet": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def described(stack: Stack) -> dict[str, Any]:
    """Return what a record says of an input stack."""
    return {
        "path": str(stack.source) if stack.source else None,
        "sha256": sha256(stack.source) if stack.source else None,
        "stamp": stamp(stack.source),
        "shape": list(stack.shape),
        "dtype": str(stack.data.dtype),
        "voxel_size": list(stack.voxel_size),
        "axes": stack.axes,
    }


def stamp(path: Path | None) -> list[int] | None:
    """Return size and time of a file; None for a folder, which they do not tell about."""
    if path is None or not path.is_file():
        return None
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def is_described(path: Path, told: Mapping[str, Any]) -> bool:
    """Whether a stack is the one of which `described` told: at once by its stamp, or by its hash.

    A record may come from elsewhere and name any path: what it does not know the hash of, and
    what is neither a file nor a folder, is not looked at.
    """
    digest = told.get("sha256")
    try:
        if not isinstance(digest, str) or not (path.is_file() or path.is_dir()):
            return False
        now = stamp(path)
        return (now is not None and told.get("stamp") == now) or sha256(path) == digest
    except (OSError, ValueError):
        return False


def write_record(out: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Write ``run.json`` into `out` whole and return the record with its own path added."""
    path = Path(out) / "run.json"
    record.setdefault("files", {})["run.json"] = str(path)
    with whole_file(path) as beside:
        beside.write_text(json.dumps(record, indent=1) + "\n")
    return record
