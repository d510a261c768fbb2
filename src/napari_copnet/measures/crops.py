"""Each cell's crop of a stack, handed out once the cell has ended."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

Box = tuple[slice, slice]


class Crop(NamedTuple):
    """A cell cut out of a stack.

    Attributes
    ----------
    number : int
        Its place among the cells asked for.
    mask : ndarray, shape (Z, Y, X), bool
    origin : tuple of int
        First voxel along z, y, x.
    """

    number: int
    mask: np.ndarray
    origin: tuple[int, int, int]


def finished_crops(
    labels: Any, cells: np.ndarray, last: np.ndarray
) -> Iterator[tuple[int, Iterator[Crop]]]:
    """Go through a stack and hand out each cell after its last slice.

    Only cells that have begun and not ended are in memory, packed.

    Parameters
    ----------
    labels : array, shape (Z, Y, X), unsigned int
        May be lazy: each slice is read once.
    cells : ndarray, shape (N,)
        The numbers wanted, sorted.
    last : ndarray, shape (N,)
        The last slice of each.

    Yields
    ------
    z : int
        The slice that was read.
    crops : iterator of Crop
        The cells that ended there. Use it before the next slice.
    """
    parts: dict[int, list[tuple[int, Box, bytes]]] = {}
    for z in range(labels.shape[0]):
        image = np.asarray(labels[z])
        index = np.searchsorted(cells, image)
        index[index == cells.size] = 0
        wanted = cells[index] == image if cells.size else np.zeros(image.shape, bool)
        numbered = np.where(wanted & (image > 0), index + 1, 0)
        for at, box in enumerate(ndimage.find_objects(numbered)):
            if box is not None:
                bits = np.packbits(numbered[box] == at + 1)
                parts.setdefault(at, []).append((z, box, zlib.compress(bits.tobytes(), 1)))
        ended = [at for at in parts if last[at] <= z]
        yield z, (_whole(at, parts.pop(at)) for at in ended)


def _whole(index: int, parts: list[tuple[int, Box, bytes]]) -> Crop:
    top = min(box[0].start for _, box, _ in parts)
    left = min(box[1].start for _, box, _ in parts)
    bottom = max(box[0].stop for _, box, _ in parts)
    right = max(box[1].stop for _, box, _ in parts)
    first = parts[0][0]
    mask = np.zeros((parts[-1][0] - first + 1, bottom - top, right - left), bool)
    for z, (rows, columns), packed in parts:
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        bits = np.frombuffer(zlib.decompress(packed), np.uint8)
        inside = np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape)
        part = mask[z - first, rows.start - top : rows.stop - top]
        part[:, columns.start - left : columns.stop - left] = inside
    return Crop(index, mask, (first, top, left))
