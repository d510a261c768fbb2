"""Arrays as chunks in a folder (Zarr), for stacks of any size and runs that go on when stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import CopnetError, InputError, OutputError
from napari_copnet.files import explained, whole_file
from napari_copnet.folders import holds_only_kinds
from napari_copnet.inflate import BROKEN_ARCHIVE
from napari_copnet.leftovers import tidy
from napari_copnet.records import read_record
from napari_copnet.store.stage import Values, Workers

_KEY = "key.json"
_ARRAYS, _DONE = "arrays", "done"
_LOCK = "lock"
# All that a store writes; see `is_store`.
_FILES = re.compile(
    r"[\w-]+/(key\.json|done/[\w.-]+/[\w.-]+\.npz"
    r"|arrays/[\w-]+/(zarr\.json|zarr\.\w+\.partial|c/[\d/]+(\.\w+\.partial)?))"
    r"|(.*/)?\.writing-.*|lock"
)
# Chunks are one slice, or a part of a large one.
_CHUNK = 2048


class FolderStage:
    """A step's place in a folder; see `stage.Stage`.

    Parameters
    ----------
    folder : Path
        Of this step alone.
    key : str
        What lies there under another key is removed.
    workers : Workers, optional
        Who does blocks; they reach the same folder.
    """

    in_memory = False

    def __init__(self, folder: Path, key: str, workers: Workers | None = None) -> None:
        self.folder = Path(folder)
        self.value: Any = None
        self.worked = False
        self.workers = workers
        if _read_key(self.folder) != key:
            with explained(self.folder):
                if self.folder.exists():
                    # The key goes first: what is left when this is stopped belongs to none.
                    (self.folder / _KEY).unlink(missing_ok=True)
                    shutil.rmtree(self.folder)
                with whole_file(self.folder / _KEY) as beside:
                    beside.write_text(json.dumps({"key": key}) + "\n")

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a Zarr array of zeros, or what a stopped run left; one chunk a slice."""
        import zarr
        from zarr.codecs import BloscCodec, BloscShuffle

        from napari_copnet.zarr_folder import InsideStore

        path = (self.folder / _ARRAYS / name).absolute()
        with explained(path):
            store = InsideStore(path, read_only=False)
            if (path / "zarr.json").exists():
                array = zarr.open_array(store, mode="r+")
                store.expect(array)
                return array
            chunks = (*(1 for _ in shape[:-2]), *(min(side, _CHUNK) for side in shape[-2:]))
            array = zarr.create_array(
                store,
                shape=shape,
                dtype=dtype,
                chunks=chunks,
                compressors=BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle),
                fill_value=0,
            )
            store.expect(array)
            return array

    def recalled(self, phase: str, block: str) -> Values | None:
        """Return what was kept for a block; None where there is none, or it can't be read."""
        try:
            with np.load(self._path(phase, block), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except BROKEN_ARCHIVE:
            return None

    def keep(self, phase: str, block: str, values: Values) -> None:
        """Write the values of a block as a file that appears whole."""
        self.worked = True
        with whole_file(self._path(phase, block)) as beside, beside.open("wb") as file:
            np.savez(file, **values)  # type: ignore[arg-type]

    def drop(self, *names: str) -> None:
        """Remove arrays."""
        for name in names:
            shutil.rmtree(self.folder / _ARRAYS / name, ignore_errors=True)

    def finish(self, value: Any) -> None:
        """Do nothing: what lies here makes the result anew, without work."""

    def _path(self, phase: str, block: str) -> Path:
        return self.folder / _DONE / phase / f"{block}.npz"


class FolderStore:
    """Where the steps of a run keep their arrays in a folder; see `stage.RunStore`.

    Parameters
    ----------
    folder : Path
        Created if missing.
    workers : Workers, optional
        What processes the blocks.

    Raises
    ------
    OutputError
        The folder holds files that no store wrote.
    """

    def __init__(self, folder: Path | str, workers: Workers | None = None) -> None:
        self.folder = Path(folder)
        self.workers = workers
        if self.folder.exists() and not is_store(self.folder):
            raise OutputError(
                f"{self.folder} holds files that napari-copnet did not write.",
                "Choose another folder; nothing in this one was changed.",
            )

    def stage(self, name: str, key: str) -> FolderStage:
        """Return the place of a step; see `stage.RunStore`."""
        return FolderStage(self.folder / name, key, self.workers)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others out while a run works in the folder.

        Raises
        ------
        CopnetError
            Another run works there; or a chunk can't be unpacked by what is done inside.
        """
        import filelock

        new = not self.folder.parent.exists()
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / _LOCK)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise CopnetError(
                    f"Another run is working in {self.folder.parent}.",
                    "Wait for it, stop it, or choose another folder.",
                ) from error
        try:
            # What a killed run was writing when it ended.
            for folder in (self.folder, *self.folder.glob("*"), *self.folder.glob("*/done/*")):
                tidy(folder)
            for path in self.folder.glob("*/arrays/*/zarr.*.partial"):
                path.unlink(missing_ok=True)
            yield
        except Exception as error:
            if not _is_of_chunks(error):
                raise
            raise CopnetError(
                f"A chunk of the stack, or of what {self.folder} keeps, is damaged.",
                "Start again with --no-resume; if that does not help, export the stack again.",
            ) from error
        finally:
            lock.release()
            if os.listdir(self.folder) == [_LOCK]:
                # Work stopped before it began, or all of it was cleared: nothing is left behind.
                (self.folder / _LOCK).unlink()
                with contextlib.suppress(OSError):
                    self.folder.rmdir()
                    if new:
                        self.folder.parent.rmdir()

    def clear(self) -> None:
        """Remove what steps have kept, while `alone`; other files stay."""
        if is_store(self.folder):
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)


def is_store(folder: Path) -> bool:
    """Return whether a folder holds only what a store writes."""
    return folder.is_dir() and not folder.is_symlink() and holds_only_kinds(folder, _FILES)


def _is_of_chunks(error: Exception) -> bool:
    """Whether an error comes from what packs and unpacks chunks."""
    frames = traceback.walk_tb(error.__traceback__)
    names = {frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in frames}
    return bool(names & {"zarr", "numcodecs"})


def _read_key(folder: Path) -> str | None:
    try:
        return str(read_record(folder / _KEY, {"key": str})["key"])
    except InputError:
        return None
