"""Arrays of a session that stay on disk, written and read plane by plane."""

from __future__ import annotations

import math
import threading
import tokenize
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.lazy_array import LazyArray
from napari_copnet.proofreading.whole_array import WholeArray


class StoredArray(LazyArray, WholeArray):
    """An array in a ``.npy`` file, of which the planes asked for are read.

    Unlike the pages of a memory map, what was read does not stay with the process. The file is
    open for as long as the array lives, and the array may be used in several threads.

    Parameters
    ----------
    path : Path
        Holds an array of two axes or more. One of two, shape (Z, N), is one of planes of one row.

    Raises
    ------
    ValueError, OSError
        It is not such a file, or shorter than it should be.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._lock = threading.Lock()
        try:
            version = np.lib.format.read_magic(self._file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, in_columns, dtype = read(self._file)
            self._first = self._file.tell()
            short = self._first + math.prod(shape) * dtype.itemsize > path.stat().st_size
            if in_columns or dtype.hasobject or len(shape) < 2 or short:
                raise ValueError(f"{path.name} is not a whole array")
        except (LookupError, SyntaxError, TypeError, tokenize.TokenError, OverflowError) as error:
            # A header is a Python literal.
            self._file.close()
            raise ValueError(f"{path.name} has no readable header") from error
        except BaseException:
            self._file.close()
            raise
        if len(shape) == 2:
            shape = (shape[0], 1, shape[1])
        super().__init__(shape, dtype, self._read)

    def _read(self, *at: int) -> np.ndarray:
        plane = np.empty(self.shape[-2:], self.dtype)
        number = int(np.ravel_multi_index(at, self.shape[:-2]))
        with self._lock:
            self._file.seek(self._first + number * plane.nbytes)
            if self._file.readinto(plane.reshape(-1).view(np.uint8).data) != plane.nbytes:
                raise OSError(f"{self._file.name} is shorter than it was")
        return plane


@contextmanager
def packed_masks(path: Path, shape: tuple[int, ...]) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a mask of shape (Z, Y, X) at one bit a pixel: shape (Z, bytes), uint8.

    What is yielded takes slices, shape (Y, X), one after another.
    """
    packed = (int(shape[0]), -(-int(shape[1]) * int(shape[2]) // 8))
    with _written(path, np.uint8, packed) as write:
        yield lambda mask: write(np.packbits(mask))


def write_slices(path: Path, data: Any, dtype: Any) -> Iterator[None]:
    """Write an array that may be lazy, one plane for each step of this."""
    with _written(path, dtype, data.shape) as write:
        for at in np.ndindex(*data.shape[:-2]):
            write(np.asarray(data[at]))
            yield


@contextmanager
def _written(
    path: Path, dtype: Any, shape: tuple[int, ...]
) -> Iterator[Callable[[np.ndarray], None]]:
    """Write an array as NumPy does, by what is yielded, one part after another."""
    dtype = np.dtype(dtype)
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": tuple(int(n) for n in shape),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)

        def write(part: np.ndarray) -> None:
            file.write(np.ascontiguousarray(part, dtype).data)

        yield write
