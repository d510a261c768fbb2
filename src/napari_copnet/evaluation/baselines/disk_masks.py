"""Contour masks of a comparison on disk, so that memory does not grow with the stack."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from napari_copnet.files import explained
from napari_copnet.leftovers import in_work, tidy


class DiskMasks:
    """Masks in a folder of their own, compressed slice by slice; a context manager.

    The folder is made with the first mask and removed at the end. What a killed process left is
    removed by the next one.

    Parameters
    ----------
    parent : Path
        Where the folder is made.
    shape : tuple of int
        Shape (Z, Y, X) of each mask.
    """

    def __init__(self, parent: Path, shape: tuple[int, ...]) -> None:
        self._parent = Path(parent)
        self._shape = tuple(int(n) for n in shape)
        self._folder: Path | None = None

    def __enter__(self) -> DiskMasks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def new(self, name: str) -> Any:
        """Return an empty mask, uint8, to be written and read slice by slice.

        Raises
        ------
        OutputError
            No permission or no space to write.
        """
        import zarr

        with explained(self._parent):
            if self._folder is None:
                self._parent.mkdir(parents=True, exist_ok=True)
                tidy(self._parent)
                self._folder = Path(tempfile.mkdtemp(prefix=in_work("writing"), dir=self._parent))
            return zarr.create_array(
                store=(self._folder / name).absolute(),
                shape=self._shape,
                chunks=(1, *self._shape[1:]),
                dtype=np.uint8,
            )
