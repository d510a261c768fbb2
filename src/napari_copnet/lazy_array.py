"""An array whose slices are read or computed when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def is_in_memory(data: Any) -> bool:
    """Whether an array lies in memory, not on disk and not to be computed."""
    return isinstance(data, np.ndarray) and not isinstance(data, np.memmap)


def by_slice(data: Any, compute: Callable[[np.ndarray], np.ndarray], dtype: Any) -> Any:
    """Compute something for each slice: now for an array in memory, else when it is asked for.

    Parameters
    ----------
    data : array, shape (Y, X) or (Z, Y, X)
        May be lazy.
    compute : callable
        Takes a slice (Y, X) and returns another of its shape.
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray, or LazyArray for a lazy array, of the shape of `data`
    """
    if data.ndim == 2:
        return np.asarray(compute(np.asarray(data[:]))).astype(dtype, copy=False)
    lazy = LazyArray(data.shape, dtype, lambda z: compute(np.asarray(data[z])))
    return np.asarray(lazy) if is_in_memory(data) else lazy


def chosen_slices(data: Any, numbers: Sequence[int]) -> Any:
    """Return some slices of an array (Z, Y, X), in the order given; lazy if the array is."""
    if is_in_memory(data):
        return data[list(numbers)]
    kept = [int(number) for number in numbers]
    shape = (len(kept), *data.shape[1:])
    return LazyArray(shape, data.dtype, lambda z: np.asarray(data[kept[z]]))


class LazyArray:
    """An array of shape (..., Y, X) whose planes are read or computed when it is indexed.

    Stacks on disk are read through it, and layers show through it what is computed for the slice
    in view.

    Parameters
    ----------
    shape : tuple of int
        Shape (..., Y, X).
    dtype : dtype
        What is returned; planes of another type are converted.
    plane : callable
        Returns the plane, shape (Y, X), of the leading indices, given as whole numbers.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, plane: Callable[..., np.ndarray]
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.ndim = len(self.shape)
        self._plane = plane

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the whole array would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        lead, inner = self._split(key)
        indices = [np.arange(n)[k] for n, k in zip(self.shape[:-2], lead, strict=True)]
        side = np.broadcast_to(np.zeros((), self.dtype), self.shape[-2:])[inner].shape
        out = np.empty((*(i.size for i in indices), *side), self.dtype)
        for position in np.ndindex(out.shape[: len(indices)]):
            at = (int(i.flat[p]) for i, p in zip(indices, position, strict=True))
            out[position] = np.asarray(self._plane(*at))[inner]
        squeezed = tuple(0 if i.ndim == 0 else slice(None) for i in indices)
        return out[squeezed]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a lazy array can't be an array without a copy")
        out = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for at in np.ndindex(self.shape[:-2]):
            out[at] = np.asarray(self._plane(*at)).astype(self.dtype, copy=False)
        return out

    def _split(self, key: Any) -> tuple[list[Any], tuple[Any, ...]]:
        """Return the key of each leading axis and of the plane's two axes.

        Raises
        ------
        IndexError
            More indices than axes.
        """
        keys = list(key) if isinstance(key, tuple) else [key]
        at = next((n for n, k in enumerate(keys) if k is Ellipsis), None)
        if at is not None:
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        if len(keys) > self.ndim:
            raise IndexError(f"{len(keys)} indices for {self.ndim} axes")
        keys += [slice(None)] * (self.ndim - len(keys))
        return keys[:-2], tuple(keys[-2:])
