"""The contour before the first edit, read slice by slice for as long as a session is open."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.inflate import BROKEN_ARCHIVE, is_bomb
from napari_copnet.proofreading.planes import unpack

START = "start.npz"
# What reading a damaged file raises.
DAMAGE = BROKEN_ARCHIVE


class StartContour:
    """The contour before the first edit, from the start of a session, slice by slice.

    Parameters
    ----------
    path : Path
        Of the start.
    shape : tuple of int
        (Z, Y, X).

    Attributes
    ----------
    is_first_run : bool
        Whether it is that of the session's first run.

    Raises
    ------
    zipfile.BadZipFile, OSError, KeyError
        It is missing or damaged.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path, self._shape = path, shape
        self._lock = threading.Lock()
        self._zip: zipfile.ZipFile | None = None
        opened_zip(path).close()
        with np.load(path, allow_pickle=False) as state:
            self.is_first_run = bool(state["is_first_run"])
        archive = self._opened()
        for z in range(shape[0]):
            archive.getinfo(f"contour/{z}")

    def check(self) -> None:
        """Read all of it.

        Raises
        ------
        zipfile.BadZipFile
            A part of it is damaged.
        """
        with self._lock:
            bad = self._opened().testzip()
        if bad is not None:
            raise zipfile.BadZipFile(bad)

    def __call__(self, z: int) -> np.ndarray:
        """Return a slice, shape (Y, X), uint8.

        Raises
        ------
        InputError
            It is damaged.
        """
        try:
            with self._lock:
                data = self._opened().read(f"contour/{z}")
            return unpack(data, self._shape[1:])
        except DAMAGE as error:
            raise damaged(self._path) from error

    def close(self) -> None:
        """Close the file; it is opened again when another slice is asked for."""
        with self._lock:
            if self._zip is not None:
                self._zip.close()
            self._zip = None

    def _opened(self) -> zipfile.ZipFile:
        if self._zip is None:
            self._zip = opened_zip(self._path)
        return self._zip


class PackedRows:
    """A mask at one bit a pixel, slice by slice.

    Parameters
    ----------
    bits : array, shape (Z, bytes) or (Z, 1, bytes), uint8
        `numpy.packbits` of each slice.
    shape : tuple of int
        (Z, Y, X).
    is_first_run : bool
        Whether it is the contour of the session's first run.
    """

    def __init__(self, bits: Any, shape: tuple[int, ...], is_first_run: bool) -> None:
        self._bits, self._shape, self.is_first_run = bits, shape, is_first_run

    def __call__(self, z: int) -> np.ndarray | None:
        """Return a slice, shape (Y, X), uint8, or None where nothing is set."""
        row = np.asarray(self._bits[z])
        height, width = self._shape[1:]
        if not row.any():
            return None
        return np.unpackbits(row, count=height * width).reshape(height, width)


def opened_zip(path: Path) -> zipfile.ZipFile:
    """Open a state.

    Raises
    ------
    zipfile.BadZipFile, OSError
        It is damaged, no plain file, or would unpack to far more than it takes.
    """
    if not path.is_file():
        raise OSError(f"{path} is not a file")
    archive = zipfile.ZipFile(path)
    if is_bomb(archive):
        archive.close()
        raise zipfile.BadZipFile(f"{path} would unpack to far more than it takes")
    return archive


def damaged(path: Path) -> InputError:
    """Return the error for a state that can't be read."""
    return InputError(
        f"{path} is missing or damaged.", "Recover the session with `copnet session recover`."
    )
