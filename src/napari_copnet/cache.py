"""A cache of finished steps, so that only steps affected by a change run again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_copnet.files import whole_file
from napari_copnet.types import Cells, Closing, Frame, Preprocessed, SizeChoice, VoxelSize

_STORED = (Cells, Closing, Preprocessed, SizeChoice)
_KINDS: dict[str, type] = {kind.__name__: kind for kind in _STORED}


class StageCache(Protocol):
    """Keeps one result for each step, under a key made of everything that went into it."""

    def get(self, stage: str, key: str) -> Any:
        """Return the result kept for `stage` under `key`, or None."""

    def put(self, stage: str, key: str, value: Any) -> None:
        """Keep `value`; what was kept for `stage` before is dropped."""


class MemoryCache:
    """Keeps results in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Any]] = {}

    def get(self, stage: str, key: str) -> Any:
        """Return the result kept for `stage` under `key`, or None."""
        kept = self._kept.get(stage)
        return kept[1] if kept is not None and kept[0] == key else None

    def put(self, stage: str, key: str, value: Any) -> None:
        """Keep `value` in memory."""
        self._kept[stage] = (key, value)


class FolderCache:
    """Keeps results in a folder as NumPy archives without pickles, each written whole.

    Parameters
    ----------
    folder : Path
        Made when the first result is put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def get(self, stage: str, key: str) -> Any:
        """Return the result kept for `stage` under `key`, or None when absent or unreadable."""
        path = self.folder / f"{stage}.npz"
        try:
            with np.load(path, allow_pickle=False) as archive:
                if str(archive["key"]) != key:
                    return None
                return _unpack(archive)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, stage: str, key: str, value: Any) -> None:
        """Write `value`."""
        arrays = _pack(value)
        with whole_file(self.folder / f"{stage}.npz") as beside:
            np.savez(beside, allow_pickle=False, key=np.array(key), **arrays)

    def clear(self) -> None:
        """Remove what is kept; files of others stay, and with them the folder."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob("*.npz"):
            if _is_kept(path):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _is_kept(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"key.npy", "kind.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        # A truncated one can't be told apart from somebody else's file: it is left alone.
        return False


def _pack(value: Any) -> dict[str, np.ndarray]:
    if isinstance(value, np.ndarray):
        return {"kind": np.array("array"), "array": value}
    arrays: dict[str, np.ndarray] = {"kind": np.array(type(value).__name__)}
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        part = getattr(value, field.name)
        if isinstance(part, np.ndarray):
            arrays["array_" + field.name] = part
        elif isinstance(part, Frame):
            arrays["array_shifts"] = part.shifts
            plain["frame"] = [part.original_shape, part.processed_shape]
        else:
            plain[field.name] = part
    arrays["plain"] = np.array(json.dumps(plain))
    return arrays


def _unpack(archive: Any) -> Any:
    kind = str(archive["kind"])
    if kind == "array":
        return archive["array"]
    values = {
        name.removeprefix("array_"): archive[name]
        for name in archive.files
        if name.startswith("array_")
    }
    for name, part in json.loads(str(archive["plain"])).items():
        if name == "frame":
            original, processed = (tuple(shape) for shape in part)
            values["frame"] = Frame(original, processed, values.pop("shifts"))
        elif name == "voxel_size":
            values[name] = VoxelSize(*part)
        else:
            values[name] = tuple(part) if isinstance(part, list) else part
    return _KINDS[kind](**values)
