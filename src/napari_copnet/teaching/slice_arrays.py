"""Arrays that a project keeps of a slice: files that may be damaged, or made to harm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.inflate import BROKEN_ARCHIVE
from napari_copnet.records import read_bounded

# Of what a file holds besides masks.
_MORE_BYTES = 64 << 20


@contextmanager
def opened_arrays(path: Path, shape: tuple[int, ...], what: str, hint: str) -> Iterator[Any]:
    """Open a file of arrays of a slice, if it unpacks to no more than it can honestly need.

    Parameters
    ----------
    path : Path
        Written by `numpy.savez_compressed`.
    shape : tuple of int
        (Y, X); there may be two packed masks of it.
    what : str
        What the file holds, for the message.
    hint : str
        What the user can do where it can't be read.

    Raises
    ------
    InputError
        Missing, no plain file, damaged, or too large; or what is done with the arrays raises what
        damaged ones do.
    """
    most = shape[0] * shape[1] // 4 + _MORE_BYTES
    data = io.BytesIO(read_bounded(path, most, hint))
    try:
        with zipfile.ZipFile(data) as archive:
            if sum(member.file_size for member in archive.infolist()) > most:
                raise ValueError(path.name)
        with np.load(data, allow_pickle=False) as file:
            yield file
    except BROKEN_ARCHIVE as error:
        raise InputError(f"{what} can't be read.", hint) from error
